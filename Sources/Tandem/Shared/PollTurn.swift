// SPDX-License-Identifier: Apache-2.0
// PollTurn: whose turn it is to poll, and to touch what the poll found. The one place that knows.
//
// The turn is in one of four states:
//
//   backend ──(it found something)──▶ returning ──received()──▶ loop ──finish()──▶ backend
//                                                                │ ▲
//                                                  finish(.wait) ▼ │ reclaim()
//                                                               leased ──(5 ms later)──▶ backend
//
// Idea:   the backend thread waits here until it gets the turn. The UI thread never waits: the request for a tick tells it that the turn is
//         coming back (`TickRequest.turn`). A UI thread that is about to sleep in a wait of ours keeps the turn and polls by itself, so that the
//         kernel wakes one thread instead of two. Between that tick and that wait it runs code that we do not know, which may sleep elsewhere.
//         So it leases the turn out to itself: if it has not come back after the lease, the backend takes the turn.
// Owner:  the backend thread calls `take` and `giveBack`, the UI thread everything else. `place` is the truth, and is atomic. The UI thread's own
//         variables only save it an atomic instruction.
// Breaks: a tick that has the turn and does not call `finish` stops the guest for ever.

import Glibc
import Synchronization
import SystemPackage
import TandemCLinux

final class PollTurn: Sendable {
    private enum Place: UInt8, AtomicRepresentable {
        case backend, loop
        /// The UI thread's, which runs code of its host's for a moment.
        case leased
        /// The backend has given it back; the UI thread has not yet read the request that says so.
        case returning
    }

    private let lease: Nanoseconds
    private let place = Atomic<Place>(.loop)
    /// When the present lease began.
    private let leasedAt = Atomic<Nanoseconds>(0)
    /// The lease's timer is set. Written by both threads.
    private let isTimed = Atomic<Bool>(false)
    // Safe, both: written in `init` and in `close`, which comes after the backend was joined.
    @exclusivity(unchecked) private nonisolated(unsafe) var passing: Descriptor?
    @exclusivity(unchecked) private nonisolated(unsafe) var timer: Descriptor?
    private let trace: (@Sendable (TraceStep) -> Void)?

    // Safe, these four: the UI thread's alone.
    /// Whether the UI thread has the turn, or has leased it and not asked since.
    @exclusivity(unchecked) private nonisolated(unsafe) var isOurs = false
    /// The host sleeps in a wait of ours, or looks whether it should: the turn stays, without a lease.
    @exclusivity(unchecked) private nonisolated(unsafe) var isInWait = false
    /// A sleep of this thread's ended because the epoll set has something, and no poll has come since.
    @exclusivity(unchecked) private nonisolated(unsafe) var sawReadiness = false
    @exclusivity(unchecked) private nonisolated(unsafe) var passes = 0

