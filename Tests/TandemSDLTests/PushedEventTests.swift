// SPDX-License-Identifier: Apache-2.0
// PushedEventTests: events that other threads put into SDL's queue end a wait of ours, and nothing of the game's runs on threads of ours.

import Foundation
import Synchronization
import SystemPackage
import TandemCLinux
import Testing

@testable import Tandem
@testable import TandemSDL

/// Which threads have called the game's filter and watch.
private let callsOnMainThread = Atomic<Int>(0)
private let callsOnOtherThreads = Atomic<Int>(0)
private let noteThread: SDL_EventFilter = { _, _ in
    if tandem_is_main_thread() {
        callsOnMainThread.add(1, ordering: .relaxed)
    } else {
        callsOnOtherThreads.add(1, ordering: .relaxed)
    }
    return 1
}

extension SDL {
    @Suite @MainActor struct PushedEventTests {
        private func event(_ type: UInt32) -> SDL_Event {
            var event = SDL_Event()
            event.type = type
            return event
        }

        /// Waits for a game's event of `type`; a wait that sleeps over it would take longer than this accepts.
        private func expectAnEvent(_ type: UInt32, endsTheWaitOf guest: SDLGuest) {
            let start = ContinuousClock.now
            var isSeen = false
            #expect(guest.work(event: { if $0.type == type { isSeen = true } }, until: { isSeen }))
            #expect(ContinuousClock.now < start + .seconds(15))
        }

        /// On the dummy driver. Longer asleep than a wait looks for what was pushed before it began.
        @Test func anEventThatIsAddedWithoutAPushEndsTheWait() throws {
            try withGuest { guest in
                let added = event(SDL_RegisteredUser.type)
                Thread.detachNewThread {
                    for _ in 0..<2 {
                        usleep(700_000)
                        var added = added
                        SDL_PeepEvents(&added, 1, SDL_ADDEVENT, 0, 0)
                    }
                }
                for _ in 0..<2 { expectAnEvent(added.type, endsTheWaitOf: guest) }
            }
        }

        /// The backend asks for ticks, other threads post, while the game waits by itself.
        @Test func theGamesFilterAndWatchesRunOnNoThreadOfOurs() throws {
            try withGuest { guest in
                callsOnMainThread.store(0, ordering: .relaxed)
                callsOnOtherThreads.store(0, ordering: .relaxed)
                SDL_SetEventFilter(noteThread, nil)
                SDL_AddEventWatch(noteThread, nil)
                defer {
                    SDL_SetEventFilter(nil, nil)
                    SDL_DelEventWatch(noteThread, nil)
                }
                let count = Box(0)
                for round in 1...20 {
                    if round % 2 == 0 {
                        guest.loop.callLater(.milliseconds(1)) { count.value += 1 }
                    } else {
                        Thread.detachNewThread { try? guest.loop.post { count.value += 1 } }
                    }
                    var event = SDL_Event()
                    let end = ContinuousClock.now + .seconds(20)
                    while count.value < round, ContinuousClock.now < end {
                        if SDL_WaitEventTimeout(&event, 20_000) != 0 { #expect(guest.handle(event)) }
                        guest.tick()
                    }
                    #expect(count.value == round)
                }
                #expect(callsOnOtherThreads.load(ordering: .relaxed) == 0)
                var own = event(SDL_RegisteredUser.type)
                SDL_PushEvent(&own)
                #expect(callsOnMainThread.load(ordering: .relaxed) >= 2)
            }
        }

        /// A watch runs with a lock of SDL's held; the backend, which has something to ask at that moment, must not wait for it.
        @Test func aWatchMayCloseTheGuest() async {
            await #expect(processExitsWith: .success) { @MainActor in
                alarm(30)
                setenv("SDL_VIDEODRIVER", "dummy", 1)
                SDL_Init(SDL_INIT_VIDEO)
                let isAsking = DispatchSemaphore(value: 0)
                var configuration = Configuration()
                configuration.onStep = { if $0 == .hint, !tandem_is_main_thread() { isAsking.signal() } }
                let guest = try SDLGuest(configuration: configuration, handlesInterrupts: false)
                let closing = Closing(guest, isAsking)
                // Safe: `closing` outlives the push below.
                SDL_AddEventWatch(Closing.listen, Unmanaged.passUnretained(closing).toOpaque())
                var event = SDL_Event()
                event.type = SDL_APP_TERMINATING.rawValue
                SDL_PushEvent(&event)
                guard closing.hasClosed, (try? guest.loop.post {}) == nil else { exit(1) }
                SDL_DelEventWatch(Closing.listen, Unmanaged.passUnretained(closing).toOpaque())
                SDL_Quit()
                exit(0)
            }
        }

