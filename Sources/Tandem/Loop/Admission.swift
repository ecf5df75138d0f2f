// SPDX-License-Identifier: Apache-2.0
// Admission: may this call begin? One answer for every public call and every wait: the loop's state, the calling thread, a backend that has died,
//            and a child of `fork`.
//
//   the loop …             a call that throws     a call that schedules       a wait
//   has closed             `.closed`              logged, nothing happens     `.closed`
//   is closing             `.closed`              callbacks yes, timers no    `.closed`
//   has lost its backend   `.backendFailed`       goes on                     `.backendFailed`
//
// Another thread than the loop's traps, with the name of the call and of both threads, unless the loop has closed: a task that outlived its loop
// may be anywhere. A forked child traps; `post`, which any thread may call, throws `.forked` there.
//
// Owner:  `isClosed` may be read on any thread; the rest is the UI thread's.

import Logging
import Synchronization

final class Admission: @unchecked Sendable {
    // Safe to send: the variables are the UI thread's, but for the flag, which is atomic.

    enum State { case open, closing, closed }

    let thread: UIThread
    /// Where the loop was made.
    let site: CallSite
    private let logger: Logger
    private let hasClosed = Atomic<Bool>(false)
    @exclusivity(unchecked) private(set) var state = State.open
    /// What broke the backend, once something has.
    private(set) var failure: GuestError?

    init(site: CallSite, logger: Logger) {
        thread = UIThread()
        self.site = site
        self.logger = logger
    }

    /// Any thread: whether the loop has closed.
    var isClosed: Bool { hasClosed.load(ordering: .acquiring) }

    // MARK: Questions

    /// UI thread, once the loop has closed any thread: the first line of what throws.
    func admit(_ call: StaticString) throws(GuestError) {
        if isClosed { throw .closed }
        thread.check(call)
        try admitWait()
    }

    /// UI thread: the same for a wait whose thread is known.
    func admitWait() throws(GuestError) {
        if state != .open { throw .closed }
        if let failure { throw failure }
    }

    /// UI thread, once the loop has closed any thread: the first line of what schedules a callback. `false`: the log says so.
    func admitsCallback(_ call: StaticString, _ site: CallSite) -> Bool {
        if isClosed {
            logger.warning("\(call) at \(site) came after the loop had closed; it schedules nothing")
            return false
        }
        thread.check(call)
        return true
    }

    /// The same for a timer: a closing loop takes callbacks, which still run, and no timers, which would not.
    func admitsTimer(_ call: StaticString, _ site: CallSite) -> Bool {
        guard admitsCallback(call, site) else { return false }
        if state == .open { return true }
        logger.warning("the timer armed at \(site) came when the loop was closing; it will not fire")
        return false
    }

    /// Any thread, for what goes by way of the inbox, which knows by itself whether it is too late.
    @inline(__always) func admitFromAnyThread() throws(GuestError) {
        if thread.isForkedChild {
            throw GuestError(
                .forked,
                "this is a forked child, the loop stayed in the parent; call exec after fork, or use posix_spawn")
        }
    }

    // MARK: What has happened

    /// UI thread: the loop begins to close. It closes once.
    func beginClosing() { state = .closing }

    /// UI thread, or whichever lets go of the loop.
    func close() {
        state = .closed
        hasClosed.store(true, ordering: .releasing)
    }

    /// UI thread: the backend has died.
    func fail(_ error: GuestError) { failure = error }
}
