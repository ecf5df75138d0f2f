// SPDX-License-Identifier: Apache-2.0
// IntervalSequence: a timer as a sequence, with one element per interval. The times do not drift, however late the
//                   consumer is.
// Owner:  the consumer.

/// One interval of a timer that has passed.
public struct IntervalTick<Instant: InstantProtocol>: Sendable where Instant: Sendable {
    /// The number of the interval, counted from 1; missed intervals are counted, too.
    public let number: Int
    /// The time at which the interval ended.
    public let time: Instant
    /// The number of intervals before this one that ended while the consumer was busy.
    public let missed: Int
}

/// The intervals of a clock, one period apart. Made by `timer(every:)`.
public struct IntervalSequence<C: Clock>: AsyncSequence, Sendable where C.Instant: Sendable, C.Duration == Duration {
    let clock: C
    let period: Duration
    let start: C.Instant
    let loop: GuestLoop
    let sleep: @Sendable (C, C.Instant) async throws -> Void

    init(
        clock: C, period: Duration, start: C.Instant, loop: GuestLoop,
        sleep: @escaping @Sendable (C, C.Instant) async throws -> Void
    ) {
        self.clock = clock
        // Clocks count in nanoseconds, in 64 bits, so that a shorter or a longer period has no meaning.
        self.period = Swift.min(Swift.max(period, .nanoseconds(1)), .nanoseconds(Int64.max))
        self.start = start
        self.loop = loop
        self.sleep = sleep
    }

    /// Waits for one interval at each call.
    public struct Iterator: AsyncIteratorProtocol {
        let intervals: IntervalSequence
        private var last = 0

        init(_ intervals: IntervalSequence) { self.intervals = intervals }

        /// Waits for the end of the next interval. If it has ended already, returns at once, with the number of those
        /// that were missed. Throws what the clock's sleep throws, `CancellationError` among it.
        public mutating func next() async throws -> IntervalTick<C.Instant>? {
            try await intervals.loop.checkpoint()
            let passed = intervals.start.durationClamped(to: intervals.clock.now)
            // The latest interval that has ended, or else the next one. O(1), however many were missed. In whole
            // numbers, since a quotient of `Double`s may be rounded to the number before or after.
            let next = last == .max ? last : last + 1
            let due = Swift.max(next, Int(clamping: passed.attoseconds / intervals.period.attoseconds))
            let time = intervals.start.advanced(by: intervals.period * due)
            if intervals.clock.now < time { try await intervals.sleep(intervals.clock, time) }
            defer { last = due }
            return IntervalTick(number: due, time: time, missed: Swift.max(0, due - last - 1))
        }
    }

    /// The iterator begins with the first interval after the sequence was made.
    public func makeAsyncIterator() -> Iterator { Iterator(self) }
}

extension GuestClock {
    /// Intervals of `period`, counted from now. The times do not drift; if several intervals end while the consumer is
    /// busy, the later element counts them as missed. Traps on a period that is not positive; one below a nanosecond
    /// counts as one nanosecond.
    public func timer(every period: Duration, fileID: StaticString = #fileID, line: UInt = #line)
        -> IntervalSequence<GuestClock>
    {
        require(period > .zero, "GuestClock.timer(every:) was given \(period); expected more than zero")
        let site = CallSite(fileID: fileID, line: line)
        return IntervalSequence(clock: self, period: period, start: now, loop: loop) {
            try await $0.sleep(until: $1, nil, site)
        }
    }
}

extension GameClock {
    /// Intervals of `period` of game time, counted from now. While the clock is paused, no interval ends. Traps on a
    /// period that is not positive; one below a nanosecond counts as one nanosecond.
    public func timer(every period: Duration, fileID: StaticString = #fileID, line: UInt = #line)
        -> IntervalSequence<GameClock>
    {
        require(period > .zero, "GameClock.timer(every:) was given \(period); expected more than zero")
        let site = CallSite(fileID: fileID, line: line)
        return IntervalSequence(clock: self, period: period, start: now, loop: loop) {
            try await $0.sleep(until: $1, nil, site)
        }
    }
}

/// The former name.
@available(*, deprecated, renamed: "IntervalSequence")
public typealias Beats<C: Clock> = IntervalSequence<C> where C.Instant: Sendable, C.Duration == Duration

/// The former name.
@available(*, deprecated, renamed: "IntervalTick")
public typealias Beat<Instant: InstantProtocol> = IntervalTick<Instant> where Instant: Sendable
