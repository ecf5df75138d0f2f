// SPDX-License-Identifier: Apache-2.0
// 14-async-algorithms: what the player does, as sequences, thinned out by time.
// Idea: swift-async-algorithms takes any clock. With the loop's, or a GameClock that pauses with the game, its waits are timers of the loop,
// and the results arrive in ticks: keys are acted on when the player rests, the pointer ten times a second, and both are logged in lots.
//
// Type and move the pointer. --frames N ends after N frames, with a ghost at the keys; else closing the window ends it

import AsyncAlgorithms
import Tandem
import TandemSDL

let limit = CommandLine.arguments.firstIndex(of: "--frames").flatMap { Int(CommandLine.arguments[$0 + 1]) }

guard SDL_Init(SDL_INIT_VIDEO) == 0, let window = SDL_CreateWindow("Async algorithms", 0, 0, 320, 120, 0),
    let renderer = SDL_CreateRenderer(window, -1, 0)
else { fatalError("SDL did not start: \(String(cString: SDL_GetError()))") }
let guest = try SDLGuest()
let clock = guest.loop.clock
let keys = AsyncStream.makeStream(of: Character.self)
let pointer = AsyncStream.makeStream(of: Int32.self)
let log = AsyncStream.makeStream(of: String.self)
var typed = ""

// Nothing for 150 ms: the player has finished the word.
guest.run {
    for await _ in keys.stream.debounce(for: .milliseconds(150), clock: clock) {
        log.continuation.yield("searched for \(typed)")
        typed = ""
    }
}

// However often the pointer moves.
guest.run {
    for await x in pointer.stream._throttle(for: .milliseconds(100), clock: clock) {
        log.continuation.yield("pointer at \(x)")
    }
}

// Both, with a beat of the loop's own, twice a second.
let seconds = guest.loop.clock.timer(every: .milliseconds(250)).map { "beat \($0.number)" }
guest.run {
    for try await lot in merge(log.stream, seconds).chunked(by: .repeating(every: .milliseconds(500), clock: clock)) {
        print(lot.joined(separator: ", "))
    }
}

let frames = FrameLoop(guest, pace: .fixed(framesPerSecond: 60))
frames.frameLimit = limit
let count = frames.run(
    event: { event in
        switch event.type {
        case SDL_KEYDOWN.rawValue:
            guard let letter = UInt8(exactly: event.key.keysym.sym).map({ Character(Unicode.Scalar($0)) }) else {
                break
            }
            typed.append(letter)
            keys.continuation.yield(letter)
        case SDL_MOUSEMOTION.rawValue: pointer.continuation.yield(event.motion.x)
        default: break
        }
    },
    update: { frame in
        guard limit != nil else { return }
        var event = SDL_Event()
        event.type = SDL_MOUSEMOTION.rawValue
        event.motion.x = Int32(frame.number)
        SDL_PushEvent(&event)
        // A word, a letter each second frame, and a rest.
        guard frame.number % 2 == 0, frame.number % 32 < 12 else { return }
        event = SDL_Event()
        event.type = SDL_KEYDOWN.rawValue
        event.key.keysym.sym = SDL_Keycode(Array("tandem".utf8)[frame.number % 32 / 2])
        SDL_PushEvent(&event)
    },
    draw: { frame in
        SDL_SetRenderDrawColor(renderer, 30, UInt8(min(255, typed.count * 40)), 60, 255)
        SDL_RenderClear(renderer)
        SDL_RenderPresent(renderer)
    })
print("\(count) frames")
guest.close()
SDL_Quit()
