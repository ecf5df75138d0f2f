// SPDX-License-Identifier: Apache-2.0
// TimerTests: the heap alone, timers in the loop, and clocks. Behaviour 25 to 29.

import Foundation
import TandemTesting
import Testing

@testable import Tandem

extension Core.TimerTests {
    /// Behaviour 25, in virtual time.
    @Test func timersFireInTheOrderOfTheirDeadlinesAndTiesInTheOrderOfArming() throws {
        let (configuration, clock) = virtualConfiguration()
        try withLoop(configuration: configuration) { host, loop in
            var fired: [String] = []
            let start = loop.now
            for name in ["a", "b", "c"] { loop.callAt(start + .milliseconds(20)) { fired.append(name) } }
            loop.callAt(start + .milliseconds(10)) { fired.append("first") }
            clock.advance(by: .milliseconds(10) - .nanoseconds(1))
            host.tick()
            #expect(fired.isEmpty)
            clock.advance(by: .nanoseconds(1))
            host.tick()
            #expect(fired == ["first"])
            clock.advance(by: .seconds(1))
            host.tick()
            #expect(fired == ["first", "a", "b", "c"])
        }
    }

    /// Behaviour 25.
    @Test func timersAreNeverEarlyOnTheMachinesClock() throws {
        try withLoop { host, loop in
            var early = 0
            var fired = 0
            for index in 0..<200 {
                let deadline = ContinuousClock.now + .microseconds(37 * index)
                loop.callAt(deadline) {
                    if ContinuousClock.now < deadline { early += 1 }
                    fired += 1
                }
            }
            #expect(host.run { fired == 200 })
            #expect(early == 0)
        }
    }

