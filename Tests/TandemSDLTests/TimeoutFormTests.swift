// SPDX-License-Identifier: Apache-2.0
// TimeoutFormTests: limits of time as a game writes them: without a clock, on the main actor, with an implicit `self`.

import Foundation
import Testing

@testable import Tandem
@testable import TandemSDL

/// Main-actor state that closures of runs, scenes and limits speak of as they would in a `Task`.
@MainActor private final class Player {
    let guest: SDLGuest
    var log: [String] = []
    var isDone = false
    let main = pthread_self()

    init(_ guest: SDLGuest) { self.guest = guest }

    func note(_ line: String) { log.append(pthread_self() == main ? line : "\(line) on another thread") }

    // That these compile without a `self.` is the test.
    func playOnTheGuest() {
        guest.run {
            note("run")
            try await guest.withScene { scene in
                note("scene")
                scene.task { note("task") }
                scene.run {
                    note("run of the scene")
                } onDone: { _ in
                    note("done")
                }
                try await guest.nextFrame()
            }
            return try await guest.withTimeout(.seconds(20)) {
                note("limit")
                return log.count
            }
        } onDone: { result in
            note("end \((try? result.get()) ?? -1)")
            isDone = true
        }
    }

    func playOnTheLoop() async throws {
        try await guest.loop.withScene { scene in
            note("scene")
            scene.task { note("task") }
        }
        try await guest.loop.withTimeout(.seconds(20)) { note("limit") }
        try await withTimeout(.seconds(20), clock: guest.loop.clock) { note("limit with a clock") }
        try await guest.withDeadline(guest.loop.now.advanced(by: .seconds(20))) { note("deadline") }
        isDone = true
    }
}

extension SDL {
    @Suite @MainActor struct TimeoutFormTests {
        @Test func closuresOfRunsScenesAndLimitsNeedNoSelf() throws {
            try withGuest { guest in
                let player = Player(guest)
                player.playOnTheGuest()
                #expect(guest.work { player.isDone })
                #expect(player.log == ["run", "scene", "task", "run of the scene", "done", "limit", "end 6"])
                player.log = []
                player.isDone = false
                Task { try await player.playOnTheLoop() }
                #expect(guest.work { player.isDone })
                #expect(player.log == ["scene", "task", "limit", "limit with a clock", "deadline"])
            }
        }

        /// From a plain task on the main actor the body once ran on a thread of the pool, where a wait for a frame traps.
        @Test func theBodyOfALimitHasItsCallersIsolation() throws {
            try withGuest { guest in
                let loop = guest.loop
                var isDone = false
                var frames: [Int] = []
                let thread = pthread_self()
                Task { @MainActor in
                    for round in 0..<50 {
                        let frame = try await loop.withTimeout(.seconds(20)) {
                            MainActor.assertIsolated()
                            #expect(pthread_self() == thread)
                            return try await loop.nextFrame()
                        }
                        frames.append(frame.number)
                        let error = await #expect(throws: TimeoutError.self) {
                            try await withTimeout(.microseconds(round * 20), clock: loop.clock) {
                                #expect(pthread_self() == thread)
                                try await loop.sleep(for: .seconds(1000))
                            }
                        }
                        #expect(error?.site.fileID == "TandemSDLTests/TimeoutFormTests.swift")
                    }
                    isDone = true
                }
                #expect(guest.work { isDone })
                #expect(frames.count == 50)
                // Neither the body nor the limit's own sleep took the way through another thread.
                #expect(loop.statistics.waitsHandedOver == 0)
                #expect(loop.statistics.timers == 0)
            }
        }

        @Test func aLimitOutsideOfAnyActorRunsWhereItsTaskDoes() throws {
            try withGuest { guest in
                let loop = guest.loop
                let thread = pthread_self()
                var outcome: Result<Bool, any Error>?
                loop.run({ @Sendable in
                    try await loop.withTimeout(.seconds(20)) { pthread_self() == thread }
                }) { outcome = $0 }
                #expect(guest.work { outcome != nil })
                let wasHere = try outcome?.get()
                #expect(wasHere == true)
                // And in a task of the pool's, which is no business of the loop's.
                let seen = Box<Int?>(nil)
                Task.detached {
                    let value = try? await withTimeout(.seconds(20), clock: ContinuousClock()) { 7 }
                    await MainActor.run { seen.value = value ?? -1 }
                }
                #expect(guest.work { seen.value != nil })
                #expect(seen.value == 7)
            }
        }

        @Test func limitsOfEveryLengthAreTaken() throws {
            try withGuest { guest in
                var isDone = false
                guest.run {
                    for limit in [Duration(attoseconds: .max), .seconds(Int64.max)] {
                        let values = (
                            try await guest.withTimeout(limit) { 3 }, try await guest.loop.withTimeout(limit) { 4 }
                        )
                        #expect(values == (3, 4))
                    }
                    await #expect(throws: TimeoutError.self) {
                        try await guest.withTimeout(Duration(attoseconds: .min)) {
                            try await guest.loop.sleep(for: .seconds(1000))
                        }
                    }
                    isDone = true
                }
                #expect(guest.work { isDone })
            }
        }
    }
}
