// SPDX-License-Identifier: Apache-2.0
// 08-dispatch-main: old code with completion handlers.
// Idea: a library that calls back on `DispatchQueue.main` needs no change: the loop drains that queue in its ticks and wakes the sleeping
// game for it. The same queue carries the main actor, so that old and new code see one thread.
//
// --frames N  ends after N frames; else closing the window ends it.

import Dispatch
import TandemSDL

let limit = CommandLine.arguments.firstIndex(of: "--frames").flatMap { Int(CommandLine.arguments[$0 + 1]) }

guard SDL_Init(SDL_INIT_VIDEO) == 0, let window = SDL_CreateWindow("DispatchQueue.main", 0, 0, 320, 160, 0),
    let renderer = SDL_CreateRenderer(window, -1, 0)
else { fatalError("SDL did not start: \(String(cString: SDL_GetError()))") }
let guest = try SDLGuest()

/// As libraries were written before `async`: works on a queue of its own, and calls back on the main one.
nonisolated func countWords(_ text: String, completion: @escaping @Sendable (Int) -> Void) {
    DispatchQueue.global().async {
        let count = text.split(separator: " ").count
        DispatchQueue.main.async { completion(count) }
    }
}

var beats = 0

/// Asks again each time the answer has come.
@MainActor enum Asker {
    static var words = 0

    static func ask(_ text: String) {
        countWords(text) { count in
            // The completion handler is not marked, but it runs on the main actor's thread.
            MainActor.assumeIsolated {
                words += count
                guest.loop.callLater(.milliseconds(20)) { ask(text) }
            }
        }
    }
}
Asker.ask("old code needs no change")

// A timer of libdispatch's, on the main queue.
let timer = DispatchSource.makeTimerSource(queue: .main)
timer.schedule(deadline: .now(), repeating: .milliseconds(100))
timer.setEventHandler { MainActor.assumeIsolated { beats += 1 } }
timer.resume()

// On demand: each answer and each beat is a reason to draw.
let frames = FrameLoop(guest, pace: .onDemand)
frames.frameLimit = limit
let count = frames.run(draw: { _ in
    SDL_SetRenderDrawColor(renderer, UInt8(beats * 16 % 256), UInt8(Asker.words % 256), 120, 255)
    SDL_RenderClear(renderer)
    SDL_RenderPresent(renderer)
})
timer.cancel()
print("\(count) frames, \(Asker.words) words, \(beats) beats")
guest.close()
SDL_Quit()
