// SPDX-License-Identifier: Apache-2.0
// TickBudget: how long a tick may go on, how often it may poll, and its figures so far.
// Owner:  the UI thread, for as long as the tick runs.

import TandemCLinux

struct TickBudget {
    /// Polls of a tick that keeps the turn: more would let descriptors that are always ready hold a tick to the end of its budget.
    private static let hotPolls = 64
    /// In virtual time no budget passes; this many passes end an endless chain of callbacks.
    private static let virtualPasses = 10_000

    /// When the tick before this one ended.
    let endOfLast: Nanoseconds
    /// What the host does afterwards.
    let next: AfterTick
    let cyclesUntilLook = tandem_cycles_in_10us()
    private let began: Nanoseconds
    private let budget: Nanoseconds
    private let isVirtual: Bool
    private var pollsLeft = hotPolls
    private(set) var report = TickReport()
    /// The budget is used up, the pass under way ends early.
    private(set) var isSpent = false
    /// The kernel refused a poll.
    private(set) var pollFailed = false
    /// What has just run is no part of a recorded run.
    private var ranUnrecorded = false
    /// The next look follows a pause for posts.
    private var hasPaused = false

    init(
        budget: Nanoseconds, began: Nanoseconds, endOfLast: Nanoseconds, isVirtual: Bool, next: AfterTick = .unknown
    ) {
        self.budget = max(0, budget)
        self.began = began
        self.endOfLast = endOfLast
        self.isVirtual = isVirtual
        self.next = next
    }

    // MARK: The budget

    /// One pass, whatever it takes.
    private var isOnePass: Bool { budget == 0 }

    var isAfterFirstPass: Bool { report.passes > 0 }

    mutating func beginPass() { report.passes += 1 }

    /// After a pass: is there to be no other?
    var isOver: Bool { isSpent || isOnePass || (isVirtual && report.passes >= Self.virtualPasses) }

    /// Is the budget spent by now?
    mutating func notes(_ now: Nanoseconds) {
        if !isOnePass, !isVirtual, now - began >= budget { isSpent = true }
    }

    /// Ends it, as the recorded one ended here.
    mutating func end() { isSpent = true }

    mutating func noteUnrecorded() { ranUnrecorded = true }

    /// Whether the last piece of work was no part of a recorded run.
    mutating func takeUnrecorded() -> Bool {
        defer { ranUnrecorded = false }
        return ranUnrecorded
    }

    // MARK: Polls

    /// May the tick, which has the turn, poll? At its very start, if the turn was kept; afterwards with work in the queue only now and then.
    mutating func mayPoll(queueIsEmpty: Bool, descriptors: Int) -> Bool {
        guard pollsLeft > 0 else { return false }
        if report.passes > 0 {
            guard descriptors > 0, queueIsEmpty || report.passes % 8 == 0 else { return false }
        }
        pollsLeft -= 1
        return true
    }

    mutating func notePollFailed() { pollFailed = true }

    // MARK: The pause for posts

    /// A frame is not kept waiting by a pause for posts.
    func hasTimeToPause(at now: Nanoseconds) -> Bool {
        next == .wait && !isOnePass && !isVirtual && now - began + 2 * PostCoalescing.pause < budget
    }

    mutating func notePause() { hasPaused = true }

    /// The look into the inbox is over. Whether it followed a pause.
    mutating func takePause() -> Bool {
        defer { hasPaused = false }
        return hasPaused
    }

    // MARK: Figures

    mutating func countEvents(_ count: Int) { report.ioEvents += count }
    @inline(__always) mutating func countCallback() { report.callbacks += 1 }
    @inline(__always) mutating func countJob() { report.jobs += 1 }
    @inline(__always) mutating func countTimer() { report.timersFired += 1 }

    /// What is known when the tick ends.
    mutating func finish(carriedOver: Int, now: Nanoseconds, paused: Nanoseconds) {
        report.carriedOver = carriedOver
        report.elapsedNanoseconds = now - began - paused
        report.overrunNanoseconds = isOnePass || isVirtual ? 0 : max(0, report.elapsedNanoseconds - budget)
    }
}
