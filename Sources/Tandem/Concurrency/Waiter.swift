// SPDX-License-Identifier: Apache-2.0
// Waiter: one task that waits for a timer, a descriptor or anything else of the loop's.
// Idea:   whoever comes first, the event or the cancellation, resumes the task and takes the other one's means away.
// Owner:  the UI thread. Only `cancel` may come from another, and it goes through the inbox.

package final class Waiter: @unchecked Sendable {
    // Safe to send: every field belongs to the UI thread; `cancel` hands over to it.

    private let loop: GuestLoop
    /// Where the task waits, and goes on.
    private let isolation: (any Actor)?
    private var continuation: UnsafeContinuation<Void, any Error>?
    /// Removes what would have resumed the task: its timer, registration or place in a line.
    private var disarm: (() -> Void)?
    private var isCancelled = false
    /// What the task says of its wait, for reports, if it is in the loop's list; sleeps and descriptors are found by their handles.
    private(set) var note: WaitNote?

    init(loop: GuestLoop, isolation: (any Actor)?) {
        self.loop = loop
        self.isolation = isolation
    }

    /// Suspends: keeps the continuation, unless a cancellation was quicker. `arm` returns how to disarm.
    func begin(_ continuation: UnsafeContinuation<Void, any Error>, arm: () throws -> () -> Void) {
        loop.thread.check("the beginning of a wait")
        do {
            if isCancelled { throw CancellationError() }
            disarm = try arm()
            self.continuation = continuation
        } catch {
            loop.resuming(isolation) { continuation.resume(throwing: error) }
        }
    }

    /// Enters the loop's list of waits that are neither timers nor descriptors, so that the loop's end finds it. Left when the wait ends.
    func list(_ note: WaitNote) {
        self.note = note
        loop.otherWaiters[ObjectIdentifier(self)] = self
    }

    /// UI thread: has the wait begun, and not ended?
    package var isWaiting: Bool { continuation != nil }

    /// What was waited for has come.
    package func resume() {
        disarm = nil
        guard let continuation = take() else { return }
        loop.resuming(isolation) { continuation.resume() }
    }

    /// The wait ends without what was waited for. Harmless after it ended.
    func resume(throwing error: any Error) {
        let disarm = self.disarm
        self.disarm = nil
        let continuation = take()
        disarm?()
        guard let continuation else { return }
        loop.resuming(isolation) { continuation.resume(throwing: error) }
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
        if note != nil {
            note = nil
            loop.otherWaiters[ObjectIdentifier(self)] = nil
        }
        return taken
    }
}

// The isolation travels as a parameter, and the closures name it: the standard library's function takes a closure that would
// otherwise leave the caller's actor for the global pool and come back, once for every wait.

extension GuestLoop {
    /// Suspends the calling task, which runs on the UI thread, until what `arm` set up resumes its waiter.
    private func wait(isolation: isolated (any Actor)?, arm: (Waiter) throws -> () -> Void) async throws {
        try Task.checkCancellation()
        let waiter = Waiter(loop: self, isolation: isolation)
        try await withTaskCancellationHandler(
            operation: {
                _ = isolation
                // Safe without checks: `Waiter` gives its continuation away once, and each end of the loop visits all waiters.
                try await withUnsafeThrowingContinuation(isolation: isolation) { continuation in
                    waiter.begin(continuation) { try arm(waiter) }
                }
            }, onCancel: { waiter.cancel() }, isolation: isolation)
    }

    /// UI thread, for hosts: suspends the calling task until what `arm` set up resumes its waiter, the task is cancelled, or the loop ends.
    /// `arm` returns how to take that away again.
    package func wait(
        for reason: String, site: CallSite, isolation: isolated (any Actor)? = #isolation,
        arm: (Waiter) throws -> () -> Void
    ) async throws {
        if isClosed.load(ordering: .acquiring) { throw GuestError.closed }
        thread.check("a wait for a host's event")
        try admitWait()
        try await wait(isolation: isolation) { waiter in
            let disarm = try arm(waiter)
            waiter.list(WaitNote(kind: .other, site: site, reason: reason))
            return disarm
        }
    }

    /// Suspends the calling task until what `arm` set up resumes its waiter. On another thread than the UI thread, where generic
    /// and nonisolated code may run, `arm` is handed over.
    func waitFromAnywhere(
        isolation: isolated (any Actor)?, arm: @escaping @Sendable (Waiter) throws -> () -> Void
    ) async throws {
        if isClosed.load(ordering: .acquiring) { throw GuestError.closed }
        if thread.isCurrent {
            try admitWait()
            return try await wait(isolation: isolation, arm: arm)
        }
        try Task.checkCancellation()
        backstage.waitsHandedOver.add(1, ordering: .relaxed)
        let waiter = Waiter(loop: self, isolation: isolation)
        try await withTaskCancellationHandler(
            operation: {
                _ = isolation
                try await withUnsafeThrowingContinuation(isolation: isolation) { continuation in
                    let isAccepted = postInternally {
                        waiter.begin(continuation) {
                            try self.admitWait()
                            return try arm(waiter)
                        }
                    }
                    if !isAccepted { continuation.resume(throwing: GuestError.closed) }
                }
            }, onCancel: { waiter.cancel() }, isolation: isolation)
    }
}
