// SPDX-License-Identifier: Apache-2.0
// ReadyQueues: callbacks, posts and Swift jobs that are ready to run, in the order in which they became ready. Jobs
//              that a frame's phase has resumed are in a queue of their own, and run in that phase.
// Owner:  the UI thread. Other threads put their work into the `Inbox`.

struct ReadyQueues: ~Copyable {
    private var work = TaskQueue<ReadyWork>()
    private var phase = TaskQueue<ReadyWork>()
    /// Whether a frame's phase runs.
    private(set) var isInPhase = false

    @inline(__always) var count: Int { work.count }
    @inline(__always) var isEmpty: Bool { work.isEmpty }
    var phaseCount: Int { phase.count }

    @inline(__always) mutating func append(_ new: consuming Work, readyAt: Nanoseconds) {
        work.append(ReadyWork(work: new, readyAt: readyAt))
    }

    @inline(__always) mutating func appendToPhase(_ new: consuming Work, readyAt: Nanoseconds) {
        phase.append(ReadyWork(work: new, readyAt: readyAt))
    }

    mutating func next() -> ReadyWork? { work.popFirst() }
    @inline(__always) mutating func next(ofPhase: Bool) -> ReadyWork? { ofPhase ? phase.popFirst() : work.popFirst() }

    /// Moves work from the inbox into the queue, at most `limit` entries. Returns how many.
    mutating func takeIn(_ shared: SharedState, limit: Int = .max) -> Int {
        shared.emptyInbox(into: &work, limit: limit)
    }

    mutating func beginPhase() { isInPhase = true }

    /// The phase has ended, or is paused for a modal loop: what is left of it goes to the next tick.
    mutating func endPhase() {
        isInPhase = false
        while let entry = phase.popFirst() { work.append(entry) }
    }

    /// The paused phase goes on.
    mutating func resumePhase(_ wasInPhase: Bool) { isInPhase = wasInPhase }

    /// For reports.
    func visit(_ body: (borrowing ReadyWork) -> Void) { work.visit(body) }
}
