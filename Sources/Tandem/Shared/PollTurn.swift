// SPDX-License-Identifier: Apache-2.0
// PollTurn: which thread may poll, and read what the poll found. Only this file knows.
//
// The turn is in one of four states:
//
//   backend ──(it found something)──▶ returning ──received()──▶ loop ──finish()──▶ backend
//                                                                │ ▲
//                                          finish(.wait, .frame) ▼ │ reclaim()
//                                                               leased ──(5 ms later)──▶ backend
//
// Idea:   the backend thread waits here until it gets the turn. The UI thread never waits for it: the request for a
//         tick tells it that the turn has come back (`TickRequest.turn`). A UI thread that is about to sleep in a
//         host's wait keeps the turn and polls itself, so that the kernel wakes one thread instead of two. But between
//         the tick and that wait it runs code of the program, which may sleep elsewhere. So it takes the turn on a
//         lease: if it has not come back when the lease ends, the backend takes the turn. Before a frame, and in a program
//         that says that it ticks regularly (`Configuration.expectsRegularTicks`), the lease is longer.
// Owner:  the backend thread calls `take` and `giveBack`, the UI thread calls everything else. `place`, which is
//         atomic, decides. The UI thread's own variables only save it an atomic instruction.
// Breaks: if a tick has the turn and does not call `finish`, the guest stops for ever.

import Glibc
import Synchronization
import SystemPackage
import TandemCLinux

final class PollTurn: Sendable {
    private enum Place: UInt8, AtomicRepresentable {
        case backend, loop
        /// The UI thread has it on a lease, while it runs code of the program.
        case leased
        /// The backend has given it back, and the UI thread has not yet read the request that says so.
        case returning
    }

    private let lease: Nanoseconds
    /// The lease between two ticks, where the next one is sure to come.
    private let leaseBetweenTicks: Nanoseconds
    /// Whether a next tick is sure to come after one of which nobody knows what follows. If not, such a tick passes the turn.
    private let ticksRegularly: Bool
    private let place = Atomic<Place>(.loop)
    /// When the present lease ends.
    private let leasedUntil = Atomic<Nanoseconds>(0)
    /// Whether the lease's timer is set. Written by both threads.
    private let isTimed = Atomic<Bool>(false)
    // Safe, both: written in `init` and in `close`, which comes after the backend was joined.
    @exclusivity(unchecked) private nonisolated(unsafe) var passing: Descriptor?
    @exclusivity(unchecked) private nonisolated(unsafe) var timer: Descriptor?
    private let trace: (@Sendable (TraceStep) -> Void)?

    // Safe, these nine: used on the UI thread only.
    /// Whether the UI thread has the turn, or had it on a lease when it last looked.
    @exclusivity(unchecked) private nonisolated(unsafe) var uiThreadHasIt = false
    /// The host is in a wait (`GuestLoop.wait`): the turn is kept without a lease.
    @exclusivity(unchecked) private nonisolated(unsafe) var isInWait = false
    /// A sleep of this thread ended because the epoll set has something, and there was no poll since.
    @exclusivity(unchecked) private nonisolated(unsafe) var sawReadiness = false
    /// Such a sleep has ended for another reason, and no tick has begun since.
    @exclusivity(unchecked) private nonisolated(unsafe) var sawNothing = false
    /// Since then this thread has only stayed awake for the work of other threads, and has not looked at the epoll set.
    @exclusivity(unchecked) private nonisolated(unsafe) var stayedAwake = false
    /// When a tick last began that polled, or that came after a sleep.
    @exclusivity(unchecked) private nonisolated(unsafe) var lookedAt: Nanoseconds = 0
    /// When the wait of that sleep has ended, if it has.
    @exclusivity(unchecked) private nonisolated(unsafe) var waitEnded: Nanoseconds = 0
    @exclusivity(unchecked) private nonisolated(unsafe) var passes = 0
    /// How long the last lease was.
    @exclusivity(unchecked) private nonisolated(unsafe) var lastLease: Nanoseconds = 0

