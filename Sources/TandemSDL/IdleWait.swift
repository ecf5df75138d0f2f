// SPDX-License-Identifier: Apache-2.0
// IdleWait: sleeping until SDL or the loop has something, without losing a wake.
//
// Facts about SDL2 that this code rests on:
//  - SDL_WaitEvent really blocks on the x11 and wayland drivers only; elsewhere it polls every millisecond.
//  - What wakes it can be lost: a flush or a filter of another thread's takes our event out again, and from 2.32.8 on an event that is added
//    between SDL's look at its queue and its going to sleep wakes nobody. So a wait through SDL is bounded.
//  - Joysticks and sensors are read by pumping; nothing announces them.
//  - A wait through SDL counts in milliseconds. A deadline in between is the backend's, whose event ends the wait.
//  - On x11 an event that is added ends SDL's wait by way of the X server, which takes five times as long as waking a thread.
//  - A pump reads all that the X connection has, into Xlib's memory and from there into SDL's queue; as long as only the main
//    thread speaks with X, as SDL demands, what arrives after a pump makes the connection readable.
//  - A pump may call the game's event watches, which may close the guest.
// Decision: we sleep, on a waker of ours, which the loop's request and a watch on SDL's events (`PushedEventWatch`) ring, and on x11 on the X
// connection as well; while this thread has the turn (see `HostWait`), also on the loop's descriptors and until its deadline. What nothing announces
// is looked for (`QueueLooks`). SDL waits on wayland, whose reading is a protocol of several steps, and on x11 as long as no window tells
// the connection. Where something has to be pumped, the sleep ends at that pace.
//
// Owner:  the main thread.

import Glibc
import Synchronization
import Tandem
import TandemCSDL
import TandemCSDLVideo

extension SDLGuest {
    /// Sleeps until the game has an event, the loop has work, or `timeout` has passed.
    ///
    /// ```swift
    /// if guest.waitEvent(&event, timeout: nil) { /* the game's event */ }
    /// guest.tick()
    /// ```
    ///
    /// It looks at SDL's queue and at the loop before it sleeps, so that a request which a filter, a flush or a full queue
    /// swallowed cannot be slept over.
    ///
    /// - Parameters:
    ///   - event: Where the game's event goes.
    ///   - timeout: `nil`: as long as it takes; a timer of the loop's ends the wait in any case.
    /// - Returns: `true` if `event` is one for the game; `false` if it is time to tick or the time is over. Tandem's own events
    ///   are never returned.
    public nonisolated func waitEvent(_ event: inout SDL_Event, timeout: Duration? = nil) -> Bool {
        loop.requireUIThread("SDLGuest.waitEvent")
        return Self.waitAsMain(self, &event, timeout)
    }

    // Safe: as in `onMain`, of which each call allocates a closure.
    private nonisolated static let waitAsMain = unsafeBitCast(
        SDLGuest.waitGameEvent, to: (@Sendable (SDLGuest, inout SDL_Event, Duration?) -> Bool).self)

    private static func waitGameEvent(_ guest: SDLGuest, _ event: inout SDL_Event, _ timeout: Duration?) -> Bool {
        let now = guest.loop.hostTime
        var end = Int64.max
        if let timeout { end = now.addingClamped(timeout.nanosecondsRoundedUp) }
        guest.ticksAfterWait = true
        guest.loop.leavesOutIdleTicks = false
        // A recorded run has its frames where its ticks are: the time at which a wait ends is not on the tape.
        guest.ownFrames.waits(from: now, until: guest.loop.isTaped ? .max : end)
        while guest.nextEvent(&event, until: end) {
            if !guest.events.offer(event) { return true }
        }
        return false
    }

    /// Waits for an event or for the loop's work, gives the event to `deliver`, and ticks.
    @discardableResult
    func waitAndTick(_ deliver: (SDL_Event) -> Void) -> TickReport {
        var event = SDL_Event()
        if nextEvent(&event, until: .max) { deliver(event) }
        return loop.tick(then: .wait)
    }

    /// Waits for the next event of the game's, before it is offered to tasks that wait for events. `false`: the loop has work,
    /// or the time is over. If there are both, the event waits until the caller has run the work. `end`: in the loop's `hostTime`; `.max`: never.
    private func nextEvent(_ event: inout SDL_Event, until end: Int64) -> Bool {
        while true {
            pump.runIfDue(pace: SDLDriver.pumpPace)
            if nextGameEvent(&event, pumping: false) { return true }
            var ended: WaitEnd?
            switch SDLDriver.sleeper(forcesSDL: forcesSDLWait) {
            case .sdl:
                var hasEvent = false
                ended = loop.waitElsewhere(untilTime: end) { hasEvent = sleepThroughSDL(&event, $0) }
                if hasEvent {
                    if isOwn(event) { return false }
                    record(event)
                    return true
                }
                if loop.hasWork { return false }
            case .waker(let connection):
                ended = loop.wait(on: host.waker, untilTime: end, also: connection, work: .endsWait) { step in
                    checkQueue(after: step, until: end)
                }
            }
            switch ended {
            case .work, .time: return false
            case .checked, .closed, nil: break
            }
        }
    }

