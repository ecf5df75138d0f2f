// SPDX-License-Identifier: Apache-2.0
// Awaiting: async functions of the loop.
// Idea:   each suspends its task on the UI thread and resumes it there; there is no detour through the global pool. A task that
//         runs elsewhere may wait, too: the inbox brings its wait here, and it resumes where it runs.
// Owner:  the UI thread, but for the beginning of a wait.

public import SystemPackage

extension GuestLoop {
    /// Starts an async main function, which runs on the UI thread, in ticks, and tells `onDone` its outcome there.
    ///
    /// Nothing of `main` runs before this returns. `onDone` is called exactly once: with the value, with what `main` threw,
    /// or, if the loop ends first, with `.abandoned`, `.closed` or `.backendFailed`.
    /// On a closed loop that is at once, since there is no later. If the loop is let go on another thread, it is when this one makes its next
    /// loop, or ends; on the main thread when its main queue runs.
    ///
    /// Without `onDone` the outcome can be awaited: ``GuestRun/value``. An error that neither of them is told goes to the error handler, or
    /// to the log, with the place of this call; that the task was cancelled, to the log at debug level.
    ///
    /// As in `Task.init`, `self` need not be written in the closures: the loop lets go of both when the run ends.
    @discardableResult
    public func run<T: Sendable>(
        fileID: StaticString = #fileID, line: UInt = #line,
        @_implicitSelfCapture _ main: @escaping @Sendable () async throws -> T,
        @_implicitSelfCapture onDone: ((Result<T, any Error>) -> Void)? = nil
    ) -> GuestRun<T> {
        let run = GuestRun<T>(site: CallSite(fileID: fileID, line: line), onDone: onDone)
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
        run.start(on: executors.runExecutor(of: self), main)
        return run
    }

    func forget(_ run: some AnyGuestRun) { members.runs.remove(run) }

    /// Suspends for `duration`; a timer on the loop. Zero and negative durations let one pass go by.
    ///
    /// - Throws: `CancellationError` at once if the task is cancelled; `.closed` or `.backendFailed` when the loop ends.
    public func sleep(for duration: Duration, fileID: StaticString = #fileID, line: UInt = #line) async throws {
        let deadline = time.now.addingClamped(max(0, duration.nanosecondsRoundedUp))
        try await sleep(until: deadline, CallSite(fileID: fileID, line: line))
    }

    /// Suspends until the loop's clock (``now``) has reached `deadline`, never less.
    ///
    /// - Throws: `CancellationError` at once if the task is cancelled; `.closed` or `.backendFailed` when the loop ends.
    public func sleep(
        until deadline: ContinuousClock.Instant, fileID: StaticString = #fileID, line: UInt = #line
    ) async throws {
        try await sleep(until: time.nanoseconds(at: deadline), CallSite(fileID: fileID, line: line))
    }

    func sleep(until deadline: Nanoseconds, _ site: CallSite) async throws {
        try await waitFromAnywhere(isolation: #isolation) { [self] waiter in
            let handle = arm(.resume(waiter), deadline, site)
            return { handle.cancel() }
        }
    }

    /// Suspends until `fd` can be read, has hung up or failed.
    ///
    /// - Throws: as ``whenReadable(_:fileID:line:_:)``, and `CancellationError` at once if the task is cancelled.
    public func readable(_ fd: FileDescriptor, fileID: StaticString = #fileID, line: UInt = #line) async throws {
        try await ready(fd, .readable, CallSite(fileID: fileID, line: line))
    }

    /// Suspends until `fd` can be written, has hung up or failed. Errors as ``readable(_:fileID:line:)``.
    public func writable(_ fd: FileDescriptor, fileID: StaticString = #fileID, line: UInt = #line) async throws {
        try await ready(fd, .writable, CallSite(fileID: fileID, line: line))
    }

    private func ready(_ fd: FileDescriptor, _ direction: IOHandle.Direction, _ site: CallSite) async throws {
        try await waitFromAnywhere(isolation: #isolation) { [self] waiter in
            let handle = try watch(fd, direction, .resume(waiter), site)
            return { handle.cancel() }
        }
    }
}
