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
// connection as well; where the turn is here (see `OwnWait`), also on the loop's descriptors and until its deadline. What nothing announces
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
        withUnsafeMutablePointer(to: &event) {
            nonisolated(unsafe) let event = $0  // Safe: used before this returns, on this thread.
            return onMain("SDLGuest.waitEvent") {
                if isOwnLoopInTick { return loop.runModal { waitGameEvent(&event.pointee, timeout) } }
                return waitGameEvent(&event.pointee, timeout)
            }
        }
    }

    private func waitGameEvent(_ event: inout SDL_Event, _ timeout: Duration?) -> Bool {
        let end = end(of: timeout)
        ticksAfterWait = true
        while nextEvent(&event, until: end) {
            if !events.offer(event) { return true }
        }
        return false
    }

    /// As ``waitEvent(_:timeout:)``, before anybody who waits for events was asked.
    func nextEvent(_ event: inout SDL_Event, timeout: Duration?) -> Bool {
        nextEvent(&event, until: end(of: timeout))
    }

    private func end(of timeout: Duration?) -> ContinuousClock.Instant? {
        timeout.map { loop.hostNow.advancedClamped(by: $0) }
    }

    private func nextEvent(_ event: inout SDL_Event, until end: ContinuousClock.Instant?) -> Bool {
        while true {
            pump.runIfDue()
            if nextGameEvent(&event, pumping: false) { return true }
            if loop.skipsTime(until: end) { return false }
            let sleeper = SDLDriver.sleeper(forcesSDL: forcesSDLWait)
            guard let left = timeToSleep(until: end) else { return false }
            switch sleeper {
            case .sdl:
                loop.passKeptTurn()
                if sleepThroughSDL(&event, left) {
                    if isOwn(event) { return false }
                    record(event)
                    return true
                }
            case .waker(let connection): loop.whileWaiting(on: host.waker) { sleep(until: end, connection) }
            }
            // The game's events are looked at by whoever calls next, after the work.
            if loop.hasWork { return false }
        }
    }

    /// Runs the loop's work until `end` or until `isStopped`, sleeping in between. SDL's events are left for later: no driver can announce them
    /// without pumping, and whoever calls this is about to.
    func runWork(until end: ContinuousClock.Instant, unless isStopped: () -> Bool) {
        loop.whileWaiting(on: host.waker) {
            while true {
                let left = loop.hostNow.duration(to: end)
                if loop.hasWork, !loop.tick(budget: max(left, .microseconds(1)), then: .wait).isEmpty {
                    wantsFrame = true
                }
                guard left > .zero, !isStopped() else { return }
                if loop.skipsTime(until: end) { continue }
                // Looked at after the tick, which may have set a timer.
                if timeToSleep(until: end) != nil { _ = loop.sleep(on: host.waker, until: end) }
            }
        }
    }

    /// The next event that is not Tandem's own: SDL's, or the recorded run's.
    func nextGameEvent(_ event: inout SDL_Event, pumping: Bool = true) -> Bool {
        tendEvents()
        if let tape = loop.activeTape, tape.isReplay { return nextRecordedEvent(&event, tape) }
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

    /// How long nothing is expected to happen; `nil` if there is something to do now.
    private func timeToSleep(until end: ContinuousClock.Instant?) -> Duration? {
        if loop.hasWork { return nil }
        let left = end.map { loop.hostNow.duration(to: $0) } ?? Self.century
        return left > .zero ? left : nil
    }

    /// True if SDL gave an event.
    private func sleepThroughSDL(_ event: inout SDL_Event, _ left: Duration) -> Bool {
        let milliseconds = (min(left, QueueLooks.longest) / .milliseconds(1)).rounded(.up)
        guard SDL_WaitEventTimeout(&event, Int32(milliseconds)) != 0 else { return false }
        watch.saw(event)
        return true
    }

    /// Ends when the loop has work, SDL's queue has an event, or at `end`.
    private func sleep(until end: ContinuousClock.Instant?, _ connection: Int32) {
        watch.stand()
        while SDL_HasEvents(0, UInt32(SDL_LASTEVENT.rawValue)) == SDL_FALSE, let left = timeToSleep(until: end) {
            let untilLook = min(watch.untilNextLook, SDLDriver.pumpPace ?? QueueLooks.longest)
            let look = loop.hostNow.advanced(by: untilLook)
            let wake = loop.sleep(on: host.waker, until: min(end ?? look, look), watching: connection)
            pump.note(wake)
            if wake.isEmpty, left > untilLook, !loop.hasWork {
                watch.looked(found: SDL_HasEvents(0, UInt32(SDL_LASTEVENT.rawValue)) != SDL_FALSE)
            }
            if loop.hasWork { return }
            pump.runIfDue()
            // The pump may have called a watch of the game's that has closed the loop.
            guard loop.isOpen else { return }
        }
    }

    private static let century = Duration.seconds(3_155_760_000)
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
        if strcmp(name, "wayland") == 0 { return .sdl }
        let connection = tandem_x11_connection()
        return connection < 0 && strcmp(name, "x11") == 0 ? .sdl : .waker(connection: connection)
    }

    /// How often SDL has to be pumped for what announces nothing: open devices as often as a game draws, for a new one to
    /// be plugged in once a second.
    static var pumpPace: Duration? {
        let subsystems = UInt32(SDL_INIT_JOYSTICK | SDL_INIT_GAMECONTROLLER | SDL_INIT_SENSOR | SDL_INIT_HAPTIC)
        guard SDL_WasInit(subsystems) != 0 else { return nil }
        let joysticks = SDL_WasInit(UInt32(SDL_INIT_JOYSTICK)) != 0 && SDL_NumJoysticks() > 0
        let sensors = SDL_WasInit(UInt32(SDL_INIT_SENSOR)) != 0 && SDL_NumSensors() > 0
        return joysticks || sensors ? .milliseconds(8) : .seconds(1)
    }
}
