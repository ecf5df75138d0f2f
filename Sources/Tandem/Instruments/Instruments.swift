// SPDX-License-Identifier: Apache-2.0
// Instruments: what a tick tells those who count, measure and record: that it begins, what it is about to run, what it has run, that it ends.
// Owner:  the UI thread.
// Breaks: a recorded run that is not told of a piece of work, or of the end of a budget, cannot be given back.

struct Instruments {
    /// The time source, if it records or replays; see `RunTape`.
    let tape: (any RunTape)?
    /// Whether the tape is told what the loop does: from the beginning of a recorded run on.
    private(set) var isTaped = false
    /// The longest stretch of this tick between two looks at the clock.
    private var longest: Nanoseconds = 0
    private var latency = LatencyRun()
    private var hasNotedBlockedThread = false
    private var counters = Statistics()

    init(tape: (any RunTape)?) { self.tape = tape }

    /// The tape, while it runs.
    var activeTape: (any RunTape)? { tape.flatMap { $0.isActive ? $0 : nil } }
    /// What was counted here; the loop's other parts add theirs.
    var statistics: Statistics { counters }

    mutating func beginTape() { isTaped = true }

    // MARK: A tick

    @inline(__always) mutating func countEmptyTick() {
        counters.ticks += 1
        counters.emptyTicks += 1
    }

    /// A tick begins. `hasWork`: whether it has found something to do. Whether it is to go on, which a replayed run may know better.
    mutating func tickBegins(hasWork: Bool) -> Bool {
        counters.ticks += 1
        let goesOn = isTaped ? activeTape?.tickBegins(hasWork: hasWork) ?? hasWork : hasWork
        if !goesOn { counters.emptyTicks += 1 }
        return goesOn
    }

    /// A piece of work is about to run that has been ready for so long.
    @inline(__always) mutating func willRun(
        _ kind: RecordedWork.Kind, _ site: CallSite?, readyFor nanoseconds: Nanoseconds
    ) {
        if isTaped { activeTape?.runs(RecordedWork(kind: kind, site: site)) }
        latency.record(nanoseconds, into: &counters.latency)
    }

    /// The same for a handler of the loop's own or its host's, which is no part of a recorded run.
    mutating func willRunUnrecorded(readyFor nanoseconds: Nanoseconds) {
        latency.record(nanoseconds, into: &counters.latency)
    }

    /// Something has run, or the tick has looked for work, and the clock was read.
    mutating func didRun(for nanoseconds: Nanoseconds) { longest = max(longest, nanoseconds) }

    /// Something has blocked the thread. `false`: that was said before.
    mutating func noteBlockedThread() -> Bool {
        defer { hasNotedBlockedThread = true }
        return !hasNotedBlockedThread
    }

    /// Whether the budget ends here: a recorded tick's where it was found spent, a replayed one's at the same place. `wasSpent`: before the
    /// piece of work, or the look for work (`isLook`), that has just been.
    mutating func budgetEnds(isSpent: Bool, wasSpent: Bool, isLook: Bool) -> Bool {
        guard let tape = activeTape, !wasSpent else { return false }
        return tape.budgetEnds(isSpent, isLook: isLook)
    }

    /// A tick or a frame's phase ends.
    mutating func tickEnds(_ report: TickReport) {
        latency.flush(into: &counters.latency)
        counters.callbacks += report.callbacks
        counters.ioEvents += report.ioEvents
        counters.jobs += report.jobs
        counters.timersFired += report.timersFired
        counters.timeInTicks += report.elapsed
        if report.overrunNanoseconds > 0 { counters.budgetOverruns += 1 }
        counters.longestCallback = max(counters.longestCallback, Duration(exactly: longest))
        longest = 0
    }

    /// A tick had nothing to do after all.
    mutating func countTickWithoutWork() { counters.emptyTicks += 1 }

    // MARK: Single events

    /// Whether this was the first.
    mutating func countNestedTick() -> Bool {
        counters.nestedTicks += 1
        return counters.nestedTicks == 1
    }

    mutating func countError() { counters.callbackErrors += 1 }
    mutating func countInboxEntries(_ count: Int) { counters.inboxEntries += count }
    /// A request for a tick was not needed.
    @inline(__always) mutating func countSparedRequest() { counters.hintsCoalesced += 1 }
}

/// Latencies in a row that are the same, as those of one batch are, so that they cost one entry together.
private struct LatencyRun {
    private var value: Nanoseconds = 0
    private var count = 0

    @inline(__always) mutating func record(_ nanoseconds: Nanoseconds, into histogram: inout LatencyHistogram) {
        if nanoseconds != value {
            flush(into: &histogram)
            value = nanoseconds
        }
        count += 1
    }

    mutating func flush(into histogram: inout LatencyHistogram) {
        if count > 0 { histogram.record(value, times: count) }
        count = 0
    }
}
