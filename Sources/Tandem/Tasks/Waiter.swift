// SPDX-License-Identifier: Apache-2.0
// Waiter: one task that waits for a timer, a descriptor or anything else of the loop's.
// Idea:   whatever comes first, the event or the cancellation, decides the outcome and takes the other one's means away. The outcome
//         stands from then on: what the event has taken from the kernel or from a queue reaches the task, also if it is cancelled, or
//         its loop ends, before it runs again. The task sees that at its next wait.
// Owner:  the UI thread. Only `cancel` may come from another, and it goes through the inbox.
// Breaks: a cancellation that replaced an outcome would throw away an event, a connection or a result that nobody else has.

package final class Waiter: @unchecked Sendable {
    // Safe to send: every field belongs to the UI thread; `cancel` hands over to it.

    private let loop: GuestLoop
    /// Where the task waits, and goes on.
    private let isolation: (any Actor)?
    private var continuation: UnsafeContinuation<Void, any Error>?
    /// Removes what would have resumed the task: its timer, registration or place in a line.
    private var disarm: (() -> Void)?
    /// The outcome, if it was decided before the task was suspended: by a cancellation, or by `arm` itself.
    private var early: Result<Void, any Error>?
    /// The timer that ends the wait when it has lasted too long.
    private var limit: CallbackHandle?
    /// What the task says of its wait, for reports, if it is in the loop's list; sleeps and descriptors are found by their handles.
    private(set) var note: WaitNote?

    init(loop: GuestLoop, isolation: (any Actor)?) {
        self.loop = loop
        self.isolation = isolation
    }

    /// Suspends: keeps the continuation, unless the outcome is known already. `arm` returns how to disarm; it may resume the waiter.
    func begin(_ continuation: UnsafeContinuation<Void, any Error>, arm: () throws -> () -> Void) {
        loop.thread.check("the beginning of a wait")
        do {
            try early?.get()
            let disarm = try arm()
            guard let early else {
                self.disarm = disarm
                self.continuation = continuation
                return
            }
            if case .failure = early { disarm() }
        } catch {
            early = .failure(error)
        }
        let outcome = early!
        endLimit()
        leaveList()
        loop.resuming(isolation) { continuation.resume(with: outcome) }
    }

    /// Enters the loop's list of waits that are neither timers nor descriptors, so that the loop's end finds it. Left when the wait ends.
    func list(_ note: WaitNote) {
        self.note = note
        loop.members.add(self)
    }

    /// Ends the wait with what `error` makes, unless it has ended, when `duration` has passed.
    func setLimit(_ duration: Duration, _ site: CallSite, _ error: @escaping () -> any Error) {
        let deadline = loop.time.now.addingClamped(max(0, duration.nanosecondsRoundedUp))
        limit = loop.arm(.call { [weak self] in self?.resume(throwing: error()) }, deadline, site)
    }

    private func endLimit() {
        limit?.cancel()
        limit = nil
    }

    /// UI thread: has the wait begun, and is its outcome open?
    package var isWaiting: Bool { continuation != nil }

    /// What was waited for has come. Changes nothing once the outcome is decided: ask `isWaiting` before taking anything for the task.
    package func resume() {
        disarm = nil
        guard let continuation = take() else { return decideEarly(.success(())) }
        loop.resuming(isolation) { continuation.resume() }
    }

    /// The wait ends without what was waited for. Changes nothing once the outcome is decided.
    func resume(throwing error: any Error) {
        let disarm = self.disarm
        self.disarm = nil
        let continuation = take()
        disarm?()
        guard let continuation else { return decideEarly(.failure(error)) }
        loop.resuming(isolation) { continuation.resume(throwing: error) }
    }

    /// Before the task is suspended; afterwards nobody looks.
    private func decideEarly(_ outcome: Result<Void, any Error>) {
        if early == nil { early = outcome }
    }

    /// Any thread: the task was cancelled.
    func cancel() {
        if loop.thread.isCurrent {
            resume(throwing: CancellationError())
        } else {
            // A refusal means that the loop has closed, which resumed every waiter.
            loop.postInternally { self.resume(throwing: CancellationError()) }
        }
    }

    private func take() -> UnsafeContinuation<Void, any Error>? {
        let taken = continuation
        continuation = nil
        if limit != nil { endLimit() }
        leaveList()
        return taken
    }

    private func leaveList() {
        guard note != nil else { return }
        note = nil
        loop.members.remove(self)
    }
}

// The isolation travels as a parameter, and the closures name it: the standard library's function takes a closure that would
// otherwise leave the caller's actor for the global pool and come back, once for every wait.

extension GuestLoop {
    /// Suspends the calling task, which runs on the UI thread, until what `arm` set up resumes its waiter.
    private func wait(isolation: isolated (any Actor)?, arm: (Waiter) throws -> () -> Void) async throws {
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
        try Task.checkCancellation()
        try admission.admit("a wait for a host's event")
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
        // Before all else: a cancelled task's wait throws that, whatever has become of the loop.
        try Task.checkCancellation()
        if admission.isClosed { throw GuestError.closed }
        if thread.isCurrent {
            try admission.admitWait()
            return try await wait(isolation: isolation, arm: arm)
        }
        shared.countHandedOverWait()
        let waiter = Waiter(loop: self, isolation: isolation)
        try await withTaskCancellationHandler(
            operation: {
                _ = isolation
                try await withUnsafeThrowingContinuation(isolation: isolation) { continuation in
                    let isAccepted = postInternally {
                        waiter.begin(continuation) {
                            try self.admission.admitWait()
                            return try arm(waiter)
                        }
                    }
                    if !isAccepted { continuation.resume(throwing: GuestError.closed) }
                }
            }, onCancel: { waiter.cancel() }, isolation: isolation)
    }
}
