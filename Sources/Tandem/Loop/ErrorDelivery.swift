// SPDX-License-Identifier: Apache-2.0
// ErrorDelivery: who receives an error. What a callback throws goes to the error handler; what ends the backend goes to
//                the runs and waits.
// Owner:  the UI thread.

import Logging
import SystemPackage

/// The origin of an error that nobody else receives.
enum ErrorSource: String {
    case callback = "the callback scheduled at"
    case task = "the task started at"
}

extension Configuration {
    /// UI thread: tells the error handler, or without one the log.
    func tell(_ error: any Error, _ source: ErrorSource, _ site: CallSite) {
        let name = "\(source.rawValue) \(site)"
        guard let errorHandler else { return logger.error("\(name) threw \(error)") }
        do {
            try errorHandler(error, site)
        } catch let second {
            logger.error("the error handler threw \(second) for \(error) of \(name)")
        }
    }
}

extension GuestLoop {
    /// Calls user code. An error that it throws is reported and goes no further.
    func call(_ body: () throws -> Void, _ site: CallSite) {
        shared.trace?(.callback)
        do { try body() } catch { report(error, .callback, site) }
    }

    // Apart: what reads the configuration copies it, 230 bytes, and might do so before each callback.
    @inline(never) func report(_ error: any Error, _ source: ErrorSource, _ site: CallSite) {
        instruments.countError()
        configuration.tell(error, source, site)
    }

    /// The backend has ended with an error. Tasks that wait receive the error; queues and timers go on as long as the
    /// host ticks.
    func backendFailed() {
        guard !admission.hasFailed else { return }
        let error = GuestError(
            .backendFailed, errno: shared.failure,
            "the backend thread can no longer wait, so that nothing wakes the host any more; did something close its descriptors? Close this loop and make a new one"
        )
        admission.fail(error)
        timers.backendFailed()
        tickState.expectUnannouncedWork()
        configuration.logger.critical("\(error)")
        endEverything(with: error)
    }

    /// Resumes every waiting task and ends every run with `error`. Posts, callbacks and timers stay.
    func endEverything(with error: any Error) {
        for run in members.runs.takeAll() where !run.abandon(error) { report(error, .task, run.site) }
        resumeWaiters(throwing: error)
    }

    func resumeWaiters(throwing error: any Error) {
        for case (_, .resume(let waiter)) in io.registrations.removeAll() { waiter.resume(throwing: error) }
        for waiter in timers.waiters + members.waiters { waiter.resume(throwing: error) }
        members.removeWaiters()
        members.frameQueues?.end(throwing: error)
    }
}
