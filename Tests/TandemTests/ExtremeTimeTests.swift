// SPDX-License-Identifier: Apache-2.0
// ExtremeTimeTests: every duration and instant that the public interface takes, at and beyond the ends of what 64 bits of nanoseconds and 128 bits of
// attoseconds hold. Behaviour 25, 27. A trap ends the whole test run, which is what these tests are against.

import Foundation
import TandemTesting
import Testing

@testable import Tandem

/// Each with a name that a failing case shows.
let extremeDurations: [Duration] = [
    .zero, Duration(attoseconds: 1), Duration(attoseconds: -1), .nanoseconds(-1),
    // 200, 300, 634 and 10,000 years; 64 bits of nanoseconds end after 292.
    .seconds(6_307_200_000), .seconds(-6_307_200_000), .seconds(9_467_280_000), .seconds(-9_467_280_000),
    .seconds(20_000_000_000), .seconds(-20_000_000_000), .seconds(315_576_000_000), .seconds(-315_576_000_000),
    .nanoseconds(Int64.max), .nanoseconds(Int64.min), .seconds(Int64.max), .seconds(Int64.min),
    Duration(attoseconds: .max), Duration(attoseconds: .min),
]

/// What time is as far away. The standard library traps on an instant beyond its own range, so that nobody can have one.
func extremeInstant(_ duration: Duration, from now: ContinuousClock.Instant) -> ContinuousClock.Instant {
    let isRepresentable = duration < .seconds(Int64.max)
    return now.advanced(by: isRepresentable ? duration : .seconds(Int64.max))
}

extension Core {
    @Suite struct ExtremeTimeTests {
        /// Whether something that is due at `duration` from now happens soon: what lies ahead by years does not.
        private func isSoon(_ duration: Duration) -> Bool { duration < .seconds(1) }

        private typealias Arm = @Sendable (GuestLoop, Duration, @escaping () -> Void) -> Void
        private static let timers: [(name: String, arm: Arm)] = [
            ("callLater", { loop, duration, body in loop.callLater(duration, body) }),
            ("callAt", { loop, duration, body in loop.callAt(extremeInstant(duration, from: loop.now), body) }),
        ]

        /// The first timer of a loop is one of these, too: nothing has been looked at before.
        @Test(arguments: extremeDurations) func timersFireSoonOrNever(_ duration: Duration) throws {
            for timer in Self.timers {
                try withLoop { host, loop in
                    var hasFired = false
                    timer.arm(loop, duration) { hasFired = true }
                    _ = loop.nextDeadline
                    _ = loop.hasWork
                    if isSoon(duration) {
                        #expect(host.run { hasFired }, "\(timer.name)")
                    } else {
                        host.tick()
                        #expect(!hasFired, "\(timer.name)")
                        #expect(!loop.hasWork, "\(timer.name)")
                    }
                }
                // And in a host that sleeps, with another timer to wake for.
                let host = try HeadlessHost()
                defer { host.close() }
                var (hasFired, isOver) = (false, false)
                timer.arm(host.loop, duration) { hasFired = true }
                host.loop.callLater(.milliseconds(5)) { isOver = true }
                #expect(host.run(within: .seconds(20)) { isOver })
                #expect(hasFired == isSoon(duration), "\(timer.name)")
            }
        }

        private typealias Sleep = @Sendable (GuestLoop, Duration) async throws -> Void
        private static let sleeps: [(name: String, sleep: Sleep)] = [
            ("sleep(for:)", { try await $0.sleep(for: $1) }),
            ("sleep(until:)", { try await $0.sleep(until: extremeInstant($1, from: $0.now)) }),
            ("GuestClock.sleep(for:)", { try await $0.clock.sleep(for: $1) }),
            ("GuestClock.sleep(until:)", { try await $0.clock.sleep(until: extremeInstant($1, from: $0.now)) }),
            ("GuestClock.sleep(for:tolerance:)", { try await $0.clock.sleep(for: $1, tolerance: $1) }),
            ("GameClock.sleep(for:)", { try await GameClock($0).sleep(for: $1) }),
            ("GameClock.sleep(until:)", { try await GameClock($0).sleep(until: .init(elapsed: $1)) }),
            ("GameClock.sleep(for:tolerance:)", { try await GameClock($0).sleep(for: $1, tolerance: $1) }),
            (
                "withTimeout",
                { loop, duration in
                    try? await withTimeout(duration, clock: loop.clock) { try await loop.sleep(for: .seconds(1000)) }
                }
            ),
            (
                "withTimeout, ContinuousClock",
                { loop, duration in
                    try? await withTimeout(duration, clock: ContinuousClock()) {
                        try await loop.sleep(for: .seconds(1000))
                    }
                }
            ),
            (
                "withDeadline",
                { loop, duration in
                    try? await withDeadline(extremeInstant(duration, from: loop.now), clock: loop.clock) {
                        try await loop.sleep(for: .seconds(1000))
                    }
                }
            ),
        ]

        @Test(arguments: extremeDurations) func sleepsAndLimitsEndSoonOrNever(_ duration: Duration) throws {
            for (name, sleep) in Self.sleeps {
                try withLoop { host, loop in
                    var hasEnded = false
                    let run = loop.run({ try await sleep(loop, duration) }) { _ in hasEnded = true }
                    if isSoon(duration) {
                        #expect(host.run { hasEnded }, "\(name)")
                    } else {
                        _ = host.run(within: .milliseconds(5)) { hasEnded }
                        #expect(!hasEnded, "\(name)")
                        run.cancel()
                        #expect(host.run { hasEnded }, "\(name)")
                    }
                }
            }
        }

