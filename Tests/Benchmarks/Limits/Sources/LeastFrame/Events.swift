// SPDX-License-Identifier: Apache-2.0
// Events: SDL, and what looking for its events costs.
// Owner:  the main thread.

import CSDL
import Glibc

// The main thread's.
@exclusivity(unchecked) @MainActor private var event = SDL_Event()

/// Video with a window, as TandemBench has it.
func startSDL(_ options: Options) throws {
    setenv("SDL_VIDEODRIVER", options.word("driver", "dummy"), 1)
    guard SDL_Init(SDL_INIT_VIDEO) == 0, SDL_CreateWindow("LeastFrame", 0, 0, 64, 64, SDL_WINDOW_SHOWN.rawValue) != nil
    else {
        throw Unsupported("SDL did not start: \(String(cString: SDL_GetError()))")
    }
}

/// A frame takes them all.
@MainActor func takeEvents() { while SDL_PollEvent(&event) != 0 {} }

/// What somebody who was woken asks of SDL: to fetch what has come, and whether there is anything.
@MainActor func pumpAndLook() {
    SDL_PumpEvents()
    look()
}

/// What SDL's calls cost by themselves, on a queue that is empty.
@MainActor func countEvents(_ options: Options) throws {
    try startSDL(options)
    let count = try options.number("n", 1000)
    takeEvents()
    let piece: @MainActor () -> Void
    switch options.word("what", "none") {
    case "none": piece = {}
    case "pump": piece = { SDL_PumpEvents() }
    case "look": piece = { look() }
    case "poll": piece = { SDL_PollEvent(&event) }
    default: throw Unsupported("what=\(options.word("what", ""))")
    }
    for _ in 0..<count { piece() }
    metric("ran", "count", count)
}

@MainActor private func look() {
    SDL_PeepEvents(&event, 1, SDL_PEEKEVENT, SDL_FIRSTEVENT.rawValue, SDL_LASTEVENT.rawValue)
}
