// SPDX-License-Identifier: Apache-2.0
// FrameWaiter: one task that waits for a frame.
// Idea:   the same object serves wait after wait, so that waiting for frames allocates nothing once the program runs.
//         Each wait has a number, because a cancellation from another thread arrives later, through the inbox, and must
//         not end the next wait. The object is free for the next wait when its task has taken the outcome.
// Owner:  the UI thread. Only `wasCancelled` may be called on another thread.

final class FrameWaiter: CancellableWait, @unchecked Sendable {
    // Safe to send: every field is used on the UI thread only; `wasCancelled` sends its work there. The task reads the
    // outcome after it was resumed, when nobody writes it any more.

    // Safe: a waiting task keeps its loop alive, and the loop keeps its queues; a free waiter does not use `queues`. The
    //       queues hold their waiters, so that a strong reference here would be a cycle that is never freed.
    private let queues: Unmanaged<FrameQueues>
    // Exclusivity of these is not checked: no method calls user code while it changes one.
    @exclusivity(unchecked) private var continuation: UnsafeContinuation<Void, Never>?
    /// The actor on which the task goes on, if the loop knows it.
    @exclusivity(unchecked) private var actor: KnownActor?
    @exclusivity(unchecked) private var isCancelled = false
    /// The outcome: the error that has ended the wait, or the frame that came.
    @exclusivity(unchecked) private var failure: (any Error)?
    @exclusivity(unchecked) private var frame: Frame
    /// The number of the present wait, or of the last one.
    @exclusivity(unchecked) private(set) var number: UInt64 = 0
    @exclusivity(unchecked) private(set) var phase = FramePhase.update
    @exclusivity(unchecked) private(set) var site = CallSite()
    /// As `Waiter.began`.
    @exclusivity(unchecked) private(set) var began: Nanoseconds = 0
    /// The wait belongs to a sequence of frames, which a host can end.
    @exclusivity(unchecked) private(set) var isOfSequence = false
    /// If there is a condition, the wait ends at the first frame in which it returns true.
    @exclusivity(unchecked) private var condition: (() -> Bool)?

    init(queues: FrameQueues, _ frame: Frame) {
        self.queues = .passUnretained(queues)
        self.frame = frame
    }

    var isWaiting: Bool { continuation != nil }

    /// Calls `body` with the queues, without taking a reference.
    @inline(__always) private func withQueues<Result>(_ body: (FrameQueues) -> Result) -> Result {
        queues._withUnsafeGuaranteedRef(body)
    }

    @inline(__always) private func withLoop<Result>(_ body: (GuestLoop) -> Result) -> Result {
        withQueues { $0.withLoop(body) }
    }

    /// A new wait.
    func prepare(
        _ phase: FramePhase, _ condition: (() -> Bool)?, _ site: CallSite, isOfSequence: Bool, _ isolation: (any Actor)?
    ) {
        number += 1
        isCancelled = false
        self.phase = phase
        self.condition = condition
        self.site = site
        (began, actor) = withLoop { ($0.tickState.clock.mark, $0.knownActor(isolation)) }
        self.isOfSequence = isOfSequence
    }

    /// Suspends the task, unless it was cancelled before this call.
    func begin(_ continuation: UnsafeContinuation<Void, Never>) {
        self.continuation = continuation
        if isCancelled {
            end(throwing: CancellationError())
        } else {
            withQueues { $0.append(self) }
        }
    }

    /// Resumes the task with `frame` if its condition returns true. `false`: it goes on waiting.
    func resume(_ frame: borrowing Frame) -> Bool {
        if let condition, !condition() { return false }
        // The condition may have cancelled the task.
        guard continuation != nil else { return true }
        self.frame = copy frame
        goOn()
        return true
    }

    /// Ends the wait.
    func end(throwing error: any Error) {
        guard continuation != nil else { return }
        failure = error
        goOn()
    }

    private func goOn() {
        let released = condition.take()
        let continuation = continuation.take()!
        withLoop { loop in
            loop.attributing(to: site) { loop.resuming(on: actor) { continuation.resume() } }
        }
        // What the condition captured is released here, while nothing of the queues is being changed.
        withExtendedLifetime(released) {}
    }

    /// Called by the task after it was resumed, once for each wait: the frame that came.
    ///
    /// - Throws: the error that has ended the wait.
    func finish() throws -> Frame {
        let failure = failure.take()
        // After the loop has closed the task may run on another thread; then the waiter is not used again.
        withQueues { if $0.isOnUIThread { $0.recycle(self) } }
        if let failure { throw failure }
        return frame
    }

    /// Any thread: the task that is in this wait was cancelled.
    override func wasCancelled() {
        let wait = number
        if withQueues({ $0.isOnUIThread }) {
            cancelOnUIThread(wait)
        } else {
            // If this is refused, the loop has closed, and closing has ended every wait.
            withLoop { _ = $0.postInternally { self.cancelOnUIThread(wait) } }
        }
    }

    private func cancelOnUIThread(_ wait: UInt64) {
        guard wait == number else { return }
        isCancelled = true
        guard continuation != nil else { return }
        withQueues { $0.remove(self) }
        end(throwing: CancellationError())
    }
}