    /// Looks into SDL's queue during a wait. Nothing is taken out of it.
    private func checkQueue(after step: WaitStep, until end: Int64) -> WaitCheck {
        switch step {
        // The look before the wait has found no work.
        case .began: watch.stand()
        case .woke(let wake, let hasWork):
            pump.note(wake)
            // The loop's work ends the wait; SDL is asked afterwards.
            if hasWork { return .goesOn }
            // Only the time that the last check allowed has passed.
            if wake.isOfTime, loop.hostTime < end { watch.looked(found: hasEvents) }
            pump.runIfDue(pace: SDLDriver.pumpPace)
        case .ticked, .skippedTime:
            if loop.hasWork { return .goesOn }
        }
        if hasEvents { return .ends }
        return .checksAgain(within: min(watch.untilNextLook, SDLDriver.pumpPace ?? QueueLooks.longest))
    }

    /// Whether anything is in SDL's queue.
    private var hasEvents: Bool { SDL_HasEvents(0, UInt32(SDL_LASTEVENT.rawValue)) != SDL_FALSE }

    /// Runs the loop's work until `end` or until `isStopped`, sleeping in between. SDL's events are left for the next frame,
    /// which is near: no driver announces them without a pump.
    func runWork(until end: ContinuousClock.Instant, unless isStopped: () -> Bool) {
        _ = loop.wait(on: host.waker, until: end, work: .runsUntilEnd) { step in
            switch step {
            // A sleep runs nothing of the program's that could have stopped it.
            case .woke: return .goesOn
            case .ticked(let report): if !report.isEmpty { wantsFrame = true }
            case .began, .skippedTime: break
            }
            return isStopped() ? .ends : .goesOn
        }
    }

    /// The next event that is not Tandem's own: SDL's, or the recorded run's.
    func nextGameEvent(_ event: inout SDL_Event, pumping: Bool = true) -> Bool {
        tendEvents()
        if loop.isTaped, let tape = loop.activeTape, tape.isReplay { return nextRecordedEvent(&event, tape) }
        while pumping ? SDL_PollEvent(&event) != 0 : takeEvent(&event) {
            watch.saw(event)
            if !isOwn(event) {
                record(event)
                return true
            }
        }
        if !pumping { watch.foundQueueEmpty() }
        return false
    }

    /// What stands in SDL's queue.
    private func takeEvent(_ event: inout SDL_Event) -> Bool {
        let (first, last) = (SDL_FIRSTEVENT.rawValue, SDL_LASTEVENT.rawValue)
        while SDL_PeepEvents(&event, 1, SDL_GETEVENT, first, last) > 0 {
            // SDL's mark of how far its own poll goes.
            if event.type != SDL_POLLSENTINEL.rawValue { return true }
        }
        return false
    }

    /// Sleeps in SDL's own wait, for at most a quarter of a second. `true`: SDL gave an event.
    private func sleepThroughSDL(_ event: inout SDL_Event, _ left: Duration?) -> Bool {
        let longest = Duration.milliseconds(250)
        let milliseconds = (min(left ?? longest, longest) / .milliseconds(1)).rounded(.up)
        guard SDL_WaitEventTimeout(&event, Int32(milliseconds)) != 0 else { return false }
        watch.saw(event)
        return true
    }
}

/// What the video driver in use can do.
@MainActor
enum SDLDriver {
    /// Who sleeps while nothing happens.
    enum Sleeper {
        /// SDL, which really sleeps on x11 and wayland.
        case sdl
        /// We, on the waker and on the driver's connection, if it has one (else -1).
        case waker(connection: Int32)
    }

    static func sleeper(forcesSDL: Bool) -> Sleeper {
        guard !forcesSDL else { return .sdl }
        guard let name = SDL_GetCurrentVideoDriver() else { return .waker(connection: -1) }
        // The first letters spare each wait two calls.
        if name[0] == CChar(UInt8(ascii: "w")), strcmp(name, "wayland") == 0 { return .sdl }
        guard name[0] == CChar(UInt8(ascii: "x")), strcmp(name, "x11") == 0 else { return .waker(connection: -1) }
        let connection = tandem_x11_connection()
        return connection < 0 ? .sdl : .waker(connection: connection)
    }

    /// How often SDL has to be pumped for what announces nothing: open devices as often as a game draws, for a new one to
    /// be plugged in once a second. In nanoseconds; `nil`: never.
    static var pumpPace: Int64? {
        let subsystems = UInt32(SDL_INIT_JOYSTICK | SDL_INIT_GAMECONTROLLER | SDL_INIT_SENSOR | SDL_INIT_HAPTIC)
        guard SDL_WasInit(subsystems) != 0 else { return nil }
        let joysticks = SDL_WasInit(UInt32(SDL_INIT_JOYSTICK)) != 0 && SDL_NumJoysticks() > 0
        let sensors = SDL_WasInit(UInt32(SDL_INIT_SENSOR)) != 0 && SDL_NumSensors() > 0
        return joysticks || sensors ? 8_000_000 : 1_000_000_000
    }
}