    /// Behaviour 25, 26.
    @Test func zeroAndNegativeDelaysMeanSoonAndOncePerPass() throws {
        let (configuration, _) = virtualConfiguration()
        try withLoop(configuration: configuration) { host, loop in
            var count = 0
            var isNow = true
            loop.callLater(.seconds(-5)) { #expect(!isNow) }
            func again() {
                count += 1
                loop.callLater(.zero) { again() }
            }
            again()
            isNow = false
            #expect(count == 1)
            host.tick(budget: .zero)
            #expect(count == 2)
            host.tick(budget: .zero)
            #expect(count == 3)
        }
    }

    /// Timers that are due together run in order within one tick, and let other work run in between.
    @Test func aThousandDueTimersLetACallbackRunBetweenThem() throws {
        let (configuration, clock) = virtualConfiguration()
        try withLoop(configuration: configuration) { host, loop in
            func arm(_ body: @escaping (Int) -> Void) {
                for index in 0..<1000 { loop.callLater(.milliseconds(5)) { body(index) } }
                clock.advance(by: .milliseconds(5))
            }
            var fired: [Int] = []
            var firedBefore: Int?
            arm { index in
                if index == 0 { loop.callSoon { firedBefore = fired.count } }
                fired.append(index)
            }
            let report = host.tick()
            #expect(fired == Array(0..<1000))
            #expect(report.carriedOver == 0)
            // It is ready in the next pass, which runs its own timers first.
            #expect(firedBefore == 2 * TimerQueue.batchLimit)
            // A tick of one pass has no second one for the rest.
            fired = []
            arm { fired.append($0) }
            let onePass = host.tick(budget: .zero)
            #expect(fired == Array(0..<1000))
            #expect(onePass.passes == 1)
        }
    }

    /// A timer that another batch had to wait for was due since its deadline, not since the first batch was collected.
    @Test func timersOfALaterBatchAreAsLateAsTheyWere() throws {
        try withLoop { host, loop in
            let count = 3 * TimerQueue.batchLimit
            let deadline = ContinuousClock.now
            for _ in 0..<count { loop.callAt(deadline) {} }
            while ContinuousClock.now < deadline + .milliseconds(20) {}
            host.tick(budget: .seconds(5))
            let latency = loop.statistics.latency
            #expect(latency.count == UInt64(count))
            // The histogram's figures are right to an eighth.
            #expect(latency.percentile(0.01) > .milliseconds(17))
        }
    }

    /// Behaviour 27.
    @Test func hugeDelaysNeitherOverflowNorFire() throws {
        try withLoop { host, loop in
            var fired = 0
            let century = Duration.seconds(100 * 365 * 86_400)
            for delay in [century, century * 100, .seconds(Int64.max), .seconds(Int64.max / 2)] {
                loop.callLater(delay) { fired += 1 }
            }
            loop.callLater(.milliseconds(1)) { fired += 10 }
            #expect(host.run { fired == 10 })
            #expect(loop.statistics.timers == 4)
            host.tick()
            #expect(fired == 10)
        }
    }

    /// Behaviour 28: a repeat that keeps its phase is `callAt` from the last deadline.
    @Test func missedRepeatsFireOnceThenKeepTheirPhase() throws {
        let (configuration, clock) = virtualConfiguration()
        try withLoop(configuration: configuration) { host, loop in
            let start = loop.now
            let period = Duration.milliseconds(10)
            var fired: [Duration] = []
            func arm(_ deadline: ContinuousClock.Instant) {
                loop.callAt(deadline) {
                    fired.append(start.duration(to: loop.now))
                    var next = deadline
                    while next <= loop.now { next += period }
                    arm(next)
                }
            }
            arm(start + period)
            for step in [10, 10, 45, 5, 10] {
                clock.advance(by: .milliseconds(step))
                host.tick()
            }
            #expect(fired == [10, 20, 65, 70, 80].map { .milliseconds($0) })
        }
    }

    /// Behaviour 29.
    @Test func aMillionTimersCancelledInRandomOrderFireInOrder() throws {
        let (configuration, clock) = virtualConfiguration()
        try withLoop(configuration: configuration) { host, loop in
            var random = SystemRandomNumberGenerator()
            let count = 1_000_000
            var last = -1
            var isOrdered = true
            var fired = 0
            var handles: [CallbackHandle] = []
            handles.reserveCapacity(count)
            for _ in 0..<count {
                let delay = Int.random(in: 0..<1_000_000, using: &random)
                handles.append(
                    loop.callLater(.microseconds(delay)) {
                        if delay < last { isOrdered = false }
                        last = delay
                        fired += 1
                    })
            }
            handles.shuffle(using: &random)
            for handle in handles[..<(count / 2)] { handle.cancel() }
            clock.advance(by: .seconds(1))
            while loop.hasWork { host.tick(budget: .seconds(1)) }
            #expect(fired == count / 2)
            #expect(isOrdered)
            #expect(loop.statistics.timersCancelled == count / 2)
        }
    }

    @Test(arguments: [1, 2, 3, 5, 8, 13], [50, 1_000_000]) func theHeapKeepsItsInvariantsUnderRandomUse(
        seed: UInt64, span: Int64
    ) throws {
        try withLoop { _, loop in
            var random = SeededRandom(state: seed)
            let heap = TimerHeap(table: loop.callbacks)
            var model: [(deadline: Int64, order: Int, handle: CallbackHandle)] = []
            for order in 0..<3000 {
                switch Int.random(in: 0..<3, using: &random) {
                case 0 where !model.isEmpty:
                    let cancelled = model.remove(at: Int.random(in: 0..<model.count, using: &random)).handle
                    _ = loop.callbacks.take(cancelled.slot)
                    heap.wasCancelled(cancelled.slot)
                case 1 where !model.isEmpty && order % 5 == 0:
                    model.sort { ($0.deadline, $0.order) < ($1.deadline, $1.order) }
                    let first = model.removeFirst()
                    #expect(heap.firstDeadline == first.deadline)
                    let popped = heap.popDue(at: first.deadline)
                    #expect(popped?.slot == first.handle.slot)
                    _ = loop.callbacks.take(first.handle.slot)
                    loop.callbacks.free(first.handle.slot)
                default:
                    let handle = loop.callbacks.add(.call {}, .sleepers, CallSite())
                    let deadline = Int64.random(in: 0..<span, using: &random)
                    heap.insert(handle.slot, deadline: deadline)
                    model.append((deadline, order, handle))
                }
                heap.checkInvariants()
                #expect(heap.count == model.count)
            }
        }
    }

    /// Deadlines as a game has them, and as the choice of a horizon likes them least.
    @Test(arguments: ["spread", "rising", "falling", "equal", "one near", "one far", "hidden from the sample"])
    func theHorizonMovesOnUntilAllHaveComeInOrder(shape: String) throws {
        try withLoop { _, loop in
            let heap = TimerHeap(table: loop.callbacks)
            let count = 4000
            var random = SeededRandom(state: 7)
            let deadlines = (0..<count).map { index -> Int64 in
                switch shape {
                case "spread": .random(in: 0..<1_000_000_000, using: &random)
                case "rising": Int64(index)
                case "falling": Int64(count - index)
                case "equal": 5
                case "one near": index == count / 2 ? 1 : 1_000_000
                case "one far": index == count / 2 ? .max : Int64(index % 10)
                default: index % 125 == 0 ? Int64(index) : 1_000_000_000 + Int64(index)
                }
            }
            let slots = deadlines.map { deadline in
                let slot = loop.callbacks.add(.call {}, .sleepers, CallSite()).slot
                heap.insert(slot, deadline: deadline)
                return slot
            }
            heap.checkInvariants()
            let expected = (0..<count).sorted { (deadlines[$0], $0) < (deadlines[$1], $1) }.filter {
                deadlines[$0] != .max
            }
            var popped: [Int64] = []
            while let due = heap.popDue(at: heap.firstDeadline) {
                popped.append(due.deadline)
                if popped.count % 100 == 0 { heap.checkInvariants() }
                #expect(due.slot == slots[expected[popped.count - 1]])
                _ = loop.callbacks.take(due.slot)
                loop.callbacks.free(due.slot)
            }
            #expect(popped == expected.map { deadlines[$0] })
        }
    }

    @Test func timeoutsRoundUpAndNeverOverflow() {
        #expect(PollTimeout(deadline: .never, now: 5) == .forever)
        #expect(PollTimeout(deadline: 5, now: 9) == .nanoseconds(0))
        #expect(PollTimeout(deadline: .max - 1, now: -10) == .nanoseconds(.max))
        #expect(PollTimeout.forever.milliseconds == -1)
        #expect(PollTimeout.nanoseconds(1).milliseconds == 1)
        #expect(PollTimeout.nanoseconds(1_000_000).milliseconds == 1)
        #expect(PollTimeout.nanoseconds(1_000_001).milliseconds == 2)
        #expect(PollTimeout.nanoseconds(.max).milliseconds == .max)
        #expect(Duration(secondsComponent: 0, attosecondsComponent: 1).nanosecondsRoundedUp == 1)
        var random = SystemRandomNumberGenerator()
        for bits in 0..<126 {
            let attoseconds = Int128.random(in: 0...(1 << bits), using: &random)
            let exact = min((attoseconds + 999_999_999) / 1_000_000_000, Int128(Int64.max))
            #expect(
                Duration(attoseconds: attoseconds).nanosecondsRoundedUp == Int64(exact), "\(attoseconds) attoseconds")
            let whole = Int64(truncatingIfNeeded: attoseconds) >> 2
            #expect(Duration.nanoseconds(whole).nanosecondsRoundedUp == whole)
        }
        #expect(Duration.seconds(Int64.max).nanosecondsRoundedUp == .max)
        #expect(Duration.seconds(Int64.min).nanosecondsRoundedUp == .min)
    }

