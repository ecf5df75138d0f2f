// SPDX-License-Identifier: Apache-2.0
// AsyncCalls: starts async functions on the loop, and has the waits that they call: for a time, or for a descriptor.
// Idea:   each wait suspends its task on the UI thread and resumes it on the UI thread, without a detour through
//         Swift's pool of threads. A task that runs on another thread may call them, too: its wait is sent to the UI
//         thread through the inbox, and the task resumes on the thread where it runs.
// Owner:  the UI thread. Only the first part of a wait, before it is set up, may run on another thread.

public import SystemPackage

extension GuestLoop {
    /// Starts an async function as the program's main task. It runs on the UI thread, in ticks, and its outcome is
    /// passed to `onDone` on the UI thread.
    ///
    /// No code of `main` runs before this call returns. `onDone` is called exactly once: with the value, with the error
    /// that `main` threw, or, if the loop ends first, with `.abandoned`, `.closed` or `.backendFailed`. If the loop is
    /// closed already, `onDone` is called at once, before this returns. If the last reference to the loop is released
    /// on another thread, `onDone` is called when the UI thread makes its next loop or ends; on the main thread, when
    /// its main queue runs.
    ///
    /// Without `onDone` the outcome can be awaited: ``GuestRun/value``. If neither `onDone` nor a waiting task receives
    /// an error, it goes to the error handler, or to the log, with the place of this call. If the error only says that
    /// the task was cancelled, it goes to the log at debug level.
    ///
    /// As in `Task.init`, `self` need not be written in the closures. The loop releases both closures when the run
    /// ends.
    @discardableResult
    public func run<T: Sendable>(
        fileID: StaticString = #fileID, line: UInt = #line,
        @_implicitSelfCapture _ main: @escaping @Sendable () async throws -> T,
        @_implicitSelfCapture onDone: ((Result<T, any Error>) -> Void)? = nil
    ) -> GuestRun<T> {
        let run = GuestRun<T>(
            site: CallSite(fileID: fileID, line: line), began: LoopClock.machine, onDone: onDone)
        if admission.isClosed {
            if !run.abandon(GuestError.closed) {
                configuration.logger.warning(
                    "GuestLoop.run at \(run.site) came after the loop had closed; it starts nothing")
            }
            return run
        }
        thread.check("GuestLoop.run")
        if let failure = admission.failure {
            if !run.abandon(failure) { report(failure, .task, run.site) }
            return run
        }
        shared.trace?(.runStarted)
        members.runs.add(run)
        attributing(to: run.site) { run.start(on: executors.runExecutor(of: self), main) }
        return run
    }

    func forget(_ run: some AnyGuestRun) { members.runs.remove(run) }

    /// Suspends for `duration`, by a timer on the loop. With a zero or negative duration the task goes on in the next
    /// pass of the tick.
    ///
    /// - Throws: `CancellationError` at once if the task is cancelled; `.closed` or `.backendFailed` when the loop
    ///   ends.
    public func sleep(for duration: Duration, fileID: StaticString = #fileID, line: UInt = #line) async throws {
        let deadline = time.now.addingClamped(max(0, duration.nanosecondsRoundedUp))
        try await sleep(until: deadline, CallSite(fileID: fileID, line: line))
    }

    /// Suspends until the loop's clock (``now``) has reached `deadline`. It never returns earlier.
    ///
    /// - Throws: `CancellationError` at once if the task is cancelled; `.closed` or `.backendFailed` when the loop
    ///   ends.
    public func sleep(
        until deadline: ContinuousClock.Instant, fileID: StaticString = #fileID, line: UInt = #line
    ) async throws {
        try await sleep(until: time.nanoseconds(at: deadline), CallSite(fileID: fileID, line: line))
    }

    func sleep(until deadline: Nanoseconds, _ site: CallSite) async throws {
        try await waitFromAnywhere { [self] waiter in .timer(arm(.resume(waiter), deadline, site)) }
    }

    /// Suspends until `fd` can be read, has hung up or failed.
    ///
    /// - Throws: as ``whenReadable(_:fileID:line:_:)``, and `CancellationError` at once if the task is cancelled.
    public func waitUntilReadable(
        _ fd: FileDescriptor, fileID: StaticString = #fileID, line: UInt = #line
    ) async throws {
        try await ready(fd, .readable, CallSite(fileID: fileID, line: line))
    }

    /// Suspends until `fd` can be written, has hung up or failed. Errors as ``waitUntilReadable(_:fileID:line:)``.
    public func waitUntilWritable(
        _ fd: FileDescriptor, fileID: StaticString = #fileID, line: UInt = #line
    ) async throws {
        try await ready(fd, .writable, CallSite(fileID: fileID, line: line))
    }

    private func ready(_ fd: FileDescriptor, _ direction: IOHandle.Direction, _ site: CallSite) async throws {
        try await waitFromAnywhere { [self] waiter in .watch(try watch(fd, direction, .resume(waiter), site)) }
    }
}
