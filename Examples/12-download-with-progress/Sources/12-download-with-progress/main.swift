// SPDX-License-Identifier: Apache-2.0
// 12-download-with-progress: a download by async-http-client, awaited in the game.
// Idea: the client has event loops and threads of its own. Awaited from the main actor, each piece arrives on the game's thread, in a
// tick, where the progress bar reads it; the frames go on. The file appears under its name when it is complete.
//
// --frames N  ends after N frames; else closing the window ends it

import Downloading
import Foundation
import SystemPackage
import Tandem
import TandemSDL

let limit = CommandLine.arguments.firstIndex(of: "--frames").flatMap { Int(CommandLine.arguments[$0 + 1]) }

guard SDL_Init(SDL_INIT_VIDEO) == 0, let window = SDL_CreateWindow("Download", 0, 0, 320, 80, 0),
    let renderer = SDL_CreateRenderer(window, -1, 0)
else { fatalError("SDL did not start: \(String(cString: SDL_GetError()))") }
let guest = try SDLGuest()
let download = Download()
let file = FileManager.default.temporaryDirectory.appendingPathComponent("tandem-\(UUID()).bin").path
defer { try? FileManager.default.removeItem(atPath: file) }

guest.run {
    // Six megabytes in half a second.
    let server = try await LocalServer.start(pace: .milliseconds(4))
    try await download.run(server.url(bytes: 6 << 20), to: FilePath(file)) {
        precondition(Thread.isMainThread, "a piece arrived on another thread than the game's")
    }
    try await server.stop()
} onDone: { result in
    switch result {
    case .success: print("\(download.received) bytes in \(download.pieces) pieces are in the file")
    case .failure(let error): print("no download after \(download.received) bytes: \(error)")
    }
}

var late = 0
let period = Duration.seconds(1) / 60
let frames = FrameLoop(guest, pace: .fixed(framesPerSecond: 60))
frames.frameLimit = limit
let count = frames.run(
    update: { frame in
        // One that begins half a period after its time has missed the display.
        if frame.number > 0, frame.delta > period * 1.5 { late += 1 }
    },
    draw: { _ in
        SDL_SetRenderDrawColor(renderer, 16, 20, 30, 255)
        SDL_RenderClear(renderer)
        SDL_SetRenderDrawColor(renderer, 90, 200, 120, 255)
        var bar = SDL_Rect(x: 20, y: 30, w: Int32(280 * download.fraction), h: 20)
        SDL_RenderFillRect(renderer, &bar)
        SDL_RenderPresent(renderer)
    })
print("\(count) frames, \(late) late")
guest.close()
SDL_Quit()