    @Test func aPausedClockKeepsItsSleepersAndARateStretchesThem() throws {
        let (configuration, clock) = virtualConfiguration()
        try withLoop(configuration: configuration) { host, loop in
            let game = GameClock(loop)
            let journal = Journal([])
            loop.run({
                try await game.sleep(for: .seconds(2))
                journal.note("two")
                try await game.sleep(for: .seconds(2))
                journal.note("four")
            })
            func pass(_ seconds: Int) {
                for _ in 0..<seconds {
                    clock.advance(by: .seconds(1))
                    host.tick()
                }
            }
            host.tick()
            pass(1)
            game.isPaused = true
            pass(100)
            #expect(journal.value.isEmpty)
            #expect(game.now.elapsed == .seconds(1))
            game.isPaused = false
            pass(1)
            #expect(journal.value == ["two"])
            game.rate = 0.5
            pass(3)
            #expect(journal.value == ["two"])
            pass(1)
            #expect(journal.value == ["two", "four"])
            game.isPaused = true
            game.step(by: .seconds(6))
            #expect(game.now.elapsed == .seconds(10))
        }
    }

    @Test func cancellingASleeperOfAPausedClockResumesIt() throws {
        try withLoop { host, loop in
            let game = GameClock(loop)
            game.isPaused = true
            var outcome: Result<Void, any Error>?
            let run = loop.run({ try await game.sleep(for: .seconds(1)) }) { outcome = $0 }
            host.tick()
            run.cancel()
            #expect(host.run { outcome != nil })
            #expect(throws: CancellationError.self) { try outcome?.get() }
        }
    }

    @Test func percentilesAreRightToAnEighth() {
        var histogram = LatencyHistogram()
        #expect(histogram.p50 == .zero)
        for value in 1...1000 { histogram.record(Int64(value) * 1000) }
        #expect(histogram.count == 1000)
        #expect(histogram.max == .microseconds(1000))
        for (fraction, exact) in [(0.5, 500.0), (0.99, 990.0), (0.1, 100.0)] {
            let found = histogram.percentile(fraction) / .microseconds(1)
            #expect(found >= exact && found <= exact * 1.13, "\(fraction): \(found)")
        }
        for value in [UInt64(0), 15, 16, 17, 1000, 123_456_789] {
            let index = LatencyHistogram.index(of: value)
            #expect(LatencyHistogram.upperBound(of: index) >= value)
            #expect(index == 0 || LatencyHistogram.upperBound(of: index - 1) < value)
        }
    }
}

/// The same numbers in each run.
private struct SeededRandom: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ state >> 31
    }
}
