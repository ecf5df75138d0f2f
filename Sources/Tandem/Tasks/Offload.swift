// SPDX-License-Identifier: Apache-2.0
// Offload: calls that block run elsewhere, and their results come back.
// Owner:  the body runs on a thread of the pool; the caller goes on where it was.

import Synchronization

extension GuestLoop {
    /// Runs a call that blocks (a file, a name, a long computation) on a thread of a bounded pool, and comes back with its result.
    ///
    /// ```swift
    /// let level = try await loop.offload { try Level(contentsOf: path) }
    /// ```
    ///
    /// The pool is the process's and has at most eight threads; what does not fit waits its turn. In `body` `Task.isCancelled` tells of the
    /// caller's cancellation. The caller waits until `body` has ended all the same, so that nothing of it runs on unseen. A call that is cancelled
    /// while it waits for a thread is called off, and its caller goes on at once. Names are looked up in a pool of their own.
    ///
    /// - Parameters:
    ///   - abandonsOnCancel: A cancelled caller, or one whose loop closes, goes on at once; the result is thrown away when it comes.
    ///   - fileID: The caller's file, for reports.
    ///   - line: The caller's line, for reports.
    ///   - body: Runs on a thread of the pool.
    /// - Throws: what `body` throws; `CancellationError` if the task is cancelled before the start; `.closed`.
    public func offload<Value: Sendable>(
        abandonsOnCancel: Bool = false, fileID: StaticString = #fileID, line: UInt = #line,
        _ body: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        try await offload(
            on: .shared, abandonsOnCancel: abandonsOnCancel, CallSite(fileID: fileID, line: line), body)
    }

    func offload<Value: Sendable>(
        on pool: OffloadPool, abandonsOnCancel: Bool, _ site: CallSite, _ body: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        let work = Blocking<Value>()
        do {
            try await waitFromAnywhere(isolation: #isolation) { [self] waiter in
                waiter.list(WaitNote(kind: .other, site: site, reason: "a task that waits for the offload pool"))
                let task = work.start(on: pool, body) { [self] in
                    postInternally($0)
                } then: {
                    waiter.resume()
                }
                return { task.cancel() }
            }
        } catch {
            guard let task = work.task, !abandonsOnCancel, !work.callOff() else { throw error }
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
    /// By the thread that runs the call, or by a caller who does not want it any more.
    private let isClaimed = Atomic<Bool>(false)

    func start(
        on pool: OffloadPool, _ body: @escaping @Sendable () throws -> Value,
        post: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void, then done: @escaping @Sendable () -> Void
    ) -> Task<Result<Value, any Error>, Never> {
        let task = Task(executorPreference: pool) { [self] () -> Result<Value, any Error> in
            guard claim() else { return .failure(CancellationError()) }
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

    /// `false`: it runs already, or has run.
    func callOff() -> Bool { claim() }

    private func claim() -> Bool { !isClaimed.exchange(true, ordering: .acquiringAndReleasing) }
}