        @Test func everyKindOfEventMayBeEnabledWithoutTheWatchStandingTwice() throws {
            let user = event(SDL_RegisteredUser.type)
            func pushFromAnotherThread() {
                let isPushed = DispatchSemaphore(value: 0)
                Thread.detachNewThread {
                    var user = user
                    SDL_PushEvent(&user)
                    isPushed.signal()
                }
                isPushed.wait()
            }
            try withGuest { guest in
                var event = SDL_Event()
                for _ in 0..<3 {
                    while guest.waitEvent(&event, timeout: .milliseconds(1)) {}
                    for type in SDL_FIRSTEVENT.rawValue...SDL_LASTEVENT.rawValue { SDL_EventState(type, SDL_ENABLE) }
                }
                while guest.waitEvent(&event, timeout: .milliseconds(1)) {}
                pushFromAnotherThread()
                let first = PushedEvents.shared.newestOnItsWay
                pushFromAnotherThread()
                #expect(first != 0)
                #expect(PushedEvents.shared.newestOnItsWay == first + 1)
                guest.close()
                // The watch has gone with the guest.
                pushFromAnotherThread()
                #expect(PushedEvents.shared.newestOnItsWay == first + 1)
            }
        }

        /// As on wayland: SDL waits. Nobody asks the filter about the hint.
        @Test func aFilterThatRefusesAllDoesNotKeepSDLsWaitAsleep() throws {
            try withGuest { guest in
                guest.forcesSDLWait = true
                SDL_SetEventFilter({ _, _ in 0 }, nil)
                defer { SDL_SetEventFilter(nil, nil) }
                let count = Box(0)
                Thread.detachNewThread {
                    usleep(100_000)
                    try? guest.loop.post { count.value += 1 }
                }
                let start = ContinuousClock.now
                #expect(guest.work { count.value == 1 })
                #expect(ContinuousClock.now < start + .seconds(15))
            }
        }

        /// The hint can be taken out again by another thread, before SDL's wait has seen it.
        @Test func aFlushedHintDoesNotKeepSDLsWaitAsleep() throws {
            try withGuest { guest in
                guest.forcesSDLWait = true
                let user = event(SDL_RegisteredUser.type)
                let flushing = Flushing(guest.loop)
                Thread.detachNewThread {
                    while !flushing.hasPosted {
                        // The main thread has gone to sleep: it is to find neither the event nor the hint.
                        usleep(50_000)
                        var user = user
                        SDL_PushEvent(&user)
                        // Safe: `flushing` outlives the call.
                        SDL_FilterEvents(Flushing.flush, Unmanaged.passUnretained(flushing).toOpaque())
                    }
                }
                let start = ContinuousClock.now
                #expect(guest.work { flushing.hasRun })
                #expect(ContinuousClock.now < start + .seconds(15))
            }
        }

