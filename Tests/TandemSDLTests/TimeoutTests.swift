// SPDX-License-Identifier: Apache-2.0
// TimeoutTests: a wait for events ends when its time is over, whatever wakes it in between for nothing.

import Foundation
import Synchronization
import Testing

@testable import Tandem
@testable import TandemSDL

private let isOver = Atomic<Bool>(false)

extension SDL {
    @Suite @MainActor struct TimeoutTests {
        /// Runs `disturb` on another thread again and again while the guest waits for 16 ms, and expects the wait to end.
        private func expectTheTimeIsKept(
            _ guest: SDLGuest, despite disturb: @escaping @Sendable () -> Void
        ) {
            isOver.store(false, ordering: .relaxed)
            let start = ContinuousClock.now
            let hasEnded = DispatchSemaphore(value: 0)
            Thread.detachNewThread {
                // Ends by itself, so that a wait that cannot end is not waited for for ever.
                for _ in 0..<600 where !isOver.load(ordering: .acquiring) {
                    disturb()
                    usleep(5000)
                }
                hasEnded.signal()
            }
            var event = SDL_Event()
            #expect(!guest.waitEvent(&event, timeout: .milliseconds(16)))
            let took = start.duration(to: .now)
            isOver.store(true, ordering: .releasing)
            hasEnded.wait()
            #expect(took >= .milliseconds(16) && took < .seconds(2), "it took \(took)")
        }

        @Test(arguments: [false, true]) func signalsDoNotKeepAWaitFromItsEnd(throughSDL: Bool) throws {
            signal(SIGUSR1) { _ in }
            defer { signal(SIGUSR1, SIG_DFL) }
            try withGuest { guest in
                guest.forcesSDLWait = throughSDL
                let main = pthread_self()
                expectTheTimeIsKept(guest) { pthread_kill(main, SIGUSR1) }
            }
        }

        @Test(arguments: [false, true]) func eventsThatAreConsumedDoNotKeepAWaitFromItsEnd(throughSDL: Bool) throws {
            let user = SDL_RegisteredUser.type
            try withGuest { guest in
                guest.forcesSDLWait = throughSDL
                let events = guest.events(consuming: true) { $0.type == user }
                expectTheTimeIsKept(guest) {
                    var event = SDL_Event()
                    event.type = user
                    SDL_PushEvent(&event)
                }
                withExtendedLifetime(events) {}
            }
        }
    }

    @Suite struct QueueLooksTests {
        /// How long it sleeps until it looks, look after look.
        private func pauses(_ looks: inout QueueLooks, newest: UInt64, count: Int) -> [Duration] {
            (0..<count).map { _ in
                let pause = looks.pause(newest: newest)
                _ = looks.looked(found: false, newest: newest)
                return .nanoseconds(pause)
            }
        }

        @Test func nothingIsLookedForMoreThanTwiceASecond() {
            var looks = QueueLooks()
            #expect(
                pauses(&looks, newest: 0, count: 3) == [.milliseconds(500), .milliseconds(500), .milliseconds(500)])
        }

        @Test func anEventOnItsWayIsLookedForAtGrowingPausesWhichOnlyANewerOneStartsAgain() {
            var looks = QueueLooks()
            #expect(pauses(&looks, newest: 7, count: 3) == [.microseconds(20), .microseconds(80), .microseconds(320)])
            // The newer one has come, and an older one has not.
            #expect(pauses(&looks, newest: 6, count: 1) == [.microseconds(1280)])
            #expect(looks.pause(newest: 8) == 20_000)
        }

        @Test func anEventThatDoesNotComeIsGivenUp() {
            var looks = QueueLooks()
            var count = 0
            repeat {
                _ = looks.pause(newest: 1)
                count += 1
            } while !looks.looked(found: false, newest: 1) && count < 100
            #expect(count == 7)
        }

        @Test func anUnannouncedEventIsFollowedByFrequentLooks() {
            var looks = QueueLooks()
            _ = looks.looked(found: true, newest: 0)
            #expect(pauses(&looks, newest: 0, count: 3) == [.milliseconds(2), .milliseconds(4), .milliseconds(8)])
            _ = looks.looked(found: true, newest: 0)
            #expect(pauses(&looks, newest: 0, count: 9).last == .milliseconds(500))
        }
    }
}
