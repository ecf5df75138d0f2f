// SPDX-License-Identifier: Apache-2.0
// MainActorTests: main-actor code lives on the loop, and an await of ours does not leave it.

import CSDL2
import Foundation
import Testing

@testable import Tandem
@testable import TandemSDL

extension SDL {
    @Suite @MainActor struct MainActorTests {
        @Test func aSleepOnTheMainActorStaysOnTheUIThread() throws {
            try withGuest { guest in
                let thread = pthread_self()
                let loop = guest.loop
                let clock = GameClock(loop)
                var isDone = false
                Task { @MainActor in
                    for _ in 0..<100 {
                        try await loop.sleep(for: .microseconds(10))
                        #expect(pthread_self() == thread)
                        try await clock.sleep(for: .microseconds(10))
                        #expect(pthread_self() == thread)
                        try await loop.clock.sleep(for: .microseconds(10))
                    }
                    isDone = true
                }
                #expect(guest.work { isDone })
                #expect(loop.statistics.waitsHandedOver == 0)
            }
        }

        /// Invariant 13: from the timer to the task and back there is no other thread. Time that only moves when nothing is ready
        /// shows it: a detour through the global pool would come back late.
        @Test func aRunOnTheMainActorTakesNoDetour() throws {
            try withGuest { guest in
                let loop = guest.loop
                var isDone = false
                guest.run {
                    for _ in 0..<100 { try await loop.sleep(for: .microseconds(10)) }
                } onDone: { _ in
                    isDone = true
                }
                #expect(guest.work { isDone })
                // The timer resumes the task on the loop, which hands it to the main actor.
                let jobs = loop.statistics.jobs
                #expect(jobs <= 204, "\(jobs) jobs")
                // Nothing came through the inbox.
                #expect(loop.statistics.inboxEntries == 0)
                #expect(loop.statistics.waitsHandedOver == 0)
            }
        }

        /// Conformance 39, without adoption of the main queue, which the test runner's workers have.
        @Test func mainActorCodeRunsInTicks() throws {
            try withGuest { guest in
                #expect(guest.loop.mainActorPath == .executor)
                let thread = pthread_self()
                let box = Box<[String]>([])
                Task { @MainActor in
                    try await Task.sleep(for: .milliseconds(1))
                    box.value.append("Task.sleep \(pthread_self() == thread)")
                    async let child = { @MainActor in pthread_self() == thread }()
                    box.value.append("child \(await child)")
                    await Task.detached {
                        await MainActor.run {
                            MainActor.assumeIsolated { box.value.append("MainActor.run \(pthread_self() == thread)") }
                        }
                    }.value
                    try await Task.sleep(for: .milliseconds(1), clock: guest.loop.clock)
                    box.value.append("generic sleep \(pthread_self() == thread)")
                    box.value.append("end")
                }
                #expect(guest.work { box.value.last == "end" })
                #expect(
                    box.value == ["Task.sleep true", "child true", "MainActor.run true", "generic sleep true", "end"])
            }
        }
    }
}
