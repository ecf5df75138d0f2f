// SPDX-License-Identifier: Apache-2.0
// Offload: runs a call that blocks on a thread of a pool, and resumes its caller with the result.
// Owner:  the body runs on a thread of the pool. The caller resumes in its own isolation.

import Synchronization

extension GuestLoop {
    /// Runs a call that blocks (reading a file, looking up a name, a long computation) on a thread of a bounded pool,
    /// and returns its result.
    ///
    /// ```swift
    /// let level = try await loop.offload { try Level(contentsOf: path) }
    /// ```
    ///
    /// The process has one pool, of at most eight threads; further calls wait until a thread is free.
    /// `Task.isCancelled` in `body` is true once the caller is cancelled. By default the caller still waits until
    /// `body` has ended, so that no part of it runs after this returns. If the caller is cancelled while the call waits
    /// for a thread, the call is removed from the queue and the caller resumes at once. Names are looked up in a pool
    /// of their own.
    ///
    /// - Parameters:
    ///   - abandonsOnCancel: If the caller is cancelled, or its loop closes, the caller resumes at once while `body`
    ///     still runs. The result of `body` is dropped.
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
            try await waitFromAnywhere { [self] waiter in
                waiter.list(WaitNote(kind: .other, site: site, reason: "a task that waits for the offload pool"))
                let task = work.start(on: pool, body) { [self] in
                    postInternally($0)
                } then: {
                    waiter.resume()
                }
                return .call { task.cancel() }
            }
        } catch {
            guard let task = work.task, !abandonsOnCancel, !work.callOff() else { throw error }
            return try await task.value.get()
        }
        return try work.result!.get()
    }
}

/// One call on the pool, and its result.
private final class Blocking<Value: Sendable>: @unchecked Sendable {
    // Safe: written on the UI thread before the waiting task is resumed, and read by that task afterwards.
    private(set) var task: Task<Result<Value, any Error>, Never>?
    private(set) var result: Result<Value, any Error>?
    /// True once a thread of the pool has begun the call, or once the caller has withdrawn it; only the first of them
    /// succeeds.
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

    /// Withdraws the call. `false`: a thread runs it already, or has run it.
    func callOff() -> Bool { claim() }

    private func claim() -> Bool { !isClaimed.exchange(true, ordering: .acquiringAndReleasing) }
}
