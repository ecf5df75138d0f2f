// SPDX-License-Identifier: Apache-2.0
// IdleWaitTests: sleeping costs nothing and loses nothing.

import Foundation
import Testing

@testable import Tandem
@testable import TandemSDL

@MainActor private final class Counter { var value = 0 }

extension SDL {
    @Suite @MainActor struct IdleWaitTests {
        /// Behaviour 54, 15: asleep for a second and a half on the dummy driver, where SDL's own wait would wake 1,400 times.
        /// What else this thread has to wait for beside other tests, a lock for example, counts as well: then it is tried again.
        @Test func theIdleWaitSleepsUntilTheTimer() throws {
            var woken = Int.max
            for _ in 0..<5 where woken >= 20 {
                try withGuest { guest in
                    var fired = false
                    guest.loop.callLater(.milliseconds(1500)) { fired = true }
                    guest.tick()
                    let before = switches()
                    var event = SDL_Event()
                    #expect(!guest.waitEvent(&event))
                    while !guest.loop.hasWork { _ = guest.waitEvent(&event) }
                    guest.tick()
                    #expect(fired)
                    woken = switches() - before
                }
            }
            #expect(woken < 20, "the main thread went to sleep \(woken) times")
        }

        /// Behaviour 54.
        @Test func anEventPushedByForeignCodeEndsTheWait() throws {
            try withGuest { guest in
                for _ in 0..<200 {
                    let user = SDL_RegisteredUser.type
                    Thread.detachNewThread {
                        var event = SDL_Event()
                        event.type = user
                        SDL_PushEvent(&event)
                    }
                    var event = SDL_Event()
                    while !guest.waitEvent(&event, timeout: .seconds(20)) {
                        guest.tick()
                    }
                    #expect(event.type == user)
                }
            }
        }

        /// A thread that was answered at once looks for the next answer, and must hear of SDL's events, too.
        @Test func anEventPushedWhileTheHostWaitsAwakeEndsTheWait() throws {
            try withGuest { guest in
                let user = SDL_RegisteredUser.type
                let loop = guest.loop
                for round in 0..<300 {
                    Thread.detachNewThread {
                        for _ in 0..<4 { try? loop.post {} }
                        usleep(UInt32(round % 120))
                        var event = SDL_Event()
                        event.type = user
                        SDL_PushEvent(&event)
                    }
                    var event = SDL_Event()
                    let end = ContinuousClock.now + .seconds(20)
                    while !guest.waitEvent(&event, timeout: .seconds(20)), ContinuousClock.now < end { guest.tick() }
                    #expect(event.type == user)
                    guard event.type == user else { return }
                    while loop.hasWork { guest.tick() }
                }
            }
        }

        private func expectAnEventPushedLaterEndsTheWait(of guest: SDLGuest) {
            let user = SDL_RegisteredUser.type
            Thread.detachNewThread {
                // Longer than a wait looks out for what it cannot have heard.
                usleep(1_200_000)
                var event = SDL_Event()
                event.type = user
                SDL_PushEvent(&event)
            }
            expectAnEventEndsTheWait(of: guest)
        }

        private func expectAnEventEndsTheWait(of guest: SDLGuest) {
            let user = SDL_RegisteredUser.type
            var event = SDL_Event()
            let start = ContinuousClock.now
            while event.type != user, ContinuousClock.now < start + .seconds(20) {
                if !guest.waitEvent(&event, timeout: .seconds(20)) { guest.tick() }
            }
            #expect(event.type == user)
            // Slept over, it would have been found at the end of the time only.
            #expect(ContinuousClock.now < start + .seconds(15))
        }

        /// Behaviour 50: SDL forgets its watches when it ends.
        @Test func anEventPushedAfterSDLWasEndedAndBegunAgainEndsTheWait() throws {
            try withGuest { guest in
                var event = SDL_Event()
                #expect(!guest.waitEvent(&event, timeout: .milliseconds(1)))
                SDL_Quit()
                #expect(SDL_InitSubSystem(UInt32(SDL_INIT_VIDEO)) == 0)
                while guest.waitEvent(&event, timeout: .milliseconds(1)) {}
                expectAnEventPushedLaterEndsTheWait(of: guest)
            }
        }

        /// Watches are told before an event is in the queue: a thread that is kept from going on in between is waited for, also in a wait that has
        /// looked out for another event in vain.
        @Test func anEventThatIsLongOnItsWayEndsAWaitThatHadGivenUpOnAnother() throws {
            try withGuest { guest in
                var event = SDL_Event()
                // From here on the guest's watch stands, and is told first.
                for _ in 0..<3 { while guest.waitEvent(&event, timeout: .milliseconds(20)) {} }
                // Registered here: SDL's registration takes no lock, and the watch is called on another thread.
                _ = SDL_RegisteredUser.type
                let delay: SDL_EventFilter = { _, event in
                    if event!.pointee.type == SDL_RegisteredUser.type { usleep(200_000) }
                    return 0
                }
                SDL_AddEventWatch(delay, nil)
                defer { SDL_DelEventWatch(delay, nil) }
                expectAnEventPushedLaterEndsTheWait(of: guest)
            }
        }

