// SPDX-License-Identifier: Apache-2.0
// Instruments: counts, measures and records. A tick calls it when it begins, before it runs something, after it has,
//              and when it ends.
// Owner:  the UI thread.
// Breaks: if a recorded run were not told of a piece of work, or of the end of a budget, it could not be replayed.

struct Instruments {
    /// The time source, if it records or replays; see `RunTape`.
    let tape: (any RunTape)?
    /// Whether the tape is told what the loop does. True from the beginning of a recorded run on.
    private(set) var isTaped = false
    /// Tells the trace and the watchdog what the UI thread does; `nil` without either.
    let activities: ActivityLog?
    // Safe: `activities` keeps it. Without a reference count for each piece of work.
    private let log: Unmanaged<ActivityLog>?
    /// The trace, which is told of scenes and game clocks, too.
    let loopTrace: LoopTrace?
    /// The watchdog, whose log is asked for.
    let watchdog: WatchdogProbe?
    /// Whether the tape, the trace or the watchdog is told of each piece of work. Without them a piece costs one
    /// branch.
    private(set) var isObserved: Bool
    /// The longest time of this tick between two readings of the clock.
    private var longest: Nanoseconds = 0
    private var latency = LatencyRun()
    private var hasNotedBlockedThread = false
    private var counters = Statistics()
    // Not as durations, whose sums are calls.
    private var timeInTicks: Nanoseconds = 0
    private var longestCallback: Nanoseconds = 0

    init(tape: (any RunTape)?, trace: LoopTrace?, watchdog: WatchdogProbe?) {
        self.tape = tape
        loopTrace = trace
        self.watchdog = watchdog
        activities = ActivityLog(trace, watchdog)
        // Safe: see `log`.
        log = activities.map { Unmanaged.passUnretained($0) }
        isObserved = activities != nil
    }

    /// The tape, while it records or replays.
    var activeTape: (any RunTape)? { tape.flatMap { $0.isActive ? $0 : nil } }
    /// What this object has counted; the loop's other parts add their counts.
    var statistics: Statistics {
        var statistics = counters
        statistics.timeInTicks = Duration(exactly: timeInTicks)
        statistics.longestCallback = Duration(exactly: longestCallback)
        return statistics
    }

    mutating func beginTape() {
        isTaped = true
        isObserved = true
    }

    // MARK: A tick

    @inline(__always) mutating func countEmptyTick() {
        counters.ticks += 1
        counters.emptyTicks += 1
    }

    /// A tick begins. `hasWork`: whether it has found work. Returns whether it goes on; a replayed run may know better.
    mutating func tickBegins(hasWork: Bool) -> Bool {
        counters.ticks += 1
        let goesOn = isTaped ? activeTape?.tickBegins(hasWork: hasWork) ?? hasWork : hasWork
        if goesOn { log?._withUnsafeGuaranteedRef { $0.begin(.tick) } } else { counters.emptyTicks += 1 }
        return goesOn
    }

    /// A piece of work is about to run that has been ready for this long, in nanoseconds.
    @inline(__always) mutating func willRun(
        _ kind: RecordedWork.Kind, _ site: CallSite?, readyFor nanoseconds: Nanoseconds
    ) {
        if isObserved { tellWork(kind, site) }
        latency.record(nanoseconds, into: &counters.latency)
    }

    @inline(__always) private func tellWork(_ kind: RecordedWork.Kind, _ site: CallSite?) {
        if isTaped { tellTape(kind, site) }
        log?._withUnsafeGuaranteedRef { $0.beginPiece(Activity(kind), site ?? .unknown) }
    }

    @inline(never) private func tellTape(_ kind: RecordedWork.Kind, _ site: CallSite?) {
        activeTape?.runs(RecordedWork(kind: kind, site: site))
    }

    /// Where somebody is told: the piece of work is over.
    @inline(__always) func endPiece(at cycles: UInt64) { log?._withUnsafeGuaranteedRef { $0.endPiece(at: cycles) } }

    /// The same where that is simple; `false`: it is not, and was not done.
    @inline(__always) func endPieceIfSimple(at cycles: UInt64) -> Bool {
        log?._withUnsafeGuaranteedRef { $0.endPieceIfSimple(at: cycles) } ?? false
    }

    /// Where somebody is told: a pass begins.
    @inline(__always) func beginPass() { log?._withUnsafeGuaranteedRef { $0.beginPass() } }

    /// Where somebody is told: a tick or a phase has run its work.
    @inline(__always) func endTick(_ figures: TickFigures) {
        log?._withUnsafeGuaranteedRef { $0.endTick(figures) }
    }

    /// The same for a handler of the library's or the host's, which is not part of a recorded run.
    mutating func willRunUnrecorded(readyFor nanoseconds: Nanoseconds) {
        log?._withUnsafeGuaranteedRef { $0.beginPiece(.descriptor, .unknown) }
        latency.record(nanoseconds, into: &counters.latency)
    }

    /// A piece of work has run, or the tick has looked for work, and the clock was read.
    mutating func didRun(for nanoseconds: Nanoseconds) { longest = max(longest, nanoseconds) }

    /// A piece of work has blocked the thread. `false`: that was logged before.
    mutating func noteBlockedThread() -> Bool {
        defer { hasNotedBlockedThread = true }
        return !hasNotedBlockedThread
    }

    /// Whether the budget ends here. A recorded tick's budget ends where it was found used up; a replayed tick's budget
    /// ends at the same place. `wasSpent`: the state before the last piece of work, or before the look for work
    /// (`isLook`).
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
        timeInTicks &+= report.elapsedNanoseconds
        if report.overrunNanoseconds > 0 { counters.budgetOverruns += 1 }
        longestCallback = max(longestCallback, longest)
        longest = 0
    }

    /// The tick has found no work after all.
    mutating func countTickWithoutWork() { counters.emptyTicks += 1 }

    // MARK: Single events

    /// Whether this was the first.
    mutating func countNestedTick() -> Bool {
        counters.nestedTicks += 1
        return counters.nestedTicks == 1
    }

    mutating func countFrameHandler() { counters.callbacks += 1 }
    mutating func countError() { counters.callbackErrors += 1 }
    mutating func countInboxEntries(_ count: Int) { counters.inboxEntries += count }
    /// A request for a tick was not needed.
    @inline(__always) mutating func countSparedRequest() { counters.hintsCoalesced += 1 }
}

/// Equal latencies that follow each other, such as those of one batch, so that they are recorded in one step.
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
