// SPDX-License-Identifier: Apache-2.0
// GuestRun: one async main function inside the loop, and what becomes of it.
// Idea:   the outcome is claimed once, by the task's end or by the loop's, and told to `onDone` on the UI thread, and to whoever awaits
//         `value`. An error that nobody is told otherwise goes to the error handler.
// Owner:  the UI thread, but for `cancel`, `value` and the claim.

import Logging
import Synchronization

/// An async function that was started with ``GuestLoop/run(fileID:line:_:onDone:)``.
public final class GuestRun<Value: Sendable>: Sendable {
    private typealias Outcome = Result<Value, any Error>
    private struct Waiting {
        let continuation: UnsafeContinuation<Value, any Error>
        let isolation: (any Actor)?
    }

    // Safe: written once in `start`, before anybody else has the run.
    private nonisolated(unsafe) var task: Task<Void, Never>?
    // Safe: UI thread only; taken out by whoever claims the outcome.
    private nonisolated(unsafe) var onDone: ((Result<Value, any Error>) -> Void)?
    private let isSettled = Atomic<Bool>(false)
    private let lock = Lock()
    // Safe, both: touched with `lock` held.
    private nonisolated(unsafe) var outcome: Outcome?
    private nonisolated(unsafe) var waiting: [Waiting] = []
    let site: CallSite

    init(site: CallSite, onDone: ((Result<Value, any Error>) -> Void)?) {
        self.site = site
        self.onDone = onDone
    }

    /// Asks the function to end early; its outcome still reaches `onDone` and ``value``. Any thread. Harmless when repeated or late.
    public func cancel() { task?.cancel() }

    /// True once the outcome is known.
    public var isDone: Bool { isSettled.load(ordering: .acquiring) }

    /// What the function returned, as soon as it has. Any thread; on the UI thread the wait does not leave it. For any number of tasks, any
    /// number of times.
    ///
    /// The outcome is awaited, as a `Task`'s is, also by a task that was cancelled itself: to end it early, ``cancel()`` it.
    ///
    /// - Throws: what the function threw; `.abandoned`, `.closed` or `.backendFailed` if the loop ended before.
    public var value: Value {
        get async throws { try await value(isolation: #isolation) }
    }

    private func value(isolation: isolated (any Actor)?) async throws -> Value {
        // Safe without checks: each run settles once, at its end or its loop's, and resumes all who wait then.
        try await withUnsafeThrowingContinuation(isolation: isolation) { continuation in
            lock.lock()
            let outcome = self.outcome
            if outcome == nil { waiting.append(Waiting(continuation: continuation, isolation: isolation)) }
            lock.unlock()
            if let outcome { continuation.resume(with: outcome) }
        }
    }

    func start(on executor: RunExecutor, _ main: @escaping @Sendable () async throws -> Value) {
        task = Task(executorPreference: executor) {
            let result: Outcome
            do { result = .success(try await main()) } catch { result = .failure(error) }
            self.settle(result, wasCancelled: Task.isCancelled, executor)
        }
    }

    private func settle(_ result: Outcome, wasCancelled: Bool, _ executor: RunExecutor) {
        // Only the loop's end claims first; what comes later has nobody left to tell.
        guard executor.isOnUIThread, claim() else { return }
        executor.forget(self)
        executor.trace(.runDone)
        let isTold = tell(result) { waiting in
            executor.resuming(waiting.isolation) { waiting.continuation.resume(with: result) }
        }
        guard !isTold, case .failure(let error) = result else { return }
        if wasCancelled, error.isEndOfCancelledTask {
            executor.logger.debug("the task started at \(site) was cancelled")
        } else {
            executor.report(error, site)
        }
    }

    private func claim() -> Bool { !isSettled.exchange(true, ordering: .acquiringAndReleasing) }

    /// UI thread, by whoever has claimed the outcome: tells `onDone` and those that wait. `false`: nobody wanted to know.
    private func tell(_ result: Outcome, _ resume: (Waiting) -> Void) -> Bool {
        let waiting = keep(result)
        for waiting in waiting { resume(waiting) }
        let onDone = self.onDone
        self.onDone = nil
        onDone?(result)
        return onDone != nil || !waiting.isEmpty
    }

    /// Any thread: the outcome is known. Those that have waited for it are to be resumed.
    private func keep(_ result: Outcome) -> [Waiting] {
        lock.lock()
        defer { lock.unlock() }
        outcome = result
        defer { waiting = [] }
        return waiting
    }
}

extension Error {
    /// What a task throws that was cancelled, by its loop's end perhaps.
    fileprivate var isEndOfCancelledTask: Bool { self is CancellationError || (self as? GuestError)?.code == .closed }
}

/// What a loop knows of its runs, whatever their values.
protocol AnyGuestRun: AnyObject, Sendable {
    var site: CallSite { get }
    func cancel()
    /// UI thread: ends the run from outside. Harmless if it has ended. `false`: nobody was told.
    @discardableResult func abandon(_ error: any Error) -> Bool
    /// Another thread, when the loop was let go there: as `abandon`. What it returns belongs to the UI thread.
    func abandonFromElsewhere(_ error: any Error) -> () -> Void
}

extension GuestRun: AnyGuestRun {
    @discardableResult func abandon(_ error: any Error) -> Bool {
        guard claim() else { return true }
        cancel()
        return tell(.failure(error)) { $0.continuation.resume(throwing: error) }
    }

    func abandonFromElsewhere(_ error: any Error) -> () -> Void {
        guard claim() else { return {} }
        cancel()
        for waiting in keep(.failure(error)) { waiting.continuation.resume(throwing: error) }
        return { [self] in
            let onDone = self.onDone
            self.onDone = nil
            onDone?(.failure(error))
        }
    }
}
