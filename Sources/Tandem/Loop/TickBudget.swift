// SPDX-License-Identifier: Apache-2.0
// TickBudget: how long one tick may run, how often it may poll, and what it has done so far.
// Owner:  the UI thread, while the tick runs.

import TandemCLinux

struct TickBudget {
    /// The most polls of one tick. With more, descriptors that are always ready would keep a tick until its budget is
    /// used up.
    private static let hotPolls = 64
    /// In virtual time no time passes during a tick. After this many passes a tick ends, so that callbacks that go on
    /// scheduling callbacks do not keep it for ever.
    private static let virtualPasses = 10_000

    /// When the tick before this one ended.
    let endOfLast: Nanoseconds
    /// What the host does after the tick.
    let next: AfterTick
    let cyclesUntilLook = tandem_cycles_in_10us()
    private let began: Nanoseconds
    private let budget: Nanoseconds
    private let isVirtual: Bool
    private var pollsLeft = hotPolls
    private(set) var report = TickReport()
    /// The budget is used up. The present pass ends early.
    private(set) var isSpent = false
    /// The kernel refused a poll.
    private(set) var pollFailed = false
    /// The piece of work that has just run is not part of a recorded run.
    private var ranUnrecorded = false
    /// The last poll has found events of descriptors.
    private(set) var hasFoundEvents = false
    /// The tick could end, and polls once more because of those events.
    private var pollsAgain = false
    /// The last pass has read the clock, and found nothing to run.
    private(set) var isClockFresh = false
    /// The next look into the inbox comes after a pause for posts.
    private var hasPaused = false

    /// The sleep that has just ended watched the descriptors, and none was ready.
    private let sleepSawNothing: Bool

    init(
        budget: Nanoseconds, began: Nanoseconds, endOfLast: Nanoseconds, isVirtual: Bool, next: AfterTick = .unknown,
        sleepSawNothing: Bool = false
    ) {
        self.sleepSawNothing = sleepSawNothing
        self.budget = max(0, budget)
        self.began = began
        self.endOfLast = endOfLast
        self.isVirtual = isVirtual
        self.next = next
    }

    // MARK: The budget

    /// The tick is one pass, however long it takes.
    var isOnePass: Bool { budget == 0 }

    var isAfterFirstPass: Bool { report.passes > 0 }

    mutating func beginPass() { report.passes += 1 }

    /// Asked after a pass: whether the tick ends.
    var isOver: Bool { isSpent || isOnePass || (isVirtual && report.passes >= Self.virtualPasses) }

    /// Compares the time with the budget, which may be used up by now.
    mutating func noteTime(_ now: Nanoseconds) {
        if !isOnePass, !isVirtual, now - began >= budget { isSpent = true }
    }

    /// Ends the budget, because the recorded tick ended here.
    mutating func end() { isSpent = true }

    mutating func noteClockIsFresh() { isClockFresh = true }

    mutating func noteUnrecorded() { ranUnrecorded = true }

    /// Whether the last piece of work was no part of a recorded run.
    mutating func takeUnrecorded() -> Bool {
        defer { ranUnrecorded = false }
        return ranUnrecorded
    }

    // MARK: Polls

    /// Whether the tick, which has the turn, may poll: at its start, and after that as long as polls are left. If there
    /// is work in the queue, only in every eighth pass. Not at its start if the poll would only find again what a sleep
    /// has just found, nothing, and the next sleep of this thread watches the descriptors anyway.
    mutating func mayPoll(queueIsEmpty: Bool, descriptors: Int) -> Bool {
        guard pollsLeft > 0 else { return false }
        if report.passes == 0 {
            if sleepSawNothing, next == .wait { return false }
        } else {
            guard descriptors > 0, queueIsEmpty || report.passes % 8 == 0 else { return false }
        }
        pollsLeft -= 1
        return true
    }

    mutating func notePollFailed() { pollFailed = true }

    mutating func pollAgain() { pollsAgain = true }

    /// Whether the poll that was just made is such a further one.
    mutating func takePollAgain() -> Bool {
        defer { pollsAgain = false }
        return pollsAgain
    }

    // MARK: The pause for posts

    /// Whether there is time for a pause for posts. A tick before a frame does not pause.
    func hasTimeToPause(at now: Nanoseconds) -> Bool {
        next == .wait && !isOnePass && !isVirtual && now - began + 2 * PostCoalescing.pause < budget
    }

    mutating func notePause() { hasPaused = true }

    /// The tick has looked into the inbox. Returns whether that came after a pause.
    mutating func takePause() -> Bool {
        defer { hasPaused = false }
        return hasPaused
    }

    // MARK: Figures

    /// When the tick has finished: what is left of its budget, for reports.
    var timeLeft: Nanoseconds { max(0, budget - report.elapsedNanoseconds) }

    mutating func countEvents(_ count: Int) {
        report.ioEvents += count
        hasFoundEvents = count > 0
    }
    @inline(__always) mutating func countCallback() { report.callbacks += 1 }
    @inline(__always) mutating func countJob() { report.jobs += 1 }
    @inline(__always) mutating func countTimer() { report.timersFired += 1 }

    /// Fills in the figures that are known at the tick's end.
    mutating func finish(carriedOver: Int, now: Nanoseconds, paused: Nanoseconds) {
        report.carriedOver = carriedOver
        report.elapsedNanoseconds = now - began - paused
        report.overrunNanoseconds = isOnePass || isVirtual ? 0 : max(0, report.elapsedNanoseconds - budget)
    }
}
