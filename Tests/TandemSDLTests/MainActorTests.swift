// SPDX-License-Identifier: Apache-2.0
// MainActorTests: main-actor code lives on the loop, and an await of ours does not leave it.

import Foundation
import TandemTesting
import Testing

@testable import Tandem
@testable import TandemSDL

extension SDL {
    @Suite @MainActor struct MainActorTests {
        @Test func aProxyBringsMainActorCodeOfAnotherThreadIntoATick() throws {
            @MainActor final class Model {
                var levels: [Int] = []
                func show(_ level: Int) { levels.append(level) }
            }
            try withGuest { guest in
                let (model, proxy) = (Model(), guest.loop.proxy)
                Thread.detachNewThread {
                    for level in 0..<100 { try? proxy.postToMainActor { model.show(level) } }
                }
                #expect(guest.work { model.levels.count == 100 })
                #expect(model.levels == Array(0..<100))
            }
        }

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
                // One job for each wait, and none of them by way of another thread.
                #expect(loop.statistics.inboxEntries == 0)
                #expect(loop.statistics.jobs <= 302, "\(loop.statistics.jobs) jobs")
            }
        }

        /// Behaviour 62.
        @Test func tasksOfTheMainActorThatYieldInTurnRunInTurnAndStayOnTheThread() throws {
            try withGuest { guest in
                let thread = pthread_self()
                var order: [Int] = []
                var ended = 0
                for number in 0..<3 {
                    Task { @MainActor in
                        for _ in 0..<500 {
                            order.append(number)
                            await Task.yield()
                            #expect(pthread_self() == thread)
                        }
                        ended += 1
                    }
                }
                #expect(guest.work { ended == 3 })
                #expect(order == (0..<1500).map { $0 % 3 })
                #expect(guest.loop.statistics.inboxEntries == 0)
            }
        }

        /// An actor that lives on the loop, in a task that prefers nothing.
        @Test func aSleepInAnActorOnTheLoopStaysOnTheUIThread() throws {
            actor OnLoop {
                let loop: GuestLoop
                nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
                init(_ loop: GuestLoop) { self.loop = loop }
                func naps(_ count: Int) async throws -> Bool {
                    let thread = pthread_self()
                    for _ in 0..<count { try await loop.sleep(for: .microseconds(10)) }
                    return thread == pthread_self()
                }
            }
            try withGuest { guest in
                let actor = OnLoop(guest.loop)
                var stayed: Bool?
                var before = 0
                var after = 0
                Task { @MainActor in
                    before = guest.loop.statistics.inboxEntries
                    stayed = try await actor.naps(50)
                    after = guest.loop.statistics.inboxEntries
                }
                #expect(guest.work { stayed != nil })
                #expect(stayed == true)
                #expect(after == before)
            }
        }

        /// A task that nobody cancelled waits for an event, and the guest closes.
        @Test func aWaitForAnEventThatTheGuestsEndEndsThrowsClosed() throws {
            var end = ""
            try withGuest { guest in
                Task { @MainActor in
                    do { _ = try await guest.nextKey() } catch {
                        end = "\((error as? GuestError)?.code.description ?? "\(error)")"
                    }
                }
                guest.tick()
                guest.close()
            }
            #expect(end == "closed")
        }

        @Test func adoptingTwiceAndASecondGuestAreClearErrors() throws {
            try withGuest { guest in
                let twice = #expect(throws: GuestError.self) { try guest.loop.adoptMainActor() }
                #expect(twice?.code == .adoptionFailed)
                #expect(twice?.context.contains("already") == true)
                let second = #expect(throws: GuestError.self) { try SDLGuest() }
                #expect(second?.code == .loopAlreadyOnThread)
                // The first is unharmed.
                var isDone = false
                Task { @MainActor in
                    try await guest.nextFrame()
                    isDone = true
                }
                #expect(guest.work { isDone })
            }
        }

        /// A simulation's promise: whatever its code starts stays on its thread, in an order of its own.
        @Test func aLoopThatTakesGlobalJobsKeepsChildTasksAndTaskSleepOnItsTimeline() throws {
            let clock = VirtualClock()
            var configuration = Configuration.unhurried
            configuration.timeSource = clock
            try withGuest(configuration: configuration) { guest in
                let simulation = Simulation(driving: guest.loop, clock: clock)
                defer { simulation.close() }
                let thread = pthread_self()
                let journal = Box<[String]>([])
                @Sendable func note(_ line: String) {
                    #expect(pthread_self() == thread)
                    journal.value.append(line)
                }
                guest.run {
                    await withTaskGroup(of: Void.self) { group in
                        for number in [3, 1, 2] {
                            group.addTask {
                                try? await Task.sleep(for: .seconds(number))
                                note("child \(number)")
                            }
                        }
                    }
                    await Task.detached { note("detached") }.value
                    try? await Task.sleep(for: .seconds(100), clock: .continuous)
                    note("end")
                } onDone: { _ in
                    note("done")
                }
                #expect(guest.work { journal.value.last == "done" })
                #expect(journal.value == ["child 1", "child 2", "child 3", "detached", "end", "done"])
                #expect(clock.elapsed == .seconds(103))
                #expect(guest.loop.statistics.inboxEntries == 0)
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
                let jobs = loop.statistics.jobs
                #expect(jobs <= 104, "\(jobs) jobs")
                // Nothing came through the inbox.
                #expect(loop.statistics.inboxEntries == 0)
                #expect(loop.statistics.waitsHandedOver == 0)
            }
        }

        /// Behaviour 39, without adoption of the main queue, which the test runner's workers have.
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