        /// Two events alike, one of which is on its way: whichever comes first, the other is still waited for.
        @Test(arguments: [true, false]) func anEventOfTheMainThreadsIsNotTakenForOneThatIsOnItsWay(mainIsFirst: Bool)
            throws
        {
            try withGuest { guest in
                var event = SDL_Event()
                for _ in 0..<3 { while guest.waitEvent(&event, timeout: .milliseconds(20)) {} }
                let late = self.event(SDL_RegisteredUser.type)
                func begin() {
                    let isHeard = DispatchSemaphore(value: 0)
                    Thread.detachNewThread {
                        PushedEvents.shared.hear(late)
                        isHeard.signal()
                    }
                    isHeard.wait()
                }
                func pushOnMainThread() {
                    // Both halves of a push, so that the time in it is the other one's.
                    var own = late
                    PushedEvents.shared.hear(own)
                    SDL_PeepEvents(&own, 1, SDL_ADDEVENT, 0, 0)
                }
                if mainIsFirst { pushOnMainThread() }
                begin()
                if !mainIsFirst { pushOnMainThread() }
                #expect(guest.waitEvent(&event, timeout: .seconds(20)))
                #expect(PushedEvents.shared.newestOnItsWay != 0)
                var comes = late
                SDL_PeepEvents(&comes, 1, SDL_ADDEVENT, 0, 0)
                #expect(guest.waitEvent(&event, timeout: .seconds(20)))
                #expect(PushedEvents.shared.newestOnItsWay == 0)
            }
        }

        /// Behaviour 71: what a wait has learned outlives the call.
        @Test func aLoopThatIsNeverIdleSleepsOnceForEachTimer() throws {
            try withGuest { guest in
                let rounds = 150
                var fired = 0
                let before = switches()
                for round in 1...rounds {
                    guest.loop.callLater(.milliseconds(3)) { fired += 1 }
                    #expect(guest.work { fired == round })
                }
                let sleeps = switches() - before
                #expect(sleeps < rounds * 5 / 2, "\(sleeps) sleeps for \(rounds) timers")
            }
        }
    }
}

/// Closes its guest inside an event watch, once the backend has begun to ask for a tick.
@MainActor private final class Closing {
    private let guest: SDLGuest
    private let isAsking: DispatchSemaphore
    private(set) var hasClosed = false

    init(_ guest: SDLGuest, _ isAsking: DispatchSemaphore) {
        self.guest = guest
        self.isAsking = isAsking
    }

    private func close() {
        // Nobody reads the byte, so that the backend finds it whenever it polls after the tick. A timer could come due in
        // the tick of a slow machine, and nothing would be left to ask for.
        guard let pipe = try? FileDescriptor.pipe(), (try? pipe.writeEnd.writeAll([1])) == 1,
            (try? guest.loop.whenReadable(pipe.readEnd) {}) != nil
        else { return }
        guest.tick()
        guard isAsking.wait(timeout: .now() + 20) == .success else { return }
        guest.close()
        hasClosed = true
    }

    // Safe: the test keeps the object until the watch is taken away, and pushes on the main thread.
    nonisolated static let listen: SDL_EventFilter = { closing, event in
        guard event!.pointee.type == SDL_APP_TERMINATING.rawValue else { return 0 }
        nonisolated(unsafe) let closing = closing!
        MainActor.assumeIsolated { Unmanaged<Closing>.fromOpaque(closing).takeUnretainedValue().close() }
        return 0
    }
}

/// Posts while it holds the lock of SDL's queue, and takes the hint out before anybody has seen it.
private final class Flushing: Sendable {
    private let loop: GuestLoop
    private let posted = Atomic<Bool>(false)
    private let ran = Atomic<Bool>(false)

    init(_ loop: GuestLoop) { self.loop = loop }

    var hasPosted: Bool { posted.load(ordering: .acquiring) }
    var hasRun: Bool { ran.load(ordering: .acquiring) }

    // Safe: the test keeps the object until it has run.
    static let flush: SDL_EventFilter = { flushing, _ in
        let flushing = Unmanaged<Flushing>.fromOpaque(flushing!).takeUnretainedValue()
        if !flushing.hasPosted {
            try? flushing.loop.post { flushing.ran.store(true, ordering: .releasing) }
            SDL_FlushEvents(SDL_FIRSTEVENT.rawValue, SDL_LASTEVENT.rawValue)
            flushing.posted.store(true, ordering: .releasing)
        }
        return 1
    }
}
