// SPDX-License-Identifier: Apache-2.0
// 04-wake-from-a-thread: a worker computes, the game shows.
// Idea: `post` is the one call that any thread may make. It brings a closure to the game's thread and wakes a sleeping frame loop,
// so that there is nothing to lock and nothing to poll.
//
// --frames N  ends after N frames.

import Foundation
import Tandem
import TandemSDL

let limit = CommandLine.arguments.firstIndex(of: "--frames").flatMap { Int(CommandLine.arguments[$0 + 1]) }

guard SDL_Init(SDL_INIT_VIDEO) == 0, let window = SDL_CreateWindow("Wake from a thread", 0, 0, 400, 200, 0),
    let renderer = SDL_CreateRenderer(window, -1, 0)
else { fatalError("SDL did not start: \(String(cString: SDL_GetError()))") }
let guest = try SDLGuest()

/// What the game shows. Touched on the main actor only.
@MainActor enum Found {
    static var primes: [Int] = []
}

/// Looks for primes and posts each, until the loop has closed.
@Sendable nonisolated func search(_ loop: GuestLoop) {
    var candidate = 2
    while true {
        if !(2..<max(2, candidate)).contains(where: { candidate % $0 == 0 }) {
            let prime = candidate
            do {
                // The posted closure runs in a tick, on the main thread.
                try loop.post { MainActor.assumeIsolated { Found.primes.append(prime) } }
            } catch {
                return  // The loop has closed: nobody is left to tell.
            }
            usleep(5_000)
        }
        candidate += 1
    }
}

let loop = guest.loop
let worker = Thread { search(loop) }
worker.start()

// On demand: frames are drawn because something arrived.
let frames = FrameLoop(guest, pace: .onDemand)
frames.frameLimit = limit
let count = frames.run(draw: { _ in
    SDL_SetRenderDrawColor(renderer, 10, 12, 24, 255)
    SDL_RenderClear(renderer)
    SDL_SetRenderDrawColor(renderer, 120, 240, 180, 255)
    for prime in Found.primes.suffix(200) {
        SDL_RenderDrawPoint(renderer, Int32(prime % 400), Int32(prime / 400 * 4 % 200))
    }
    SDL_RenderPresent(renderer)
})
print("\(count) frames, \(Found.primes.count) primes, the last \(Found.primes.last ?? 0)")
guest.close()
SDL_Quit()
