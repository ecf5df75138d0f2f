// SPDX-License-Identifier: Apache-2.0
// FrameHistory: what the last frames took, for a graph of them.
// Owner:  a value; whoever holds it.

/// What the loop did in each of the last frames. Whoever draws a graph notes the statistics once a frame.
///
/// ```swift
/// var history = FrameHistory(capacity: 120)
/// loop.everyFrame { frame in history.note(loop.statistics, at: frame.time) }
/// ```
public struct FrameHistory: Sendable {
    /// What the loop did from one note to the next.
    public struct Entry: Sendable, Hashable {
        /// The time between the two notes.
        public let frameTime: Duration
        /// The part of it that was spent in ticks.
        public let timeInTicks: Duration
        /// How many callbacks were run.
        public let callbacks: Int
        /// How many Swift jobs were run.
        public let jobs: Int
        /// A tick took longer than its budget.
        public let isOverBudget: Bool
    }

    /// How many frames are kept.
    public let capacity: Int
    private var entries: [Entry] = []
    /// Which entry is overwritten next, once all are in use.
    private var next = 0
    private var last: (time: ContinuousClock.Instant, ticks: Duration, callbacks: Int, jobs: Int, overruns: Int)?

    /// An empty history. Traps unless `capacity` is at least 1.
    public init(capacity: Int = 120) {
        require(capacity > 0, "FrameHistory was given a capacity of \(capacity); expected 1 or more")
        self.capacity = capacity
        entries.reserveCapacity(capacity)
    }

    /// How many frames it has.
    public var count: Int { entries.count }

    /// The frame of that number, from 0 for the oldest one that is kept.
    public subscript(index: Int) -> Entry {
        require(entries.indices.contains(index), "frame \(index) of \(count)")
        return entries[(next + index) % entries.count]
    }

    /// Ends a frame. The first note only begins one. O(1), allocates nothing.
    public mutating func note(_ statistics: Statistics, at time: ContinuousClock.Instant) {
        let now = (
            time, statistics.timeInTicks, statistics.callbacks, statistics.jobs, statistics.budgetOverruns
        )
        defer { last = now }
        guard let last else { return }
        let entry = Entry(
            frameTime: last.time.duration(to: time), timeInTicks: statistics.timeInTicks - last.ticks,
            callbacks: statistics.callbacks - last.callbacks, jobs: statistics.jobs - last.jobs,
            isOverBudget: statistics.budgetOverruns > last.overruns)
        if entries.count < capacity {
            entries.append(entry)
        } else {
            entries[next] = entry
            next = (next + 1) % capacity
        }
    }

    /// The next note begins a frame, and ends none: nobody has taken notes meanwhile.
    public mutating func pause() { last = nil }
}
