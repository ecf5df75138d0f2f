// SPDX-License-Identifier: Apache-2.0
// FrameWaiter: one task that waits for a frame.
// Idea:   waiters are used again, frame after frame, so that waiting allocates nothing in the steady state. Each wait has a number: a
//         cancellation that comes late, by way of the inbox, must not end the next wait.
// Owner:  the UI thread. Only `cancel` may come from another.

final class FrameWaiter: @unchecked Sendable {
    // Safe to send: every field belongs to the UI thread; `cancel` hands over to it.

    // Safe: a task that waits keeps its loop, which keeps the line; a waiter that serves nobody does not use it. The line keeps its waiters, so that
    // a reference the other way would keep both for ever.
    private unowned let line: FrameLine
    private var continuation: UnsafeContinuation<Frame, any Error>?
    private var isolation: (any Actor)?
    private var isCancelled = false
    /// Which of the waits that this object has served, or is serving.
    private(set) var number: UInt64 = 0
    private(set) var phase = FramePhase.update
    private(set) var site = CallSite()
    /// The wait is a step of a sequence, which can end.
    private(set) var isOfSequence = false
    /// What has to hold, too, when the frame comes.
    private var condition: (() -> Bool)?

    init(line: FrameLine) { self.line = line }

    var isWaiting: Bool { continuation != nil }

    /// A new wait.
    func prepare(
        _ phase: FramePhase, _ condition: (() -> Bool)?, _ site: CallSite, isOfSequence: Bool, _ isolation: (any Actor)?
    ) {
        number += 1
        isCancelled = false
        self.phase = phase
        self.condition = condition
        self.site = site
        self.isOfSequence = isOfSequence
        self.isolation = isolation
    }

    /// Suspends, unless a cancellation was quicker.
    func begin(_ continuation: UnsafeContinuation<Frame, any Error>) {
        self.continuation = continuation
        if isCancelled {
            end(with: .failure(CancellationError()))
        } else {
            line.append(self)
        }
    }

    /// Resumes the task with `frame` if its condition holds; `false` if it waits on.
    func resume(_ frame: Frame) -> Bool {
        if let condition, !condition() { return false }
        end(with: .success(frame))
        return true
    }

    /// Ends the wait. The waiter is free for another one then.
    func end(with result: Result<Frame, any Error>) {
        guard let continuation else { return }
        let isolation = self.isolation
        let released = condition
        self.continuation = nil
        self.isolation = nil
        condition = nil
        line.recycle(self)
        line.loop.resuming(isolation) { continuation.resume(with: result) }
        // What the condition captured goes here, when nothing of the line is being changed.
        withExtendedLifetime(released) {}
    }

    /// Any thread: the task was cancelled while it was in wait number `wait`.
    func cancel(_ wait: UInt64) {
        let loop = line.loop
        if loop.thread.isCurrent {
            cancelOnUIThread(wait)
        } else {
            // A refusal means that the loop has closed, which ended every wait.
            loop.postInternally { self.cancelOnUIThread(wait) }
        }
    }

    private func cancelOnUIThread(_ wait: UInt64) {
        guard wait == number else { return }
        isCancelled = true
        guard continuation != nil else { return }
        line.remove(self)
        end(with: .failure(CancellationError()))
    }
}
