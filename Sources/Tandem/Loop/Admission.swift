// SPDX-License-Identifier: Apache-2.0
// Admission: decides whether a call may begin, for every public call and every wait. It depends on the state of the
//            loop, the calling thread, whether the backend has ended with an error, and whether the process was forked.
//
//   the loop …             a call that throws     a call that schedules       a wait
//   has closed             `.closed`              logged, nothing happens     `.closed`
//   is closing             `.closed`              callbacks yes, timers no    `.closed`
//   has lost its backend   `.backendFailed`       goes on                     `.backendFailed`
//
// A call on another thread traps, with the name of the call and of both threads, unless the loop has closed: a task
// that outlives its loop may run on any thread. In a forked child a call traps; `post`, which any thread may call,
// throws `.forked` there.
//
// Owner:  `isClosed` may be read on any thread. The rest belongs to the UI thread.

import Logging
import Synchronization

final class Admission: @unchecked Sendable {
    // Safe to send: the variables are used on the UI thread only, except for the flag, which is atomic.

    enum State { case open, closing, closed }

    let thread: UIThread
    /// Where the loop was made.
    let site: CallSite
    private let chosenLogger: ChosenLogger
    private let hasClosed = Atomic<Bool>(false)
    @exclusivity(unchecked) private(set) var state = State.open
    /// The error that ended the backend, if there was one.
    private(set) var failure: GuestError?
    /// Whether there was one. To compare the error with `nil` is to copy it.
    @exclusivity(unchecked) private(set) var hasFailed = false

    init(site: CallSite, logger: ChosenLogger) {
        thread = UIThread()
        self.site = site
        chosenLogger = logger
    }

    /// Any thread: whether the loop has closed.
    var isClosed: Bool { hasClosed.load(ordering: .acquiring) }

    // MARK: Questions

    /// UI thread (any thread once the loop has closed): called first by calls that can throw.
    func admit(_ call: StaticString) throws(GuestError) {
        if isClosed { throw .closed }
        thread.check(call)
        try admitWait()
    }

    /// UI thread: the same for a wait whose thread was checked before.
    func admitWait() throws(GuestError) {
        if state != .open { throw .closed }
        if let failure { throw failure }
    }

    /// UI thread (any thread once the loop has closed): called first by calls that schedule a callback. `false`: the
    /// loop has closed, and a warning was logged.
    @inline(__always) func admitsCallback(_ call: StaticString, _ site: CallSite) -> Bool {
        if isClosed { return refuseCallback(call, site) }
        thread.check(call)
        return true
    }

    /// The same for a timer. A closing loop accepts callbacks, which still run, but no timers, which would not.
    @inline(__always) func admitsTimer(_ call: StaticString, _ site: CallSite) -> Bool {
        guard admitsCallback(call, site) else { return false }
        return state == .open || refuseTimer(site)
    }

    // Apart from the checks, so that these are a few instructions in each call.
    @inline(never) private func refuseCallback(_ call: StaticString, _ site: CallSite) -> Bool {
        chosenLogger.logger.warning("\(call) at \(site) came after the loop had closed; it schedules nothing")
        return false
    }

    @inline(never) private func refuseTimer(_ site: CallSite) -> Bool {
        chosenLogger.logger.warning("the timer armed at \(site) came when the loop was closing; it will not fire")
        return false
    }

    /// Any thread, for calls that use the inbox, which itself decides whether it is too late.
    @inline(__always) func admitFromAnyThread() throws(GuestError) {
        if thread.isForkedChild {
            throw GuestError(
                .forked,
                "this is a forked child, the loop stayed in the parent; call exec after fork, or use posix_spawn")
        }
    }

    // MARK: What has happened

    /// UI thread: the loop begins to close. Called once.
    func beginClosing() { state = .closing }

    /// UI thread, or the thread that releases the last reference to the loop.
    func close() {
        state = .closed
        hasClosed.store(true, ordering: .releasing)
    }

    /// UI thread: the backend has ended with an error.
    func fail(_ error: GuestError) {
        failure = error
        hasFailed = true
    }
}
