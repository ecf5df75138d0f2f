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
    /// caller's cancellation. The caller waits until `body` has ended all the same, so that nothing of it runs on unseen.
    ///
    /// - Parameter abandonsOnCancel: A cancelled caller, or one whose loop closes, goes on at once; the result is thrown away when it comes.
    /// - Throws: what `body` throws; `CancellationError` before the start if the task is cancelled already; `.closed`.
    public func offload<Value: Sendable>(
        abandonsOnCancel: Bool = false, fileID: StaticString = #fileID, line: UInt = #line,
        _ body: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        let site = CallSite(fileID: fileID, line: line)
        let work = Blocking<Value>()
        do {
            try await waitFromAnywhere(isolation: #isolation) { [self] waiter in
                waiter.list(WaitNote(kind: .other, site: site, reason: "a task that waits for the offload pool"))
                let task = work.start(body) { [self] in
                    postInternally($0)
                } then: {
                    waiter.resume()
                }
                return { task.cancel() }
            }
        } catch {
            guard !abandonsOnCancel, let task = work.task else { throw error }
            return try await task.value.get()
        }
        return try work.result!.get()
    }
}

/// A call on the pool, and where its result is left.
private final class Blocking<Value: Sendable>: @unchecked Sendable {
    // Safe: written on the UI thread before the waiting task is resumed, read by it then.
    private(set) var task: Task<Result<Value, any Error>, Never>?
    private(set) var result: Result<Value, any Error>?

    func start(
        _ body: @escaping @Sendable () throws -> Value,
        post: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void, then done: @escaping @Sendable () -> Void
    ) -> Task<Result<Value, any Error>, Never> {
        let task = Task(executorPreference: OffloadPool.shared) {
            let result = Result(catching: body)
            post {
                self.result = result
                done()
            }
            return result
        }
        self.task = task
        return task
    }
}
