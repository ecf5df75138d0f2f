// SPDX-License-Identifier: Apache-2.0
// TickUnderWay: the budget of a tick, and its figures so far.
// Owner:  the UI thread, for as long as the tick runs.

import TandemCLinux

/// The budget of a tick, and its figures so far.
struct TickUnderWay {
    /// Polls of a tick that keeps the turn: more would let descriptors that are always ready hold a tick to the end of its budget.
    private static let hotPolls = 64
    /// What a poll has found is looked at once more by the next one. If it was more than a few, a tick that a frame waits for polls again only when
    /// its handlers took so long for each that this is no matter. Else the backend polls, on another core, while the frame is drawn.
    private static let few = 16
    private static let worthASecondLook: Nanoseconds = 2_500
    /// So soon a timer has to be due to be waited for: about as long as it takes to fall asleep and to be woken.
    static let wakeUp: Nanoseconds = 20_000
    /// Such waits in one tick; what goes on like that must not hold a frame to the end of its budget.
    private static let timerWaits = 32
    /// Nanoseconds; a few dozen polls.
    private static let restAfterEmptyPoll: Nanoseconds = 20_000
    /// In virtual time no budget passes; this many passes end an endless chain of callbacks.
    private static let virtualPasses = 10_000

    let began: Nanoseconds
    /// When the tick before this one ended.
    let endOfLast: Nanoseconds
    private let budget: Nanoseconds
    private let isVirtual: Bool
    /// What the host does afterwards.
    let next: AfterTick
    private var pollsLeft = hotPolls
    private var waitsLeft = timerWaits
    private var nextPoll: Nanoseconds = 0
    var report = TickReport()
    /// The longest stretch between two looks at the clock.
    var longest: Nanoseconds = 0
    var latency = LatencyRun()
    let cyclesUntilLook = tandem_cycles_in_10us()
    /// The next look follows a nap.
    var hasNapped = false
    /// The kernel refused a poll.
    var pollFailed = false
    /// What the last look into the inbox found.
    var gulp = 0
    /// What has just run is no part of a recorded run.
    var ranUnrecorded = false
    /// The budget is used up, the pass under way ends early.
    private(set) var isSpent = false

    init(
        budget: Nanoseconds, began: Nanoseconds, endOfLast: Nanoseconds, isVirtual: Bool, next: AfterTick = .unknown
    ) {
        self.budget = budget
        self.began = began
        self.endOfLast = endOfLast
        self.isVirtual = isVirtual
        self.next = next
    }

    /// One pass, whatever it takes.
    private var isOnePass: Bool { budget == 0 }

    /// Another thread posts faster than it is worth to look: each look takes the lock's memory away from it, and a look at every post
    /// would cost both more than the posts. A few microseconds later there is a gulp.
    func letFloodGather() {
        if Self.flood.contains(gulp) { tandem_pause(cyclesUntilLook / 2) }
    }

    private static let flood = 4..<512

    /// A frame is not kept waiting by a nap.
    func hasTimeToNap(at now: Nanoseconds) -> Bool {
        next == .wait && !isOnePass && !isVirtual && now - began + 2 * Moderation.nap < budget
    }

    /// Is the budget spent by now?
    mutating func notes(_ now: Nanoseconds) {
        if !isOnePass, !isVirtual, now - began >= budget { isSpent = true }
    }

    /// Ends it, as the recorded one ended here.
    mutating func end() { isSpent = true }

    /// After a pass: is there to be another?
    var isOver: Bool { isSpent || isOnePass || (isVirtual && report.passes >= Self.virtualPasses) }

    /// May the tick, which has the turn, poll? At its very start, if the turn was kept; afterwards with work in the queue only now and then, and
    /// not at once after a poll that has found nothing.
    mutating func mayPoll(queueIsEmpty: Bool, descriptors: Int, now: Nanoseconds) -> Bool {
        guard pollsLeft > 0 else { return false }
        if report.passes > 0 {
            guard descriptors > 0, queueIsEmpty || report.passes % 8 == 0, now >= nextPoll else { return false }
        }
        pollsLeft -= 1
        return true
    }

    /// May the tick wait for a timer that is nearly due? Not while a frame waits for it, not at its very start, and not all through its budget.
    mutating func mayWaitOnce() -> Bool {
        guard next == .wait, report.passes > 0, !isSpent, waitsLeft > 0 else { return false }
        waitsLeft -= 1
        return true
    }

    /// The poll has found so much.
    mutating func notePoll(_ count: Int, now: Nanoseconds) {
        if count == 0 {
            nextPoll = now + Self.restAfterEmptyPoll
        } else {
            nextPoll = next != .wait && count > Self.few ? now + Int64(count) * Self.worthASecondLook : now
        }
    }

    func overrun(at now: Nanoseconds) -> Nanoseconds {
        isOnePass || isVirtual ? 0 : max(0, now - began - budget)
    }
}

/// Latencies in a row that are the same, as those of one batch are, so that they cost one entry together.
struct LatencyRun {
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
