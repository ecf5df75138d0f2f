// SPDX-License-Identifier: Apache-2.0
// GameTimelineTests: the arithmetic between the loop's time and a game's, compared with long multiplication, and in both directions.

import TandemTesting
import Testing

@testable import Tandem

/// Repeatable: a failure names the numbers that show it.
private struct Generator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// Of every magnitude alike.
    mutating func magnitude() -> Int64 { Int64(next() >> UInt64.random(in: 1...63, using: &self)) }

    /// Any finite one above zero.
    mutating func rate() -> Double {
        while true {
            let rate = Double(bitPattern: next() & ~(1 << 63))
            if rate.isFinite, rate > 0 { return rate }
        }
    }
}

@Suite struct GameTimelineTests {
    /// The first instant at which so much has elapsed, and none before.
    private func expectInverse(
        _ line: GameTimeline, _ elapsed: Int64, notBefore anchor: Int64, _ location: SourceLocation = #_sourceLocation
    ) throws {
        let time = line.time(of: elapsed)
        guard time != .never else {
            try #require(line.elapsed(at: .max - 1) < elapsed, "\(line), \(elapsed)", sourceLocation: location)
            return
        }
        try #require(line.elapsed(at: time) >= elapsed, "\(line), \(elapsed)", sourceLocation: location)
        if time > anchor {
            try #require(line.elapsed(at: time - 1) < elapsed, "\(line), \(elapsed)", sourceLocation: location)
        }
    }

    /// Rates as people write them, to two decimals, and each millisecond of a second.
    @Test func everyOrdinaryRateReachesEveryMillisecondExactlyOnce() throws {
        for hundredths in 1...500 {
            var line = GameTimeline(anchor: 1_000_000_007)
            line.setRate(Double(hundredths) / 100)
            for millisecond in Int64(1)...1000 {
                try expectInverse(line, millisecond * 1_000_000, notBefore: 1_000_000_007)
            }
        }
    }

    /// Each nanosecond of a stretch, so that each remainder of a rate is met.
    @Test func everyNanosecondIsReachedInOrder() throws {
        for rate in [0.35, 0.7, 1.4, 2.8, 1.15, 2.3, 2.05, 1.0 / 3, 3.7, 0.001, 1000.5] {
            var line = GameTimeline(anchor: 0)
            line.setRate(rate)
            var last = Int64(0)
            for elapsed in Int64(1)...3000 {
                try expectInverse(line, elapsed, notBefore: 0)
                let time = line.time(of: elapsed)
                try #require(time >= last)
                last = time
            }
        }
    }

    @Test func anyFiniteRateAndAnyDurationAreInverseToEachOther() throws {
        var generator = Generator(state: 13)
        for _ in 0..<200_000 {
            let anchor = generator.magnitude()
            var line = GameTimeline(anchor: anchor)
            // Something stands behind the nanosecond, too.
            line.setRate(generator.rate())
            let change = min(anchor.addingClamped(generator.magnitude()), .max - 2)
            line.moveAnchor(to: change)
            line.setRate(generator.rate())
            try expectInverse(line, max(1, generator.magnitude()), notBefore: change)
        }
    }

    /// Long multiplication by 64-bit halves, shifted by hand.
    @Test func whatHasElapsedIsTheProductRoundedDown() throws {
        var generator = Generator(state: 7)
        for _ in 0..<200_000 {
            // 2^-11 to 2^41: within it the product has no more than 128 bits, and its shift is one to the right.
            let rate =
                Double.random(in: 1..<2, using: &generator)
                * Double(sign: .plus, exponent: .random(in: -11...40, using: &generator), significand: 1)
            let passed = generator.magnitude()
            var line = GameTimeline(anchor: -5)
            line.setRate(rate)
            let (high, low) = UInt64(passed).multipliedFullWidth(by: UInt64(rate.significand * 0x1p52))
            let shift = UInt64(52 - rate.exponent)
            let fits = high >> shift == 0
            let product = high << (64 - shift) | low >> shift
            let expected = fits && product < UInt64(GameTimeline.end) ? Int64(product) : GameTimeline.end
            try #require(line.elapsed(at: passed - 5) == expected, "\(rate), \(passed)")
        }
    }

    @Test func ratesThatAreTooLargeEndAtTheLastInstantAndThoseThatAreTooSmallStandStill() {
        for rate in [1e9, 1e12, 1e18, 1e300, Double.greatestFiniteMagnitude] {
            var line = GameTimeline(anchor: 0)
            line.setRate(rate)
            #expect(line.elapsed(at: 20_000_000_000_000) == GameTimeline.end)
            #expect(line.elapsed(at: .max) == GameTimeline.end)
            #expect(line.time(of: GameTimeline.end) <= 9_300_000_000)
            #expect(line.time(of: .never) == .never)
            line.moveAnchor(to: .max)
            line.skip(.max)
            #expect(line.elapsed(at: .max) == GameTimeline.end)
        }
        for rate in [Double.leastNonzeroMagnitude, .leastNormalMagnitude, 1e-300, 1e-40, 0] {
            var line = GameTimeline(anchor: .min)
            line.setRate(rate)
            #expect(line.elapsed(at: .max) == 0)
            #expect(line.time(of: 1) == .never)
        }
    }

    /// A game that eases its pace in every frame: what the changes cut off would add up.
    @Test func changingTheRateLosesNoTime() {
        var line = GameTimeline(anchor: 0)
        line.setRate(0.1)
        for nanosecond in Int64(1)...1_000_000 {
            line.moveAnchor(to: nanosecond)
            line.setRate(0.1)
        }
        #expect(line.elapsed(at: 1_000_000) == 100_000)
        #expect(line.rate == 0.1)
    }

