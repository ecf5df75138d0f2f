// SPDX-License-Identifier: Apache-2.0
// 05-read-a-pipe: lines typed on standard input, while frames go on.
// Idea: a real descriptor is awaited like anything else. `readable` suspends until there is something; no thread blocks in `read`.
//
// --frames N  ends after N frames; else the end of input or closing the window ends it.

import Foundation
import SystemPackage
import Tandem
import TandemSDL

let limit = CommandLine.arguments.firstIndex(of: "--frames").flatMap { Int(CommandLine.arguments[$0 + 1]) }

guard SDL_Init(SDL_INIT_VIDEO) == 0, let window = SDL_CreateWindow("Read a pipe", 0, 0, 320, 120, 0),
    let renderer = SDL_CreateRenderer(window, -1, 0)
else { fatalError("SDL did not start: \(String(cString: SDL_GetError()))") }
let guest = try SDLGuest()
var lines = 0

/// Calls `body` with each line of a descriptor; returns at its end.
@MainActor func forEachLine(of input: FileDescriptor, _ body: (String) -> Void) async throws {
    var pending: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
        do {
            try await guest.loop.waitUntilReadable(input)
        } catch let error as GuestError where error.errno == .notPermitted {
            // A regular file is always ready: it is read without waiting.
        }
        let count = try buffer.withUnsafeMutableBytes { try input.read(into: $0) }
        pending += buffer[..<count]
        while let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
            body(String(decoding: pending[..<end], as: UTF8.self))
            pending.removeSubrange(...end)
        }
        guard count > 0 else { break }
    }
    if !pending.isEmpty { body(String(decoding: pending, as: UTF8.self)) }
}

let frames = FrameLoop(guest)
frames.frameLimit = limit
let loop = frames

guest.run {
    try await forEachLine(of: .standardInput) { line in
        lines += 1
        print("line \(lines): \(line)")
    }
} onDone: { result in
    if case .failure(let error) = result { print("standard input: \(error)") }
    if limit == nil { loop.stop() }
}

let count = frames.run(draw: { frame in
    SDL_SetRenderDrawColor(renderer, UInt8(frame.number % 256), UInt8(min(255, lines * 25)), 90, 255)
    SDL_RenderClear(renderer)
    SDL_RenderPresent(renderer)
})
print("\(count) frames, \(lines) lines")
guest.close()
SDL_Quit()
