// SPDX-License-Identifier: Apache-2.0
// TraceClock: turns the processor's cycles at which a UI thread has written its records into the trace's time.
// Idea:   a straight line between two moments at which both the counter and the clock are known. The first one, the base, is the last record that was
//         taken.
//         A line leads no time back, whatever the counter did: on a machine that was suspended it may have gone on, stood still, or begun anew. Then the
//         records between the two moments have wrong times; they stay in order, and between those moments.
// Owner:  pure.

import TandemCLinux

/// The cycle counter and the clock, read together.
struct TraceMoment: Equatable {
    let cycles: UInt64
    /// Nanoseconds since the trace was made.
    let time: Int64

    /// Reads both. A thread that loses its core between the readings reads again, three times at most.
    static func now(since start: Int64) -> TraceMoment {
        var tries = 0
        while true {
            let before = tandem_cycles()
            let time = tandem_trace_clock() - start
            let between = tandem_cycles() &- before
            tries += 1
            if between <= tandem_cycles_in_10us() || tries == 3 {
                return TraceMoment(cycles: (before &+ between / 2) & TraceRecord.cycleMask, time: time)
            }
        }
    }
}

/// From one moment to another one.
struct TraceLine {
    let start: TraceMoment
    let end: TraceMoment
    private let length: UInt64
    private let nanosecondsPerCycle: Double

    /// An end that is earlier than the start counts as one at the start's time.
    init(from start: TraceMoment, to end: TraceMoment) {
        self.start = start
        self.end = TraceMoment(cycles: end.cycles, time: max(start.time, end.time))
        // If the counter has begun anew, the line has no length, and everything stands at one of its ends.
        length = end.cycles > start.cycles ? end.cycles &- start.cycles : 0
        nanosecondsPerCycle = length > 0 ? Double(self.end.time - start.time) / Double(length) : 0
    }

    /// The time at a count: of two counts, the greater one's is not earlier.
    @inline(__always) func time(at cycles: UInt64) -> Int64 {
        guard cycles > start.cycles else { return start.time }
        let passed = cycles &- start.cycles
        guard passed < length else { return end.time }
        return min(end.time, start.time &+ Int64(Double(passed) * nanosecondsPerCycle))
    }
}

/// What is known of one thread's time.
struct TraceClock {
    /// The last record that was taken, with its time in the trace.
    private var base: TraceMoment
    /// The time of the thread's last event in the trace, which no later one goes behind.
    private var last: Int64

    init(at moment: TraceMoment) {
        base = moment
        last = moment.time
    }

    /// The line for the records that are taken at `moment`.
    func line(to moment: TraceMoment) -> TraceLine { TraceLine(from: base, to: moment) }

    /// The next record is taken. Returns its time, which is not before `earliest`.
    mutating func take(_ cycles: UInt64, along line: TraceLine, notBefore earliest: Int64 = .min) -> Int64 {
        last = max(last, line.time(at: cycles), earliest)
        base = TraceMoment(cycles: cycles, time: last)
        return last
    }

    /// All records were taken, and an event of the thread's stands behind them. Returns its time.
    mutating func pass(_ moment: TraceMoment) -> Int64 {
        last = max(last, moment.time)
        return last
    }
}