        /// Of two threads that push, the one that was heard first may be the one that is held up: its event is waited for, though the other one's,
        /// of the same kind and the same millisecond, has come.
        @Test(arguments: [1, 2, 40]) func anEventThatAnotherThreadsOvertookEndsTheWait(overtaking: Int) throws {
            try withGuest { guest in
                var event = SDL_Event()
                for _ in 0..<3 { while guest.waitEvent(&event, timeout: .milliseconds(20)) {} }
                var pushed = SDL_Event()
                pushed.type = SDL_RegisteredUser.type
                // Both halves of a push, one by one: the watches are told, and then the event is queued.
                let (pushedEvents, late) = (PushedEvents.shared, pushed)
                let isHeard = DispatchSemaphore(value: 0)
                Thread.detachNewThread {
                    pushedEvents.hear(late)
                    isHeard.signal()
                }
                isHeard.wait()
                #expect(pushedEvents.newestOnItsWay != 0)
                for _ in 0..<overtaking {
                    Thread.detachNewThread {
                        var other = late
                        pushedEvents.hear(other)
                        SDL_PeepEvents(&other, 1, SDL_ADDEVENT, 0, 0)
                    }
                    #expect(guest.waitEvent(&event, timeout: .seconds(20)))
                }
                Thread.detachNewThread {
                    usleep(100_000)
                    var late = late
                    SDL_PeepEvents(&late, 1, SDL_ADDEVENT, 0, 0)
                }
                expectAnEventEndsTheWait(of: guest)
            }
        }

        /// The wait of ours has kept the turn; SDL's own, afterwards, is ended by the event all the same.
        @Test func whoWaitsThroughSDLAfterAWaitOfOursIsAskedForATick() throws {
            try withGuest { guest in
                let pipe = Pipe()
                let count = Counter()
                let descriptor = pipe.fileHandleForReading.fileDescriptor
                _ = try guest.loop.whenReadable(.init(rawValue: descriptor)) {
                    var byte: UInt8 = 0
                    count.value += read(descriptor, &byte, 1)
                }
                var event = SDL_Event()
                for round in 1...20 {
                    pipe.fileHandleForWriting.write(Data([1]))
                    while count.value < 2 * round - 1 {
                        _ = guest.waitEvent(&event, timeout: .seconds(20))
                        guest.tick()
                    }
                    #expect(guest.loop.shared.turn.isWithUIThread)
                    pipe.fileHandleForWriting.write(Data([1]))
                    while count.value < 2 * round {
                        #expect(SDL_WaitEventTimeout(&event, 20_000) != 0)
                        #expect(guest.handle(event))
                        guest.tick()
                    }
                }
            }
        }

        /// Behaviour 54.
        @Test func anSDLTimerEndsTheWait() throws {
            try withGuest { guest in
                let timer = SDL_AddTimer(
                    5,
                    { @Sendable _, _ in
                        var event = SDL_Event()
                        event.type = SDL_USEREVENT.rawValue
                        SDL_PushEvent(&event)
                        return 0
                    }, nil)
                #expect(timer != 0)
                var event = SDL_Event()
                #expect(guest.waitEvent(&event, timeout: .seconds(20)))
                #expect(event.type == SDL_USEREVENT.rawValue)
            }
        }

        /// Behaviour 54: a joystick announces nothing, so that SDL is pumped at its pace.
        @Test func anOpenJoystickIsPumpedWhileTheHostSleeps() throws {
            try withGuest { guest in
                #expect(SDL_InitSubSystem(UInt32(SDL_INIT_JOYSTICK)) == 0)
                defer { SDL_QuitSubSystem(UInt32(SDL_INIT_JOYSTICK)) }
                let index = SDL_JoystickAttachVirtual(SDL_JOYSTICK_TYPE_GAMECONTROLLER, 2, 4, 0)
                try #require(index >= 0)
                let joystick = try #require(SDL_JoystickOpen(index))
                defer { SDL_JoystickClose(joystick) }
                SDL_FlushEvents(0, SDL_LASTEVENT.rawValue)
                // A button that is set in the device's state: only a pump turns it into an event.
                SDL_JoystickSetVirtualButton(joystick, 1, 1)
                var event = SDL_Event()
                #expect(guest.waitEvent(&event, timeout: .seconds(20)))
                #expect(event.type == SDL_JOYBUTTONDOWN.rawValue)
            }
        }

        /// Behaviour 9.
        @Test func aPostFromAnotherThreadEndsTheWait() throws {
            try withGuest { guest in
                let count = Box(0)
                for round in 1...300 {
                    Thread.detachNewThread { try? guest.loop.post { count.value += 1 } }
                    #expect(guest.work { count.value == round })
                }
            }
        }

        /// The path where no connection of the driver's can be had, and of wayland.
        @Test func aWaitThatIsLeftToSDLIsEndedByPostsTimersAndEvents() throws {
            try withGuest { guest in
                guest.forcesSDLWait = true
                let count = Box(0)
                for round in 1...60 {
                    switch round % 3 {
                    case 0: Thread.detachNewThread { try? guest.loop.post { count.value += 1 } }
                    case 1: guest.loop.callLater(.microseconds(700)) { count.value += 1 }
                    default:
                        let user = SDL_RegisteredUser.type
                        Thread.detachNewThread {
                            var event = SDL_Event()
                            event.type = user
                            SDL_PushEvent(&event)
                        }
                    }
                    #expect(guest.work(event: { _ in count.value += 1 }) { count.value == round })
                }
            }
        }

        /// Behaviour 16.
        @Test func aHintWithNothingToDoIsNoError() throws {
            try withGuest { guest in
                var event = SDL_Event()
                event.type = guest.eventType
                SDL_PushEvent(&event)
                #expect(!guest.waitEvent(&event, timeout: .milliseconds(1)))
                #expect(guest.tick().isEmpty)
            }
        }

        @Test func aTimeoutEndsTheWaitNeverEarly() throws {
            try withGuest { guest in
                var event = SDL_Event()
                let before = ContinuousClock.now
                #expect(!guest.waitEvent(&event, timeout: .milliseconds(30)))
                #expect(before.duration(to: .now) >= .milliseconds(30))
            }
        }
    }
}

enum SDL_RegisteredUser {
    static let type = SDL_RegisterEvents(1)
}
