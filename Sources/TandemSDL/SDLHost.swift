// SPDX-License-Identifier: Apache-2.0
// SDLHost: the part of the host that other threads call: it wakes the UI thread where that sleeps.
// Idea:   while the UI thread sleeps in a wait of ours, a waker ends it; else the SDL event is added to the queue, which wakes SDL's own
//         wait and any loop that takes SDL's events.
// Owner:  `requestTick` runs on any thread. No code of the game's runs in it, but for what SDL was given to work with: an allocator
//         (SDL_SetMemoryFunctions) and, with SDL_HINT_EVENT_LOGGING, a log output function.

import Tandem

final class SDLHost: GuestHost {
    private let eventType: UInt32
    let waker: Waker

    /// Main thread.
    init(eventType: UInt32) throws(GuestError) {
        self.eventType = eventType
        waker = try Waker()
    }

    func requestTick() -> Bool {
        guard waker.isArmed else { return AsyncioMessage.add(eventType) }
        waker.wakeForLoop()
        return true
    }
}
