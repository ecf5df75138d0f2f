// SPDX-License-Identifier: Apache-2.0
// AsyncioMessage: the one SDL user event by which a loop asks for a tick.
// Idea:   SDL hands out 32,767 event types and takes none back, so that one is registered for the process, not one per loop,
//         and another beside it for what the host has to remember in SDL.
// Owner:  registered on the main thread, added on any.

import Synchronization
import Tandem
import TandemCSDL

enum AsyncioMessage {
    /// Zero until registered; the same for the rest of the process, also across `SDL_Quit`.
    private static let registered = Atomic<UInt32>(0)

    /// Main thread: the event's type. SDL's registration takes no lock.
    @MainActor
    static func type() throws(GuestError) -> UInt32 {
        let present = registered.load(ordering: .acquiring)
        if present != 0 { return present }
        var type = SDL_RegisterEvents(2)
        // The first one handed out is SDL_USEREVENT itself, which many games use without asking.
        if type == SDL_USEREVENT.rawValue { type = SDL_RegisterEvents(2) }
        guard type != UInt32.max else {
            throw GuestError(.hostFailed, "SDL has no user event type left; something registers them without end")
        }
        registered.store(type, ordering: .releasing)
        return type
    }

    /// A type that belongs to it and is never pushed; see `PushedEventWatch`.
    static func mark(of type: UInt32) -> UInt32 { type + 1 }

    /// Any thread: adds the event to SDL's queue, unless it is there already, and wakes SDL's own wait. `false`: the queue is full or has ended.
    ///
    /// Not by SDL_PushEvent, which calls the program's event filter and watches: they would run on the backend thread, and a watch that closes
    /// the guest would hold the lock that the backend waits for. From 2.0.16 on, where SDL's waits sleep, adding an event wakes them as
    /// pushing it does.
    static func add(_ type: UInt32) -> Bool {
        // A game that ticks without taking its events would otherwise gather one for each tick.
        if SDL_HasEvent(type) == SDL_TRUE { return true }
        var event = SDL_Event()
        event.type = type
        event.common.timestamp = SDL_GetTicks()
        return SDL_PeepEvents(&event, 1, SDL_ADDEVENT, 0, 0) == 1
    }
}