        @Test(arguments: extremeDurations.filter { $0 > .zero })
        func aTimersFirstBeatComesAfterItsPeriod(_ period: Duration) throws {
            try withLoop { host, loop in
                for name in ["guest", "game"] {
                    var beats: [Int] = []
                    let run = loop.run({ () -> [Int] in
                        var numbers: [Int] = []
                        if name == "guest" {
                            for try await beat in loop.clock.timer(every: period).prefix(3) {
                                numbers.append(beat.number)
                                #expect(beat.missed >= 0)
                            }
                        } else {
                            let clock = GameClock(loop)
                            for try await beat in clock.timer(every: period).prefix(3) { numbers.append(beat.number) }
                        }
                        return numbers
                    }) { beats = (try? $0.get()) ?? [-1] }
                    if isSoon(period) {
                        #expect(host.run { !beats.isEmpty })
                        #expect(beats.count == 3)
                        #expect(beats == beats.sorted())
                    } else {
                        _ = host.run(within: .milliseconds(5)) { !beats.isEmpty }
                        #expect(beats.isEmpty)
                        run.cancel()
                        #expect(host.run { !beats.isEmpty })
                    }
                }
            }
        }

        @Test(arguments: extremeDurations) func budgetsAndGracePeriodsOfAnyLengthAreKept(_ duration: Duration) throws {
            var configuration = Configuration(budget: duration)
            configuration.closeGrace = duration
            configuration.sceneGrace = duration
            try withLoop(configuration: configuration) { host, loop in
                var count = 0
                for _ in 0..<3 { loop.callSoon { count += 1 } }
                #expect(host.run { count == 3 })
                loop.callSoon { count += 1 }
                loop.tick(budget: duration)
                #expect(count == 4)
                var hasEnded = false
                loop.run({ try await loop.withScene { _ in } }) { _ in hasEnded = true }
                #expect(host.run { hasEnded })
                loop.run({
                    try await loop.withScene(grace: duration) { $0.task { try await loop.sleep(for: .seconds(1000)) } }
                }) { _ in }
                host.tick()
            }
        }

        @Test(arguments: extremeDurations) func hostsRunWithinLimitsOfAnyLength(_ limit: Duration) throws {
            let headless = try HeadlessHost()
            #expect(headless.run(within: limit) { true })
            if limit <= .nanoseconds(1) {
                #expect(!headless.run(within: limit) { false })
            } else {
                var isOver = false
                headless.loop.callLater(.milliseconds(1)) { isOver = true }
                #expect(headless.run(within: limit) { isOver })
            }
            headless.close()
            try withLoop { host, loop in
                #expect(host.run(within: limit) { true })
                loop.callSoon {}
                #expect(host.waitForRequest(within: limit))
                host.tick()
                if limit <= .nanoseconds(1) { #expect(!host.waitForRequest(within: limit)) }
            }
        }

        @Test(arguments: extremeDurations) func aVirtualClockStopsAtTheEndOfItsTime(_ duration: Duration) throws {
            let (configuration, clock) = virtualConfiguration()
            try withLoop(configuration: configuration) { host, loop in
                var hasFired = false
                loop.callLater(.seconds(1)) { hasFired = true }
                clock.advance(to: extremeInstant(duration, from: clock.now))
                if duration >= .zero { for _ in 0..<3 { clock.advance(by: duration) } }
                #expect(clock.elapsed >= .zero)
                host.tick()
                #expect(hasFired == !isSoon(duration))
                // What is armed at the end of time is armed, and nothing more.
                loop.callLater(duration) {}
                loop.callLater(.seconds(1)) {}
                host.tick()
                _ = loop.nextDeadline
                _ = loop.hasWork
            }
        }

        @Test(arguments: extremeDurations) func aGamesTimeAndItsFramesStayInRange(_ duration: Duration) throws {
            let instant = GameClock.Instant(elapsed: duration)
            for other in extremeDurations {
                #expect(instant.advanced(by: other) >= instant || other < .zero)
                let distance = instant.duration(to: GameClock.Instant(elapsed: other))
                #expect((distance > .zero) == (other > duration))
            }
            try withLoop { host, loop in
                let clock = GameClock(loop)
                if duration >= .zero { for _ in 0..<3 { clock.step(by: duration) } }
                #expect(clock.now.elapsed >= .zero)
                host.tick()
            }
            guard duration > .zero else { return }
            for stall in [Duration.milliseconds(10), .seconds(10), .seconds(86_400)] {
                var pacer = FramePacer(period: duration, fixedStep: duration, maximumDelta: duration)
                let start = ContinuousClock.now
                _ = pacer.begin(at: start)
                let plan = pacer.begin(at: start.advanced(by: stall))
                #expect((0...5).contains(plan.steps))
                #expect((0...1).contains(plan.blend))
                #expect(plan.dropped >= .zero)
                _ = pacer.budget(start: start, now: start, drawing: .zero)
            }
        }

        @Test func aPacerNeverTellsOfANegativeDelta() {
            var pacer = FramePacer(period: .milliseconds(16), maximumDelta: Duration(attoseconds: .min))
            let start = ContinuousClock.now
            _ = pacer.begin(at: start)
            #expect(pacer.begin(at: start.advanced(by: .seconds(1))).delta == .zero)
        }

        @Test(arguments: extremeDurations) func theKernelsWaitsTakeAnyTime(_ duration: Duration) {
            let semaphore = Semaphore(value: 1)
            #expect(semaphore.wait(for: duration))
            if duration <= .nanoseconds(1) { #expect(!semaphore.wait(for: duration)) }
        }
    }
}
