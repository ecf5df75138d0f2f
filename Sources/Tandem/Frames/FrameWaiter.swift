// SPDX-License-Identifier: Apache-2.0
// FrameWaiter: one task that waits for a frame.
// Idea:   the same object serves wait after wait, so that waiting for frames allocates nothing once the program runs.
//         Each wait has a number, because a cancellation from another thread arrives later, through the inbox, and must
//         not end the next wait.
// Owner:  the UI thread. Only `cancel` may be called on another thread.

final class FrameWaiter: @unchecked Sendable {
    // Safe to send: every field is used on the UI thread only; `cancel` sends its work there.

    // Safe: a waiting task keeps its loop alive, and the loop keeps the line; a free waiter does not use `line`. The
    // line holds its waiters, so that a strong reference here would be a cycle that is never freed.
    private unowned let line: FrameLine
    private var continuation: UnsafeContinuation<Frame, any Error>?
    private var isolation: (any Actor)?
    private var isCancelled = false
    /// The number of the present wait, or of the last one.
    private(set) var number: UInt64 = 0
    private(set) var phase = FramePhase.update
    private(set) var site = CallSite()
    /// The wait belongs to a sequence of frames, which a host can end.
    private(set) var isOfSequence = false
    /// If there is a condition, the wait ends at the first frame in which it returns true.
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

    /// Suspends the task, unless it was cancelled before this call.
    func begin(_ continuation: UnsafeContinuation<Frame, any Error>) {
        self.continuation = continuation
        if isCancelled {
            end(with: .failure(CancellationError()))
        } else {
            line.append(self)
        }
    }

    /// Resumes the task with `frame` if its condition returns true. `false`: it goes on waiting.
    func resume(_ frame: Frame) -> Bool {
        if let condition, !condition() { return false }
        end(with: .success(frame))
        return true
    }

    /// Ends the wait. After that the waiter may be used for another one.
    func end(with result: Result<Frame, any Error>) {
        guard let continuation else { return }
        let isolation = self.isolation
        let released = condition
        self.continuation = nil
        self.isolation = nil
        condition = nil
        line.recycle(self)
        line.loop.resuming(isolation) { continuation.resume(with: result) }
        // What the condition has captured is released here, while no list is being changed: a `deinit` may call
        // anything.
        withExtendedLifetime(released) {}
    }

    /// Any thread: the task was cancelled while it was in wait number `wait`.
    func cancel(_ wait: UInt64) {
        let loop = line.loop
        if loop.thread.isCurrent {
            cancelOnUIThread(wait)
        } else {
            // If this is refused, the loop has closed, and closing has ended every wait.
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
