// SPDX-License-Identifier: Apache-2.0
// MainQueue: runs what has been sent to the main queue, and so the main actor's jobs, in a program whose loop is SDL's.

import CBench
import CSDL
import Foundation

/// pump=queue: what the main queue's own run loop calls, without a run loop. pump=runloop: the run loop, without waiting.
@MainActor
enum MainQueue {
    case queue, runLoop

    init(_ options: Options) throws {
        switch options.word("pump", "queue") {
        case "queue": self = .queue
        case "runloop": self = .runLoop
        case let word: throw Unsupported("pump=\(word): expected queue or runloop")
        }
    }

    func pump() {
        switch self {
        case .queue: bench_pump_main_queue()
        case .runLoop: _ = RunLoop.main.run(mode: .default, before: .distantPast)
        }
    }
}

@MainActor func startSDL(_ options: Options) throws {
    setenv("SDL_VIDEODRIVER", options.word("driver", "dummy"), 1)
    guard SDL_Init(SDL_INIT_VIDEO) == 0 else {
        throw Unsupported("SDL did not start: \(String(cString: SDL_GetError()))")
    }
}