    @Test func aPausedLineIsLevel() {
        var line = GameTimeline(anchor: 10)
        line.isPaused = true
        #expect(line.elapsed(at: 1000) == 0)
        #expect(line.time(of: 1) == .never)
        #expect(line.time(of: 0) == 10)
        line.skip(5)
        #expect(line.elapsed(at: 1000) == 5)
    }
}

extension Core {
    @Suite struct GameClockTests {
        private func pass(_ host: ManualHost, _ clock: VirtualClock, until condition: () -> Bool) {
            for _ in 0..<10_000 where !condition() {
                host.tick()
                if condition() { return }
                if !host.loop.hasWork, let deadline = host.loop.nextDeadline { clock.advance(to: deadline) }
            }
        }

        /// Each of these once had an instant computed for its deadline that maps back to just before it.
        @Test func aSleepAtAnOrdinaryRateEndsInVirtualTime() throws {
            let (configuration, clock) = virtualConfiguration()
            try withLoop(configuration: configuration) { host, loop in
                for rate in [0.35, 0.7, 1.4, 2.8, 1.15, 2.3, 2.05] {
                    for duration in [63, 119, 126, 133, 238, 1000].map({ Duration.milliseconds($0) }) {
                        let game = GameClock(loop)
                        game.rate = rate
                        var slept: Duration?
                        loop.run({
                            try await game.sleep(for: duration)
                            return game.now.elapsed
                        }) { slept = try? $0.get() }
                        pass(host, clock) { slept != nil }
                        let measured = try #require(slept, "a sleep of \(duration) at \(rate) does not end")
                        #expect(measured >= duration && measured < duration + .nanoseconds(3))
                    }
                }
            }
        }

        @Test func aClockAtAnEnormousRateSaturatesAndItsSleepersWake() throws {
            let (configuration, clock) = virtualConfiguration()
            try withLoop(configuration: configuration) { host, loop in
                for rate in [1e9, 1e12, Double.greatestFiniteMagnitude] {
                    let game = GameClock(loop)
                    game.rate = rate
                    var ends = 0
                    let wait = loop.run({ try await game.sleep(for: .seconds(Int64.max)) }) { _ in ends += 1 }
                    loop.run({ try await game.sleep(for: .seconds(1_000_000_000)) }) { _ in ends += 1 }
                    host.tick()
                    clock.advance(by: .seconds(20))
                    pass(host, clock) { ends == 1 }
                    // 292 years and no more; who waits for longer waits for ever.
                    #expect(ends == 1)
                    #expect(game.now.elapsed == .nanoseconds(Int64.max - 1))
                    game.rate = 1
                    game.step(by: .seconds(Int64.max))
                    #expect(game.now.elapsed == .nanoseconds(Int64.max - 1))
                    wait.cancel()
                    pass(host, clock) { ends == 2 }
                    #expect(ends == 2)
                }
            }
        }

        @Test func instantsOfAGameTakeEveryDuration() {
            let extremes = [Duration(attoseconds: .min), .zero, Duration(attoseconds: .max)]
            for first in extremes {
                for second in extremes {
                    let instant = GameClock.Instant(elapsed: first)
                    let other = instant.advanced(by: second)
                    #expect(second < .zero ? other <= instant : other >= instant)
                    #expect(
                        instant.duration(to: other)
                            == (first == .zero || second == .zero ? second : other.elapsed - first))
                    #expect(
                        GameClock.Instant(elapsed: extremes[0]).duration(to: GameClock.Instant(elapsed: extremes[2]))
                            == extremes[2])
                }
            }
        }

        /// For the thread sanitizer: the getters say "any thread".
        @Test func rateAndPauseAreReadByAnyThread() throws {
            try withLoop { host, loop in
                let game = GameClock(loop)
                let isOver = Box(false)
                let journal = Journal([])
                loop.run({
                    try await loop.offload {
                        var pauses = 0
                        for _ in 0..<10_000 {
                            let rate = game.rate
                            if rate != 1, rate != 2 { journal.note("a rate that was never set: \(rate)") }
                            if game.isPaused { pauses += 1 }
                        }
                        return pauses
                    }
                }) { _ in isOver.value = true }
                #expect(
                    host.run {
                        game.rate = game.rate == 1 ? 2 : 1
                        game.isPaused.toggle()
                        return isOver.value
                    })
                #expect(journal.value.isEmpty)
            }
        }

        @Test func beatsOfTheShortestAndTheLongestPeriodAreCounted() throws {
            let (configuration, clock) = virtualConfiguration()
            try withLoop(configuration: configuration) { host, loop in
                let game = GameClock(loop)
                let journal = Journal([])
                let iterator = Box(game.timer(every: Duration(attoseconds: 1)).makeAsyncIterator())
                clock.advance(by: .seconds(3600))
                loop.run({
                    let beat = try await iterator.value.next()!
                    journal.note("\(beat.number) at \(beat.time.elapsed), missed \(beat.missed)")
                })
                let endless = loop.run({
                    for try await _ in game.timer(every: Duration(attoseconds: .max)) { journal.note("beat") }
                })
                pass(host, clock) { journal.value.count == 1 }
                #expect(journal.value == ["3600000000000 at 3600.0 seconds, missed 3599999999999"])
                endless.cancel()
                pass(host, clock) { endless.isDone }
                #expect(journal.value.count == 1)
            }
        }
    }
}
