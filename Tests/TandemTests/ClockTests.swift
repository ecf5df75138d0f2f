// SPDX-License-Identifier: Apache-2.0
// ClockTests: beats and deadlines, in virtual time. Behaviour 28, 43.

import TandemTesting
import Testing

@testable import Tandem

extension Core {
    @Suite struct ClockTests {
        /// Ticks, and jumps to the nearest deadline, until nothing is left or `condition` holds.
        private func pass(_ host: ManualHost, _ clock: VirtualClock, until condition: () -> Bool) {
            for _ in 0..<10_000 where !condition() {
                host.tick()
                if condition() { return }
                if !host.loop.hasWork, let deadline = host.loop.nextDeadline { clock.advance(to: deadline) }
            }
        }

        @Test func aTolerantDeadlineIsNeverEarlyAndNeverLaterThanAllowed() {
            var generator = SystemRandomNumberGenerator()
            for _ in 0..<10_000 {
                let deadline = Int64.random(in: 1...(1 << 50), using: &generator)
                let tolerance = Int64.random(in: 0...(1 << 30), using: &generator)
                let chosen = deadline.coalesced(within: .nanoseconds(tolerance))
                #expect(chosen >= deadline && chosen - deadline <= tolerance)
            }
            #expect(Nanoseconds.never.coalesced(within: .seconds(1)) == .never)
            #expect((Int64.max - 1).coalesced(within: .seconds(1)) == Int64.max - 1)
            #expect(Int64(1000).coalesced(within: nil) == 1000)
        }

        @Test func sleepersWithToleranceWakeTogether() throws {
            let (configuration, clock) = virtualConfiguration()
            try withLoop(configuration: configuration) { host, loop in
                let wakes = Box<Set<ContinuousClock.Instant>>([])
                let ends = Box(0)
                for number in 0..<20 {
                    loop.run({
                        let start = loop.now
                        let wanted = Duration.milliseconds(200 + 3 * number)
                        try await loop.clock.sleep(for: wanted, tolerance: .milliseconds(100))
                        let slept = start.duration(to: loop.now)
                        #expect(slept >= wanted && slept <= wanted + .milliseconds(100))
                        wakes.value.insert(loop.now)
                        ends.value += 1
                    })
                }
                pass(host, clock) { ends.value == 20 }
                #expect(ends.value == 20)
                #expect(wakes.value.count <= 2, "\(wakes.value.count) wake-ups for 20 sleepers")
            }
        }

        @Test func severalGameClocksGoTheirOwnWays() throws {
            let (configuration, clock) = virtualConfiguration()
            try withLoop(configuration: configuration) { host, loop in
                let journal = Journal([])
                let start = loop.now
                @Sendable func note(_ line: String) { journal.note("\(line) at \(start.duration(to: loop.now))") }
                let slow = GameClock(loop)
                slow.rate = 0.5
                let fast = GameClock(loop)
                fast.rate = 4
                let paused = GameClock(loop)
                paused.isPaused = true
                for (name, game) in [("slow", slow), ("fast", fast), ("paused", paused)] {
                    loop.run({
                        try await game.sleep(for: .seconds(2))
                        note(name)
                    })
                }
                loop.callLater(.seconds(10)) { paused.isPaused = false }
                pass(host, clock) { journal.value.count == 3 }
                #expect(journal.value == ["fast at 0.5 seconds", "slow at 4.0 seconds", "paused at 12.0 seconds"])
            }
        }

        @Test func beatsKeepTheirPhaseAndCountWhatWasMissed() throws {
            let (configuration, clock) = virtualConfiguration()
            try withLoop(configuration: configuration) { host, loop in
                let game = GameClock(loop)
                let journal = Journal([])
                loop.run({
                    for try await beat in game.timer(every: .seconds(1)) {
                        journal.note("\(beat.number) at \(beat.time.elapsed), missed \(beat.missed)")
                        // Busy for two and a half periods, once.
                        if beat.number == 2 { try await game.sleep(for: .milliseconds(2500)) }
                        if beat.number == 6 { break }
                    }
                    journal.note("end")
                })
                pass(host, clock) { journal.value.last == "end" }
                #expect(
                    journal.value == [
                        "1 at 1.0 seconds, missed 0", "2 at 2.0 seconds, missed 0", "4 at 4.0 seconds, missed 1",
                        "5 at 5.0 seconds, missed 0", "6 at 6.0 seconds, missed 0", "end",
                    ])
            }
        }

        /// Behaviour 43: the clock wins.
        @Test func aTimeoutCancelsAndAwaitsTheOperationAndSaysWhere() throws {
            let (configuration, clock) = virtualConfiguration()
            try withLoop(configuration: configuration) { host, loop in
                let journal = Journal([])
                var outcome: Result<Void, any Error>?
                loop.run({
                    try await withTimeout(.seconds(3), clock: loop.clock) {
                        do { try await loop.sleep(for: .seconds(100)) } catch {
                            journal.note("cancelled: \(error is CancellationError)")
                        }
                        journal.note("ended")
                        throw CancellationError()
                    }
                }) { outcome = $0 }
                pass(host, clock) { outcome != nil }
                #expect(journal.value == ["cancelled: true", "ended"])
                let error = #expect(throws: TimeoutError.self) { try outcome?.get() }
                #expect(error?.limit == .seconds(3))
                #expect(error?.site.fileID == "TandemTests/ClockTests.swift")
                #expect(clock.elapsed == .seconds(3))
                #expect(loop.statistics.timers == 0)
            }
        }

        /// Behaviour 43: the operation wins.
        @Test func anOperationThatIsInTimeReturnsItsValueAndLeavesNoTimer() throws {
            let (configuration, clock) = virtualConfiguration()
            try withLoop(configuration: configuration) { host, loop in
                var outcome: Result<Int, any Error>?
                loop.run({
                    try await withDeadline(loop.now.advanced(by: .seconds(5)), clock: loop.clock) {
                        try await loop.sleep(for: .seconds(2))
                        return 7
                    }
                }) { outcome = $0 }
                pass(host, clock) { outcome != nil }
                let value = try outcome?.get()
                #expect(value == 7)
                #expect(clock.elapsed == .seconds(2))
                #expect(loop.statistics.timers == 0)
                #expect(loop.statistics.waitsHandedOver == 0)
            }
        }

        @Test func anOperationThatThrowsIsNoTimeout() throws {
            let (configuration, clock) = virtualConfiguration()
            try withLoop(configuration: configuration) { host, loop in
                var outcome: Result<Int, any Error>?
                loop.run({ try await withTimeout(.seconds(5), clock: loop.clock) { throw TestError(3) } }) {
                    outcome = $0
                }
                pass(host, clock) { outcome != nil }
                #expect(throws: TestError(3)) { try outcome?.get() }
            }
        }
    }
}
