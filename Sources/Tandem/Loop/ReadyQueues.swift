// SPDX-License-Identifier: Apache-2.0
// ReadyQueues: callbacks, posts and Swift jobs that are ready to run, in the order in which they became so. What a frame's phase has resumed
//              stands in a queue of its own, and runs in that phase.
// Owner:  the UI thread. Other threads leave their work in the `Inbox`.

struct ReadyQueues {
    private let work = TaskQueue<ReadyWork>()
    private let phase = TaskQueue<ReadyWork>()
    /// A frame's phase is under way.
    private(set) var isInPhase = false

    @inline(__always) var count: Int { work.count }
    @inline(__always) var isEmpty: Bool { work.isEmpty }
    var phaseCount: Int { phase.count }

    @inline(__always) func append(_ new: consuming Work, readyAt: Nanoseconds) {
        work.append(ReadyWork(work: new, readyAt: readyAt))
    }

    func appendToPhase(_ new: consuming Work, readyAt: Nanoseconds) {
        phase.append(ReadyWork(work: new, readyAt: readyAt))
    }

    @inline(__always) func next() -> ReadyWork? { work.popFirst() }
    @inline(__always) func nextOfPhase() -> ReadyWork? { phase.popFirst() }

    /// Takes in what other threads have left, at most `limit` of it. Returns how much it was.
    func takeIn(_ inbox: Inbox, limit: Int = .max) -> Int { inbox.empty(into: work, limit: limit) }

    mutating func beginPhase() { isInPhase = true }

    /// The phase has ended, or stands aside for a modal loop: what is left of it belongs to the next tick.
    mutating func endPhase() {
        isInPhase = false
        while let entry = phase.popFirst() { work.append(entry) }
    }

    /// The phase that stood aside goes on.
    mutating func resumePhase(_ wasInPhase: Bool) { isInPhase = wasInPhase }

    /// For reports.
    func visit(_ body: (borrowing ReadyWork) -> Void) { work.visit(body) }
}
