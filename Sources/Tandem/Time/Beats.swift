// SPDX-License-Identifier: Apache-2.0
// Beats: a timer as a sequence, which keeps its phase however late its consumer is.
// Owner:  the consumer.

/// One beat of a timer.
public struct Beat<Instant: InstantProtocol>: Sendable where Instant: Sendable {
    /// Counted from 1, missed ones included.
    public let number: Int
    /// When the beat was due.
    public let time: Instant
    /// How many beats before this one passed while the consumer was busy.
    public let missed: Int
}

/// The beats of a clock, one period apart. Made by `timer(every:)`.
public struct Beats<C: Clock>: AsyncSequence, Sendable where C.Instant: Sendable, C.Duration == Duration {
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
        // Clocks count in nanoseconds, and end after so many of them.
        self.period = Swift.min(Swift.max(period, .nanoseconds(1)), .nanoseconds(Int64.max))
        self.start = start
        self.loop = loop
        self.sleep = sleep
    }

    /// Sleeps from beat to beat.
    public struct Iterator: AsyncIteratorProtocol {
        let beats: Beats
        private var last = 0

        init(_ beats: Beats) { self.beats = beats }

        /// Waits for the next beat; at once if it has passed, with the number of those that were missed. Throws what the clock's sleep
        /// throws, `CancellationError` among it.
        public mutating func next() async throws -> Beat<C.Instant>? {
            try await beats.loop.checkpoint()
            let passed = beats.start.durationClamped(to: beats.clock.now)
            // The beat that is due, or the next one. O(1), however many were missed; in whole numbers, since a quotient of `Double`s may be that of
            // the beat before or after.
            let next = last == .max ? last : last + 1
            let due = Swift.max(next, Int(clamping: passed.attoseconds / beats.period.attoseconds))
            let time = beats.start.advanced(by: beats.period * due)
            if beats.clock.now < time { try await beats.sleep(beats.clock, time) }
            defer { last = due }
            return Beat(number: due, time: time, missed: Swift.max(0, due - last - 1))
        }
    }

    /// Begins with the first beat after the sequence was made.
    public func makeAsyncIterator() -> Iterator { Iterator(self) }
}

extension GuestClock {
    /// Beats that are `period` apart, counted from now. They keep their phase; one that finds its consumer busy is counted as missed.
    /// Traps on a period that is not positive; one below a nanosecond counts as one.
    public func timer(every period: Duration, fileID: StaticString = #fileID, line: UInt = #line)
        -> Beats<GuestClock>
    {
        precondition(period > .zero, "GuestClock.timer(every:) was given \(period); expected more than zero")
        let site = CallSite(fileID: fileID, line: line)
        return Beats(clock: self, period: period, start: now, loop: loop) {
            try await $0.sleep(until: $1, nil, site)
        }
    }
}

extension GameClock {
    /// Beats that are `period` of game time apart, counted from now: they stop while the clock is paused.
    /// Traps on a period that is not positive; one below a nanosecond counts as one.
    public func timer(every period: Duration, fileID: StaticString = #fileID, line: UInt = #line)
        -> Beats<GameClock>
    {
        precondition(period > .zero, "GameClock.timer(every:) was given \(period); expected more than zero")
        let site = CallSite(fileID: fileID, line: line)
        return Beats(clock: self, period: period, start: now, loop: loop) {
            try await $0.sleep(until: $1, nil, site)
        }
    }
}
