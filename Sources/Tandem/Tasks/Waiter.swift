// SPDX-License-Identifier: Apache-2.0
// Waiter: one task that waits for a timer, a descriptor or another event of the loop.
// Idea:   the event or the cancellation, whichever comes first, decides the outcome of the wait and removes the other.
//         After that the outcome does not change: if the event has taken something from the kernel or from a queue, the
//         task receives it, even if it is cancelled, or its loop ends, before the task runs again. The task sees the
//         cancellation at its next wait.
// Owner:  the UI thread. Only `cancel` may be called on another thread; it then passes through the inbox.
// Breaks: if a cancellation replaced an outcome, an event, a connection or a result that nobody else has would be lost.

package final class Waiter: @unchecked Sendable {
    // Safe to send: every field is used on the UI thread only; `cancel` sends its work there.

    private let loop: GuestLoop
    /// The actor in whose isolation the task waits, and on which it resumes.
    private let isolation: (any Actor)?
    private var continuation: UnsafeContinuation<Void, any Error>?
    /// Removes what would have resumed the task: its timer, its registration or its place in a queue.
    private var disarm: (() -> Void)?
    /// The outcome, if it was decided before the task was suspended: by a cancellation, or inside `arm`.
    private var early: Result<Void, any Error>?
    /// The timer that ends the wait when it has lasted too long.
    private var limit: CallbackHandle?
    /// A description of the wait for reports, if the waiter is in the loop's list. Sleeps and waits for descriptors are
    /// not in that list: reports find them by their handles.
    private(set) var note: WaitNote?

    init(loop: GuestLoop, isolation: (any Actor)?) {
        self.loop = loop
        self.isolation = isolation
    }

    /// Suspends the task: stores the continuation, unless the outcome is known already. `arm` sets up what will resume
    /// the task, and returns how to remove that again. It may resume the waiter itself.
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

    /// Adds the waiter to the loop's list of waits that are neither timers nor descriptors. The end of the loop finds
    /// them there. The waiter leaves the list when the wait ends.
    func list(_ note: WaitNote) {
        self.note = note
        loop.members.add(self)
    }

    /// Ends the wait with the error that `error` returns, if it still lasts after `duration`.
    func setLimit(_ duration: Duration, _ site: CallSite, _ error: @escaping () -> any Error) {
        let deadline = loop.time.now.addingClamped(max(0, duration.nanosecondsRoundedUp))
        limit = loop.arm(.call { [weak self] in self?.resume(throwing: error()) }, deadline, site)
    }

    private func endLimit() {
        limit?.cancel()
        limit = nil
    }

    /// UI thread: the wait has begun and its outcome is not decided yet.
    package var isWaiting: Bool { continuation != nil }

    /// Ends the wait with success. Does nothing if the outcome is decided: check `isWaiting` before you take anything
    /// for the task.
    package func resume() {
        disarm = nil
        guard let continuation = take() else { return decideEarly(.success(())) }
        loop.resuming(isolation) { continuation.resume() }
    }

    /// Ends the wait with an error. Does nothing if the outcome is decided.
    func resume(throwing error: any Error) {
        let disarm = self.disarm
        self.disarm = nil
        let continuation = take()
        disarm?()
        guard let continuation else { return decideEarly(.failure(error)) }
        loop.resuming(isolation) { continuation.resume(throwing: error) }
    }

    /// Stores an outcome that was decided before the task was suspended. After that nobody reads `early`.
    private func decideEarly(_ outcome: Result<Void, any Error>) {
        if early == nil { early = outcome }
    }

    /// Any thread: the task was cancelled.
    func cancel() {
        if loop.thread.isCurrent {
            resume(throwing: CancellationError())
        } else {
            // If this is refused, the loop has closed, and closing has resumed every waiter.
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

// The isolation is passed as a parameter, and the closures mention it by name. Without that, the closure given to the
// standard library's function would leave the caller's actor for the global pool and come back, once in every wait.

extension GuestLoop {
    /// Suspends the calling task, which runs on the UI thread, until its waiter is resumed by what `arm` has set up.
    private func wait(isolation: isolated (any Actor)?, arm: (Waiter) throws -> () -> Void) async throws {
        let waiter = Waiter(loop: self, isolation: isolation)
        try await withTaskCancellationHandler(
            operation: {
                _ = isolation
                // Safe without checks: `Waiter` resumes its continuation at most once, and whatever ends the loop ends
                // every wait.
                try await withUnsafeThrowingContinuation(isolation: isolation) { continuation in
                    waiter.begin(continuation) { try arm(waiter) }
                }
            }, onCancel: { waiter.cancel() }, isolation: isolation)
    }

    /// UI thread, for hosts: suspends the calling task until its waiter is resumed by what `arm` has set up, the task
    /// is cancelled, or the loop ends. `arm` returns how to remove again what it has set up.
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

    /// Suspends the calling task until its waiter is resumed by what `arm` has set up. Generic and nonisolated code may
    /// call it on another thread; then `arm` is sent to the UI thread.
    func waitFromAnywhere(
        isolation: isolated (any Actor)?, arm: @escaping @Sendable (Waiter) throws -> () -> Void
    ) async throws {
        // Before all else: a wait of a cancelled task throws `CancellationError`, whatever the state of the loop.
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
