// SPDX-License-Identifier: Apache-2.0
// SDLParts: the guest in SDL's main loop, with events of its own and of other threads.
// Owner:  the main actor, but for the thread that pushes.

import Foundation
import Glibc
import Tandem
import TandemCSDL
import TandemSDL

extension Stage {
    func expectEvents(_ guest: SDLGuest) {
        expect("an event that another thread pushes") {
            // Nothing of Tandem's wakes a sleeping host for it but the watch on pushed events.
            Thread.detachNewThread {
                usleep(5000)
                var event = SDL_Event()
                event.type = SDL_USEREVENT.rawValue + 77
                for _ in 0..<100 where SDL_PushEvent(&event) != 1 { usleep(1000) }
            }
            try await guest.nextEvent { $0.type == SDL_USEREVENT.rawValue + 77 }
        }
        expect("an interrupt") {
            guest.loop.callLater(.milliseconds(3)) { raise(SIGTERM) }
            try await guest.nextEvent(consuming: true) { $0.type == SDL_QUIT.rawValue }
        }
    }
}

@MainActor private func run(_ frames: FrameLoop, _ stage: Stage) {
    frames.stopsOnQuit = false
    let end = ContinuousClock.now + limit
    // Frames on demand have none to look at the time in.
    frames.guest.loop.callAt(end) { frames.stop() }
    let look = frames.guest.loop.everyFrame { _ in if stage.isOver { frames.stop() } }
    defer { look.cancel() }
    frames.run()
}

@MainActor func frameLoop(_ guest: SDLGuest, _ stage: Stage) {
    run(FrameLoop(guest, pace: .fixed(framesPerSecond: 400)), stage)
}

@MainActor func frameLoopOnDemand(_ guest: SDLGuest, _ stage: Stage) { run(FrameLoop(guest, pace: .onDemand), stage) }

@MainActor func waitEvent(_ guest: SDLGuest, _ stage: Stage) {
    let end = ContinuousClock.now + limit
    while !stage.isOver, ContinuousClock.now < end {
        var event = SDL_Event()
        _ = guest.waitEvent(&event, timeout: .seconds(1))
        guest.tick()
    }
}

@MainActor func sdlWait(_ guest: SDLGuest, _ stage: Stage) {
    guest.forcesSDLWait = true
    waitEvent(guest, stage)
}

/// Says so on the standard output, and then draws on demand, which nobody makes.
@MainActor func asleep(_ guest: SDLGuest, _ stage: Stage) {
    let frames = FrameLoop(guest, pace: .onDemand)
    guest.loop.callLater(.seconds(1)) {
        print("asleep", Machine.processor)
        fflush(nil)
    }
    frames.run()
    print("the frames have ended", Machine.processor)
}