    init(lease: Nanoseconds, trace: (@Sendable (TraceStep) -> Void)? = nil) throws(GuestError) {
        self.lease = lease
        self.trace = trace
        passing = try Descriptor(taking: eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK)), from: "eventfd")
        timer = try Descriptor(taking: tandem_timer_create(), from: "timerfd_create")
    }

    /// UI thread, after the backend was joined.
    func close() {
        passing = nil
        timer = nil
    }

    // MARK: Backend thread

    /// Waits until the turn was passed, a lease has run out, or nobody will pass it any more: `isOver`, and then ``wakeBackend()``.
    ///
    /// Throws if something has closed its descriptors: nobody could wake this thread any more, and each wait would end at once.
    func take(unless isOver: () -> Bool) throws(Errno) {
        while place.load(ordering: .acquiring) != .backend, !isOver() {
            let ready = tandem_wait_readable(passing?.rawValue ?? -1, timer?.rawValue ?? -1, -1, -1, -1)
            if ready >= Int32(tandem_not_open) { throw .badFileDescriptor }
            var count: UInt64 = 0
            if ready > 0, ready & 1 != 0 { read(passing?.rawValue ?? -1, &count, 8) }
            if ready > 0, ready & 2 != 0, read(timer?.rawValue ?? -1, &count, 8) == 8 { leaseEnds() }
        }
    }

    private func leaseEnds() {
        isTimed.store(false, ordering: .sequentiallyConsistent)
        guard place.load(ordering: .sequentiallyConsistent) == .leased else { return }
        // The UI thread came back and leased it again since the timer was set.
        let left = leasedAt.load(ordering: .relaxed) + lease - LoopClock.machine
        if left > 0 {
            setTimer(left)
        } else {
            _ = place.compareExchange(expected: .leased, desired: .backend, ordering: .sequentiallyConsistent)
        }
    }

    /// The poll has found something. The request for a tick that follows tells the UI thread.
    func giveBack() { place.store(.returning, ordering: .releasing) }

    // MARK: Both threads

    /// Whether the backend may be polling, or may begin to: then an earlier deadline has to wake it. Read after the deadline was stored: whoever
    /// polls later reads the new one.
    var backendHasIt: Bool { place.load(ordering: .sequentiallyConsistent) == .backend }

    // MARK: UI thread

    /// As far as this thread knows, the backend has the turn, and announces what it finds. One load, for the idle tick.
    var isQuiet: Bool { !isOurs }

    /// This thread may poll. Only after ``reclaim()`` or ``received()``, in the same tick or wait.
    var isHere: Bool { isOurs }

    /// A sleep has seen that a descriptor is ready, which the next tick's poll will find.
    var hasReadiness: Bool { sawReadiness }

    /// How often the turn went to the backend.
    var timesPassed: Int { passes }

    /// The backend has been started, and begins with the turn.
    func start() {
        place.store(.backend, ordering: .releasing)
        wakeBackend()
    }

    /// A tick begins, whose poll will find what a sleep has seen to be ready.
    func beginTick() {
        sawReadiness = false
        reclaim()
    }

    /// The UI thread is back in the loop: ends the lease, unless the backend was faster.
    @inline(__always) func reclaim() {
        if isOurs { endLease() }
    }

    private func endLease() {
        let (wasLeased, found) = place.compareExchange(
            expected: .leased, desired: .loop, ordering: .sequentiallyConsistent)
        if !wasLeased, found != .loop { isGone() }
    }

    /// The request has said that the backend gave the turn back.
    func received() {
        isOurs = true
        place.store(.loop, ordering: .releasing)
    }

    /// The tick ends: the backend gets the turn, unless the host sleeps in a wait of ours next, and polling works.
    func finish(_ next: AfterTick, canPoll: Bool, now: Nanoseconds) {
        guard isOurs else { return }
        guard next == .wait, canPoll else { return pass() }
        if !isInWait { beginLease(at: now) }
    }

    /// Hands the poll results' memory and the right to poll to the backend.
    func pass() {
        isGone()
        trace?(.turnPassed)
        place.store(.backend, ordering: .releasing)
        wakeBackend()
    }

    /// The thread is about to sleep where only a request for a tick wakes it: the backend gets the turn that an earlier wait has kept.
    func passIfKept() {
        guard !isInWait else { return }
        reclaim()
        if isOurs { pass() }
    }

    /// The host is going to sleep in a wait of ours, and may tick in it. `false`: it is in one already.
    func beginWait() -> Bool {
        guard !isInWait else { return false }
        reclaim()
        isInWait = true
        return true
    }

    func endWait() {
        isInWait = false
        if isOurs { beginLease(at: LoopClock.machine) }
    }

    /// The turn stays with this thread while its host waits.
    var isKeptByWait: Bool { isInWait && isOurs }

    /// Before a sleep in such a wait. `true`: this thread has to watch the epoll set and the nearest deadline, since the backend does not.
    func beginSleep() -> Bool {
        guard isKeptByWait else { return false }
        stopTimer()
        return true
    }

    /// The sleep ended since the epoll set has something.
    func sleepSawReadiness() { sawReadiness = true }

    /// A modal loop stops the tick under way, and with it the wait that this is in, if any. Returned to ``resumeWait(_:)``.
    func pauseWait() -> Bool {
        defer { isInWait = false }
        return isInWait
    }

    func resumeWait(_ wasInWait: Bool) { isInWait = wasInWait }

    /// Makes the backend look again. Leaves the turn where it is: at the loop's end the backend may be about to give it back.
    func wakeBackend() {
        if eventfd_write(passing?.rawValue ?? -1, 1) == 0 { return }
        // Something has closed it while the backend slept, whose wait knows nothing of that. Awake, it finds out.
        tandem_timer_set(timer?.rawValue ?? -1, 1)
    }

    /// From here on the backend polls, and announces what a sleep of this thread's has seen to be ready: only who has the turn can look.
    private func isGone() {
        isOurs = false
        sawReadiness = false
        passes += 1
    }

    private func beginLease(at now: Nanoseconds) {
        leasedAt.store(now, ordering: .relaxed)
        place.store(.leased, ordering: .sequentiallyConsistent)
        setTimer(lease)
    }

    /// This thread is going to sleep with the turn: the backend need not wake for the lease.
    private func stopTimer() {
        guard isTimed.load(ordering: .sequentiallyConsistent) else { return }
        tandem_timer_set(timer?.rawValue ?? -1, 0)
        // In this order: a timer that runs for nothing is stopped later; one that is only thought to run would end no lease.
        isTimed.store(false, ordering: .sequentiallyConsistent)
    }

    private func setTimer(_ nanoseconds: Nanoseconds) {
        guard !isTimed.exchange(true, ordering: .sequentiallyConsistent) else { return }
        tandem_timer_set(timer?.rawValue ?? -1, nanoseconds)
    }
}
