// SPDX-License-Identifier: Apache-2.0
// PieceClock: turns the processor's cycles at which pieces of work began and ended into the trace's time.
// Idea:   a straight line between two moments at which both the counter and the clock are known. The first one, the base, is never later than the
//         beginning of a piece that is still to come, so that a piece which lasts long keeps its length however often pieces are taken meanwhile.
//         A line leads no time back, whatever the counter did: on a machine that was suspended it may have gone on, stood still, or begun anew. Then the
//         pieces between the two moments have wrong lengths; they stay in order, and between those moments.
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
                return TraceMoment(cycles: before &+ between / 2, time: time)
            }
        }
    }
}

/// From one moment to another one.
struct PieceLine {
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

/// What is known of one thread's time. Its pieces are taken in order, and their counts do not decrease.
struct PieceClock {
    private(set) var base: TraceMoment
    /// The time of the last event of the thread's in the trace.
    private var last: Int64

    init(at moment: TraceMoment) {
        base = moment
        last = moment.time
    }

    func line(to moment: TraceMoment) -> PieceLine { PieceLine(from: base, to: moment) }

    /// The first piece that is taken. Events that stand before it may have happened inside of it, so it ends no earlier than they.
    func first(_ began: UInt64, _ ended: UInt64, along line: PieceLine) -> (began: Int64, ended: Int64) {
        (line.time(at: began), max(last, line.time(at: ended)))
    }

    /// Pieces were taken along `line`, and an event of the thread's stands at its end; returns the event's time. Pieces to come begin at `boundary` or
    /// later; `nil`: after that event.
    mutating func advance(_ line: PieceLine, boundary: UInt64?) -> Int64 {
        last = max(last, line.end.time)
        base =
            boundary.map { TraceMoment(cycles: $0, time: line.time(at: $0)) }
            ?? TraceMoment(cycles: line.end.cycles, time: last)
        return last
    }

    /// Pieces were taken along `line`, the last of which ended at `boundary`.
    mutating func advance(_ line: PieceLine, lastEnded boundary: UInt64) {
        last = max(last, line.time(at: boundary))
        base = TraceMoment(cycles: boundary, time: last)
    }
}
