// SPDX-License-Identifier: Apache-2.0
// 06-quit-cleanly: everything ends, and says so.
// Idea: Ctrl-C arrives as SDL_QUIT, also while the program sleeps. `close` cancels what still runs; each wait throws
// CancellationError, each run tells its outcome, and nothing is left behind. A second Ctrl-C ends the program at once.
//
// --frames N  ends after N frames; else Ctrl-C or closing the window ends it.

import Tandem
import TandemSDL

let limit = CommandLine.arguments.firstIndex(of: "--frames").flatMap { Int(CommandLine.arguments[$0 + 1]) }

guard SDL_Init(SDL_INIT_VIDEO) == 0, let window = SDL_CreateWindow("Quit cleanly", 0, 0, 320, 120, 0),
    let renderer = SDL_CreateRenderer(window, -1, 0)
else { fatalError("SDL did not start: \(String(cString: SDL_GetError()))") }
let guest = try SDLGuest()
var ended = 0

// Sleeps for ever: ended by cancellation.
guest.run {
    defer { print("the sleeper puts its things away") }
    try await guest.loop.sleep(for: .seconds(1_000_000))
} onDone: { result in
    ended += 1
    print("the sleeper: \(result)")
}

// Works in small pieces, and looks up between them.
let worker = guest.run {
    var pieces = 0
    while !Task.isCancelled {
        pieces += 1
        try? await guest.loop.sleep(for: .milliseconds(20))
    }
    return pieces
} onDone: { result in
    ended += 1
    print("the worker: \((try? result.get()).map { $0 > 0 ? "did its pieces" : "did nothing" } ?? "failed")")
}

// One run is cancelled early, by hand.
guest.loop.callLater(.milliseconds(100)) { worker.cancel() }

let frames = FrameLoop(guest, pace: limit == nil ? .onDemand : .fixed(framesPerSecond: 60))
frames.frameLimit = limit
frames.run(draw: { _ in
    SDL_SetRenderDrawColor(renderer, 40, 20, 60, 255)
    SDL_RenderClear(renderer)
    SDL_RenderPresent(renderer)
})
print("closing")
guest.close()
print("closed: \(ended) of 2 runs told their outcome, \(guest.loop.statistics.timers) timers left")
SDL_Quit()
