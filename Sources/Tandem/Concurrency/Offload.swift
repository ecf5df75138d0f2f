// SPDX-License-Identifier: Apache-2.0
// Offload: calls that block run elsewhere, and their results come back.
// Owner:  the body runs on a thread of the pool; the caller goes on where it was.

extension GuestLoop {
    /// Runs a call that blocks (a file, a name, a long computation) on a thread of a bounded pool, and comes back with its result.
    ///
    /// ```swift
    /// let level = try await loop.offload { try Level(contentsOf: path) }
    /// ```
    ///
    /// The pool is the process's and has at most eight threads; what does not fit waits its turn. In `body` `Task.isCancelled` tells of the
    /// caller's cancellation. By default the caller waits until `body` has ended all the same, so that nothing of it runs on unseen.
    ///
    /// - Parameter abandonsOnCancel: A cancelled caller, or one whose loop closes, goes on at once; the result is thrown away when it comes.
    /// - Throws: what `body` throws; `CancellationError` before the start if the task is cancelled already; `.closed`.
    public func offload<Value: Sendable>(
        abandonsOnCancel: Bool = false, _ body: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        try Task.checkCancellation()
        if isClosed.load(ordering: .acquiring) { throw GuestError.closed }
        if abandonsOnCancel { return try await offloadAbandoning(body) }
        let task = Task(executorPreference: OffloadPool.shared) { try body() }
        return try await withTaskCancellationHandler(
            operation: { try await task.value }, onCancel: { task.cancel() }, isolation: #isolation)
    }

    private func offloadAbandoning<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws
        -> Value
    {
        let outcome = Outcome<Value>()
        try await waitFromAnywhere(isolation: #isolation) { [self] waiter in
            otherWaiters[ObjectIdentifier(waiter)] = waiter
            let task = Task(executorPreference: OffloadPool.shared) {
                let result = Result(catching: body)
                self.postInternally {
                    self.otherWaiters[ObjectIdentifier(waiter)] = nil
                    outcome.result = result
                    waiter.resume()
                }
            }
            return { [self] in
                otherWaiters[ObjectIdentifier(waiter)] = nil
                task.cancel()
            }
        }
        return try outcome.result!.get()
    }
}

/// Where a result is left for the task that waits for it.
private final class Outcome<Value>: @unchecked Sendable {
    // Safe: written on the UI thread before the waiter is resumed, read by the resumed task.
    var result: Result<Value, any Error>?
}
