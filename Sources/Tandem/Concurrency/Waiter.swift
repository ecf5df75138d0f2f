// SPDX-License-Identifier: Apache-2.0
// Waiter: one task that waits for a timer, a descriptor or anything else of the loop's.
// Idea:   whoever comes first, the event or the cancellation, resumes the task and takes the other one's means away.
// Owner:  the UI thread. Only `cancel` may come from another, and it goes through the inbox.

final class Waiter: @unchecked Sendable {
    // Safe to send: every field belongs to the UI thread; `cancel` hands over to it.

    private let loop: GuestLoop
    private var continuation: UnsafeContinuation<Void, any Error>?
    /// Removes what would have resumed the task: its timer, registration or place in a line.
    private var disarm: (() -> Void)?
    private var isCancelled = false

    init(loop: GuestLoop) {
        self.loop = loop
    }

    /// Suspends: keeps the continuation, unless a cancellation was quicker. `arm` returns how to disarm.
    func begin(_ continuation: UnsafeContinuation<Void, any Error>, arm: () throws -> () -> Void) {
        guard !isCancelled else { return continuation.resume(throwing: CancellationError()) }
        do {
            disarm = try arm()
            self.continuation = continuation
        } catch {
            continuation.resume(throwing: error)
        }
    }

    /// What was waited for has come.
    func resume() {
        disarm = nil
        take()?.resume()
    }

    /// The wait ends without what was waited for. Harmless after it ended.
    func resume(throwing error: any Error) {
        let disarm = self.disarm
        self.disarm = nil
        let continuation = take()
        disarm?()
        continuation?.resume(throwing: error)
    }

    /// Any thread: the task was cancelled.
    func cancel() {
        if loop.thread.isCurrent {
            cancelOnUIThread()
        } else {
            // A refusal means that the loop has closed, which resumed every waiter.
            loop.postInternally { self.cancelOnUIThread() }
        }
    }

    private func cancelOnUIThread() {
        isCancelled = true
        resume(throwing: CancellationError())
    }

    private func take() -> UnsafeContinuation<Void, any Error>? {
        let taken = continuation
        continuation = nil
        return taken
    }
}

extension GuestLoop {
    /// As ``wait(arm:)``, for waits that generic code may start on another thread: then `arm` is handed over.
    nonisolated(nonsending) func waitFromAnywhere(arm: @escaping @Sendable (Waiter) throws -> () -> Void) async throws {
        if isClosed.load(ordering: .acquiring) { throw GuestError.closed }
        if thread.isCurrent {
            try admitWait("a sleep")
            return try await wait(arm: arm)
        }
        try Task.checkCancellation()
        let waiter = Waiter(loop: self)
        try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                let isAccepted = postInternally {
                    waiter.begin(continuation) {
                        try self.admitWait("a sleep")
                        return try arm(waiter)
                    }
                }
                if !isAccepted { continuation.resume(throwing: GuestError.closed) }
            }
        } onCancel: {
            waiter.cancel()
        }
    }

    /// Suspends the calling task, which runs on the UI thread, until what `arm` set up resumes its waiter.
    nonisolated(nonsending) func wait(arm: (Waiter) throws -> () -> Void) async throws {
        try Task.checkCancellation()
        let waiter = Waiter(loop: self)
        try await withTaskCancellationHandler {
            // Safe without checks: `Waiter` gives its continuation away once, and each end of the loop visits all waiters.
            try await withUnsafeThrowingContinuation { continuation in
                waiter.begin(continuation) { try arm(waiter) }
            }
        } onCancel: {
            waiter.cancel()
        }
    }
}
