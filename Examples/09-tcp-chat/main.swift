// SPDX-License-Identifier: Apache-2.0
// 09-tcp-chat: a chat room, and one of its guests, in one window.
// Idea: each connection is a task that reads lines as if nothing else existed; all of them, and the frames, share one thread. A guest that
// reads too slowly loses old lines instead of holding the others up: what is to be written stands in a bounded outbox of its own (Room.swift).
//
// Type into the window, or join from a terminal with `nc localhost PORT`.
//
// --join PORT  joins a room of this machine instead of opening one.
// --frames N   ends after N frames; somebody talks meanwhile.

import Glibc
import SystemPackage
import Tandem
import TandemSDL

func option(_ name: String) -> Int? {
    CommandLine.arguments.firstIndex(of: name).flatMap { Int(CommandLine.arguments[$0 + 1]) }
}
let limit = option("--frames")

guard SDL_Init(SDL_INIT_VIDEO) == 0, let window = SDL_CreateWindow("Chat", 0, 0, 480, 360, 0),
    let renderer = SDL_CreateRenderer(window, -1, 0)
else { fatalError("SDL did not start: \(String(cString: SDL_GetError()))") }
let guest = try SDLGuest()
let loop = guest.loop

// Whoever reads our output may go. Without this that ends the program on the spot; with it a write fails, and the program ends in order.
signal(SIGPIPE, SIG_IGN)

@MainActor func tell(_ line: String) {
    guard (try? FileDescriptor.standardOutput.writeAll((line + "\n").utf8)) == nil else { return }
    var quit = SDL_Event()
    quit.type = SDL_QUIT.rawValue
    SDL_PushEvent(&quit)
}

// MARK: The room

/// Opens a room, which takes guests for as long as the program runs, and returns its port.
@MainActor func openRoom() throws -> UInt16 {
    let listener = try TCPListener(on: loop, at: .loopback(port: 0))
    // What a guest can have said that is yet to be read; the kernel's own limit is some megabytes.
    try listener.socket.set(.receiveBufferSize, to: 65_536)
    let room = Room()
    guest.run {
        for try await stream in listener.connections() { guest.run { try await room.serve(stream) } }
    }
    return listener.port
}

// MARK: The guest in the window

var heard: [String] = []
var heardCount = 0
var typed = ""
var outbox: Outbox?

let port = try option("--join").map(UInt16.init) ?? openRoom()
tell("the room is at port \(port)")
guest.run {
    let stream = try await TCPStream.connect(to: "localhost", port: port, on: loop)
    outbox = try Outbox(stream)
    // A line of 500 bytes that are no text has three times as many when it comes back, and a name.
    for try await line in stream.lines(maximumLength: 2000) {
        // The room may be somebody else's.
        let line = printable(line)
        tell(line)
        heard = heard.suffix(15) + [line]
        heardCount += 1
    }
} onDone: { result in
    if case .failure(let error as GuestError) = result { tell("\(error)") }
}

if limit != nil {
    guest.run {
        for number in 1... {
            try await loop.sleep(for: .milliseconds(100))
            outbox?.send("hello number \(number)\n")
        }
    }
}

// MARK: Frames

@MainActor func handle(_ event: SDL_Event) {
    switch event.type {
    case SDL_TEXTINPUT:
        typed += withUnsafeBytes(of: event.text.text) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    case SDL_KEYDOWN where event.key.keysym == SDLK_BACKSPACE: _ = typed.popLast()
    case SDL_KEYDOWN where event.key.keysym == SDLK_RETURN:
        outbox?.send(typed + "\n")
        typed = ""
    default: return
    }
    SDL_SetWindowTitle(window, "Chat: \(typed)")
}

/// A bar for each of the last lines, as long as the line, in its speaker's colour.
@MainActor func draw() {
    SDL_SetRenderDrawColor(renderer, 14, 16, 30, 255)
    SDL_RenderClear(renderer)
    for (row, line) in heard.enumerated() {
        let speaker = line.prefix { $0 != ":" }.utf8.reduce(UInt8(7)) { $0 &* 31 &+ $1 }
        var bar = SDL_Rect(x: 12, y: Int32(row * 21 + 12), w: Int32(min(line.count * 8, 456)), h: 14)
        SDL_SetRenderDrawColor(renderer, 90 | speaker, 200 &- speaker / 2, 255 &- speaker, 255)
        SDL_RenderFillRect(renderer, &bar)
    }
    SDL_RenderPresent(renderer)
}

let frames = FrameLoop(guest)
frames.frameLimit = limit
let count = frames.run(event: { handle($0) }, draw: { _ in draw() })
tell("\(count) frames, \(heardCount) lines")
outbox?.send("goodbye\n")
outbox?.finish()
guest.close()
SDL_Quit()
