// SPDX-License-Identifier: Apache-2.0
// GuestRun: one async main function inside the loop, and its outcome.
// Idea:   the outcome is decided once, either when the task ends or when the loop ends, whichever is first. It is
//         passed to `onDone` on the UI thread, and to every task that awaits `value`. An error that nobody receives
//         goes to the error handler.
// Owner:  the UI thread. `cancel`, `value` and the decision of the outcome may come from any thread.

import Logging
import Synchronization

/// An async function that was started with ``GuestLoop/run(fileID:line:_:onDone:)``.
public final class GuestRun<Value: Sendable>: Sendable {
    private typealias Outcome = Result<Value, any Error>
    private struct Waiting {
        let continuation: UnsafeContinuation<Value, any Error>
        let isolation: (any Actor)?
    }

    // Safe: written once in `start`, before any other thread can have a reference to the run.
    private nonisolated(unsafe) var task: Task<Void, Never>?
    // Safe: UI thread only; removed by the code that decides the outcome.
    private nonisolated(unsafe) var onDone: ((Result<Value, any Error>) -> Void)?
    // Safe: UI thread only.
    /// Its place in the loop's list of runs.
    private(set) nonisolated(unsafe) var place: Int32 = -1
    private let isSettled = Atomic<Bool>(false)
    private let lock = Lock()
    // Safe, both: read and written only while `lock` is held.
    private nonisolated(unsafe) var outcome: Outcome?
    private nonisolated(unsafe) var waiting: [Waiting] = []
    let site: CallSite
    let began: Nanoseconds

    init(site: CallSite, began: Nanoseconds, onDone: ((Result<Value, any Error>) -> Void)?) {
        self.site = site
        self.began = began
        self.onDone = onDone
    }

    /// Asks the function to end early, by cancelling its task. `onDone` and ``value`` still receive the outcome. Any
    /// thread. Calling it twice, or after the end, does nothing.
    public func cancel() { task?.cancel() }

    /// True once the outcome is known.
    public var isDone: Bool { isSettled.load(ordering: .acquiring) }

    /// Waits for the function's end, and returns its value. Any thread; a task that waits on the UI thread resumes on
    /// the UI thread. Any number of tasks may wait, any number of times.
    ///
    /// As with `Task.value`, the wait goes on when the waiting task is cancelled. To end the function early, call
    /// ``cancel()``.
    ///
    /// - Throws: what the function threw; `.abandoned`, `.closed` or `.backendFailed` if the loop ended before.
    public var value: Value {
        get async throws { try await value(isolation: #isolation) }
    }

    private func value(isolation: isolated (any Actor)?) async throws -> Value {
        // Safe without checks: each run has one outcome, at its own end or at its loop's, and everybody who waits is
        // resumed at that moment.
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
        // If the outcome is decided already, it was by the end of the loop, and everybody has been told.
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

    /// UI thread, called once, by the code that has decided the outcome: calls `onDone` and resumes the tasks that
    /// wait. `false`: there was neither.
    private func tell(_ result: Outcome, _ resume: (Waiting) -> Void) -> Bool {
        let waiting = keep(result)
        for waiting in waiting { resume(waiting) }
        let onDone = self.onDone
        self.onDone = nil
        onDone?(result)
        return onDone != nil || !waiting.isEmpty
    }

    /// Any thread: stores the outcome, and returns the waits that are to be resumed with it.
    private func keep(_ result: Outcome) -> [Waiting] {
        lock.lock()
        defer { lock.unlock() }
        outcome = result
        defer { waiting = [] }
        return waiting
    }
}

extension Error {
    /// The error is one that a cancelled task throws, or one that a wait throws when the loop closes.
    fileprivate var isEndOfCancelledTask: Bool { self is CancellationError || (self as? GuestError)?.code == .closed }
}

/// The part of a run that the loop uses, whatever the type of its value.
protocol AnyGuestRun: AnyObject, Sendable {
    var site: CallSite { get }
    /// UI thread: its place in the loop's list, and how the list tells it.
    var place: Int32 { get }
    func takePlace(_ new: Int32)
    /// When it was started, by the machine's clock.
    var began: Nanoseconds { get }
    /// UI thread: somebody is told of the outcome, or waits for it.
    var isAwaited: Bool { get }
    func cancel()
    /// UI thread: decides that the run's outcome is `error`, and cancels its task. Does nothing if the run has ended.
    /// `false`: nobody received the error.
    @discardableResult func abandon(_ error: any Error) -> Bool
    /// As `abandon`, on another thread, where the last reference to the loop was released. The closure that it returns
    /// must be called on the UI thread.
    func abandonFromElsewhere(_ error: any Error) -> () -> Void
}

extension GuestRun: AnyGuestRun {
    func takePlace(_ new: Int32) { place = new }

    var isAwaited: Bool {
        lock.lock()
        defer { lock.unlock() }
        return onDone != nil || !waiting.isEmpty
    }

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
