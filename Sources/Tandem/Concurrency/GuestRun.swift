// SPDX-License-Identifier: Apache-2.0
// GuestRun: one async main function inside the loop: the source design's run, `on_task_done` and `done_callback`.
// Idea:   the outcome is claimed once, by the task's end or by the loop's, and told to `onDone` on the UI thread.
// Owner:  the UI thread, but for `cancel` and the claim.

import Synchronization

/// An async function that was started with ``GuestLoop/run(fileID:line:_:onDone:)``.
public final class GuestRun<Value: Sendable>: Sendable {
    // Safe: written once in `start`, before anybody else has the run.
    private nonisolated(unsafe) var task: Task<Void, Never>?
    // Safe: UI thread only; taken out by whoever claims the outcome.
    private nonisolated(unsafe) var onDone: ((Result<Value, any Error>) -> Void)?
    private let isSettled = Atomic<Bool>(false)
    let site: CallSite

    init(site: CallSite, onDone: @escaping (Result<Value, any Error>) -> Void) {
        self.site = site
        self.onDone = onDone
    }

    /// Asks the function to end early; its outcome still reaches `onDone`. Any thread. Harmless when repeated or late.
    public func cancel() { task?.cancel() }

    /// True once the outcome is known.
    public var isDone: Bool { isSettled.load(ordering: .acquiring) }

    func start(on executor: RunExecutor, loop: GuestLoop, _ main: @escaping @Sendable () async throws -> Value) {
        task = Task(executorPreference: executor) { [weak loop] in
            let result: Result<Value, any Error>
            do { result = .success(try await main()) } catch { result = .failure(error) }
            self.settle(result, loop: loop)
        }
    }

    private func settle(_ result: Result<Value, any Error>, loop: GuestLoop?) {
        // Only the loop's end claims first, on the UI thread; what comes later has nobody left to tell.
        guard let loop, loop.thread.isCurrent, claim() else { return }
        loop.forget(self)
        finish(result, trace: loop.backstage.trace)
    }

    private func claim() -> Bool { !isSettled.exchange(true, ordering: .acquiringAndReleasing) }

    private func finish(_ result: Result<Value, any Error>, trace: (@Sendable (TraceStep) -> Void)?) {
        trace?(.runDone)
        let onDone = self.onDone
        self.onDone = nil
        onDone?(result)
    }
}

/// What a loop knows of its runs, whatever their values.
protocol AnyGuestRun: AnyObject, Sendable {
    var site: CallSite { get }
    func cancel()
    /// UI thread: ends the run from outside. Harmless if it has ended.
    func abandon(_ error: any Error)
}

extension GuestRun: AnyGuestRun {
    func abandon(_ error: any Error) {
        guard claim() else { return }
        cancel()
        finish(.failure(error), trace: nil)
    }
}