    init(
        lease: Nanoseconds, leaseBetweenTicks: Nanoseconds, ticksRegularly: Bool,
        trace: (@Sendable (TraceStep) -> Void)? = nil
    ) throws(GuestError) {
        self.lease = lease
        self.leaseBetweenTicks = leaseBetweenTicks
        self.ticksRegularly = ticksRegularly
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

    /// Waits until the turn is passed, a lease has ended, or `isOver` returns true; whoever makes it true has to call
    /// ``wakeBackend()`` then.
    ///
    /// Throws if other code has closed its descriptors. Then no other thread could wake this one, and each wait would
    /// end at once.
    func take(unless isOver: () -> Bool) throws(Errno) {
        while place.load(ordering: .acquiring) != .backend, !isOver() {
            let ready = tandem_wait_readable(passing?.rawValue ?? -1, timer?.rawValue ?? -1, -1, -1, -1)
            if ready >= Int32(tandem_not_open), ready & Int32(tandem_wait_was_refused) == 0 { throw .badFileDescriptor }
            var count: UInt64 = 0
            if ready > 0, ready & 1 != 0 { read(passing?.rawValue ?? -1, &count, 8) }
            if ready > 0, ready & 2 != 0, read(timer?.rawValue ?? -1, &count, 8) == 8 { leaseEnds() }
        }
    }

    private func leaseEnds() {
        isTimed.store(false, ordering: .sequentiallyConsistent)
        guard place.load(ordering: .sequentiallyConsistent) == .leased else { return }
        let end = leasedUntil.load(ordering: .relaxed)
        let left = end - LoopClock.machine
        guard left > 0 else {
            _ = place.compareExchange(expected: .leased, desired: .backend, ordering: .sequentiallyConsistent)
            return
        }
        // The UI thread has come back, and has taken a new lease since the timer was set.
        setTimer(left)
        // It may have taken a shorter one meanwhile, and set the timer for that just before this thread did.
        if leasedUntil.load(ordering: .sequentiallyConsistent) < end { tandem_timer_set(timer?.rawValue ?? -1, 1) }
    }

    /// The poll has found something. The request for a tick, which follows, tells the UI thread.
    func giveBack() { place.store(.returning, ordering: .releasing) }

    // MARK: Both threads

    /// Whether the backend polls or may begin to: then an earlier deadline has to wake it. Read this after the deadline
    /// was stored: if the backend begins to poll later, it reads the new deadline.
    var backendHasIt: Bool { place.load(ordering: .sequentiallyConsistent) == .backend }

    // MARK: UI thread

    /// As far as this thread knows, the backend has the turn and announces what it finds. One load; an idle tick reads
    /// it.
    var backendAnnounces: Bool { !uiThreadHasIt }

    /// Whether this thread may poll. Valid only after ``reclaim()`` or ``received()`` in the same tick or wait.
    var isWithUIThread: Bool { uiThreadHasIt }

    /// A sleep has seen that a descriptor is ready. The next tick's poll will find it.
    var hasReadiness: Bool { sawReadiness }

    /// How often the turn went to the backend.
    var timesPassed: Int { passes }

    /// The backend has been started. It has the turn first.
    func start() {
        place.store(.backend, ordering: .releasing)
        wakeBackend()
    }

    /// A tick begins. Its poll will find what a sleep has seen to be ready. Returns whether the sleep before it has watched the
    /// epoll set and seen nothing, in the same wait or in one that the loop's work has ended just now. After any other wait
    /// the tick polls: the program may have done something meanwhile that made a descriptor ready.
    func beginTick(at now: Nanoseconds) -> Bool {
        var sawNothing = sawNothing && (isInWait || now - waitEnded < Self.justNow)
        if stayedAwake, now - lookedAt >= Self.justNow { sawNothing = false }
        if !stayedAwake || !sawNothing { lookedAt = now }
        stayedAwake = false
        self.sawNothing = false
        sawReadiness = false
        reclaim()
        return sawNothing
    }

    /// The UI thread is back in the loop: ends the lease, unless the backend has taken the turn.
    @inline(__always) func reclaim() {
        if uiThreadHasIt { endLease() }
    }

    @inline(__always)
    private func endLease() {
        let (wasLeased, found) = place.compareExchange(
            expected: .leased, desired: .loop, ordering: .sequentiallyConsistent)
        if !wasLeased, found != .loop { noteGone() }
    }

    /// Called when the request for a tick says that the backend has given the turn back.
    func received() {
        uiThreadHasIt = true
        place.store(.loop, ordering: .releasing)
    }

    /// The tick ends. The backend gets the turn, unless the host waits or ticks next and a poll of this thread can work.
    func finish(_ next: AfterTick, canPoll: Bool, now: Nanoseconds) {
        guard uiThreadHasIt else { return }
        guard canPoll, let lease = leaseLength(next) else { return pass() }
        if !isInWait { beginLease(at: now, for: lease) }
    }

    @inline(__always) private func leaseLength(_ next: AfterTick) -> Nanoseconds? {
        switch next {
        case .wait: lease
        case .frame: leaseBetweenTicks
        case .unknown: ticksRegularly ? leaseBetweenTicks : nil
        }
    }

    /// Gives the backend the right to poll, and the memory for what it finds.
    func pass() {
        noteGone()
        trace?(.turnPassed)
        place.store(.backend, ordering: .releasing)
        wakeBackend()
    }

    /// The thread is about to sleep where only a request for a tick wakes it: passes the turn that an earlier wait has
    /// kept.
    func passIfKept() {
        guard !isInWait else { return }
        reclaim()
        if uiThreadHasIt { pass() }
    }

    /// A host's wait begins, which may tick. `false`: it is inside another wait.
    func beginWait() -> Bool {
        guard !isInWait else { return false }
        reclaim()
        isInWait = true
        return true
    }

    /// `now`: the machine's time, at most a look for work ago. `byWork`: the loop's work has ended it, so that the program
    /// ticks next.
    func endWait(at now: Nanoseconds, byWork: Bool) {
        isInWait = false
        sawNothing = sawNothing && byWork
        waitEnded = now
        if uiThreadHasIt { beginLease(at: now, for: lease) }
    }

    /// A tick that comes so soon after its host's wait is the program's next step.
    private static let justNow: Nanoseconds = 100_000

    /// Whether this thread has the turn and keeps it while its host waits.
    var isKeptByWait: Bool { isInWait && uiThreadHasIt }

    /// Called before a sleep in such a wait. `true`: this thread has to watch the epoll set and the nearest deadline,
    /// since the backend does not.
    func beginSleep() -> Bool {
        guard isKeptByWait else { return false }
        stopTimer()
        return true
    }

    /// A sleep that has watched the epoll set has ended: because that has something, or for another reason.
    func sleepEnded(isReady: Bool) {
        if isReady { sawReadiness = true }
        sawNothing = !isReady
    }

    /// This thread has looked for the work of other threads instead of sleeping, and has found some. The next tick polls only
    /// if the last look at the epoll set is long over: a thread that answers another one would poll for nothing each time.
    func noteStayedAwake() {
        guard isKeptByWait, !sawReadiness else { return }
        stayedAwake = true
        sawNothing = true
    }

    /// A modal loop pauses the tick that runs, and the wait in which that tick runs, if there is one. Pass the result
    /// to ``resumeWait(_:)`` afterwards.
    func pauseWait() -> Bool {
        defer { isInWait = false }
        return isInWait
    }

    func resumeWait(_ wasInWait: Bool) { isInWait = wasInWait }

    /// Makes the backend look again. The state does not change: when the loop ends, the backend may be about to give
    /// the turn back.
    func wakeBackend() {
        if eventfd_write(passing?.rawValue ?? -1, 1) == 0 { return }
        // Other code has closed the eventfd while the backend slept, which does not end the backend's sleep. The timer
        // wakes the backend, which then finds out.
        tandem_timer_set(timer?.rawValue ?? -1, 1)
    }

    /// From now on the backend polls, and announces what a sleep of this thread has seen to be ready: only the thread
    /// that has the turn can look.
    private func noteGone() {
        uiThreadHasIt = false
        sawReadiness = false
        sawNothing = false
        passes += 1
    }

    private func beginLease(at now: Nanoseconds, for lease: Nanoseconds) {
        // A timer that runs on from a longer lease would end this one late.
        if lease < lastLease { stopTimer() }
        lastLease = lease
        leasedUntil.store(now.addingClamped(lease), ordering: .relaxed)
        place.store(.leased, ordering: .sequentiallyConsistent)
        setTimer(lease)
    }

    /// This thread is about to sleep with the turn, so the backend need not wake when the lease ends.
    private func stopTimer() {
        guard isTimed.load(ordering: .sequentiallyConsistent) else { return }
        tandem_timer_set(timer?.rawValue ?? -1, 0)
        // The order matters. If the timer still runs although the flag is clear, it is only stopped later. If the flag
        // were set although the timer does not run, no lease would ever end.
        isTimed.store(false, ordering: .sequentiallyConsistent)
    }

    private func setTimer(_ nanoseconds: Nanoseconds) {
        guard !isTimed.exchange(true, ordering: .sequentiallyConsistent) else { return }
        tandem_timer_set(timer?.rawValue ?? -1, nanoseconds)
    }
}
