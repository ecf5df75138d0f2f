// SPDX-License-Identifier: Apache-2.0
// TickBudget: how long a tick may go on, how often it may poll, and its figures so far.
// Owner:  the UI thread, for as long as the tick runs.

import TandemCLinux

struct TickBudget {
    /// Polls of a tick that keeps the turn: more would let descriptors that are always ready hold a tick to the end of its budget.
    private static let hotPolls = 64
    /// What a poll has found is looked at once more by the next one. If it was more than a few, a tick that a frame waits for polls again only when
    /// its handlers took so long for each that this is no matter. Else the backend polls, on another core, while the frame is drawn.
    private static let few = 16
    private static let worthASecondLook: Nanoseconds = 2_500
    /// Waits for timers in one tick; what goes on like that must not hold a frame to the end of its budget.
    private static let timerWaits = 32
    /// Nanoseconds; a few dozen polls.
    private static let restAfterEmptyPoll: Nanoseconds = 20_000
    /// In virtual time no budget passes; this many passes end an endless chain of callbacks.
    private static let virtualPasses = 10_000
    /// So many posts in one look are a flood, and those of one that is worth taking in at once.
    private static let flood = 4..<512

    /// When the tick before this one ended.
    let endOfLast: Nanoseconds
    /// What the host does afterwards.
    let next: AfterTick
    let cyclesUntilLook = tandem_cycles_in_10us()
    private let began: Nanoseconds
    private let budget: Nanoseconds
    private let isVirtual: Bool
    private var pollsLeft = hotPolls
    private var waitsLeft = timerWaits
    private var nextPoll: Nanoseconds = 0
    private(set) var report = TickReport()
    /// The budget is used up, the pass under way ends early.
    private(set) var isSpent = false
    /// The kernel refused a poll.
    private(set) var pollFailed = false
    /// The next look follows a pause for posts.
    private var hasPaused = false
    /// What the last look into the inbox found.
    private var batch = 0

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

    // MARK: Polls

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

    /// The poll has found so much.
    mutating func notePoll(_ count: Int, now: Nanoseconds) {
        if count == 0 {
            nextPoll = now + Self.restAfterEmptyPoll
        } else {
            nextPoll = next != .wait && count > Self.few ? now + Int64(count) * Self.worthASecondLook : now
        }
    }

    mutating func notePollFailed() { pollFailed = true }

    // MARK: Waits

    /// May the tick wait for a timer that is nearly due? Not while a frame waits for it, not at its very start, and not all through its budget.
    mutating func mayWaitOnce() -> Bool {
        guard next == .wait, report.passes > 0, !isSpent, waitsLeft > 0 else { return false }
        waitsLeft -= 1
        return true
    }

    /// A frame is not kept waiting by a pause for posts.
    func hasTimeToPause(at now: Nanoseconds) -> Bool {
        next == .wait && !isOnePass && !isVirtual && now - began + 2 * PostCoalescing.pause < budget
    }

    mutating func notePause() { hasPaused = true }

    /// The look into the inbox has found so much. Whether it followed a pause.
    mutating func noteBatch(_ count: Int) -> Bool {
        defer { hasPaused = false }
        batch = count
        return hasPaused
    }

    /// Another thread posts faster than it is worth to look: each look takes the lock's memory away from it, and a look at every post
    /// would cost both more than the posts. A few microseconds later there is a batch.
    func letFloodGather() {
        if Self.flood.contains(batch) { tandem_pause(cyclesUntilLook / 2) }
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
