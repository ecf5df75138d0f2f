// SPDX-License-Identifier: Apache-2.0
// Turn: the source design's semaphore: whose turn it is to poll, and to touch what the poll found.
// Idea:   the backend waits here; the UI thread passes the turn at the end of a tick and learns from a signal bit (see `Signals`)
//         that it came back, so that it never waits at all. A UI thread that is about to sleep in a wait of its own keeps the turn
//         and polls by itself: one thread to wake instead of two. Between the tick and that wait it runs code that we do not know,
//         which may sleep elsewhere, so there it puts the turn down: what lies down for longer than a lease, the backend takes.
// Owner:  taken and given back on the backend thread; the rest is the UI thread's.
// Breaks: a tick that held the turn and neither passes it nor puts it down stops the guest for ever.

import Glibc
import Synchronization
import SystemPackage
import TandemCLinux

final class Turn: Sendable {
    private enum Place: UInt8, AtomicRepresentable {
        case backend, uiThread
        /// The UI thread's, which is out of the loop for a moment.
        case down
        /// Given back by the backend; the UI thread has not heard of it yet.
        case onItsWay
    }

    /// How long the backend leaves alone what was put down.
    private let lease: Nanoseconds
    private let place = Atomic<Place>(.uiThread)
    /// When the UI thread put it down.
    private let putDownAt = Atomic<Nanoseconds>(0)
    /// The lease's timer is set. Either thread's.
    private let isTimed = Atomic<Bool>(false)
    // Safe: written in `init` and in `close`, which comes after the backend was joined.
    @exclusivity(unchecked) private nonisolated(unsafe) var passing: Descriptor?
    @exclusivity(unchecked) private nonisolated(unsafe) var timer: Descriptor?

    init(lease: Nanoseconds) throws(GuestError) {
        self.lease = lease
        passing = try Descriptor(taking: eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK)), from: "eventfd")
        timer = try Descriptor(taking: tandem_timer_create(), from: "timerfd_create")
    }

    /// UI thread, after the backend was joined.
    func close() {
        passing = nil
        timer = nil
    }

    // MARK: Backend thread

    /// Waits until the turn was passed, has lain down for a lease, or nobody will pass it any more: `isOver` and then ``wake()``.
    ///
    /// Throws if something has closed its descriptors: nobody could be heard any more, and each wait would end at once.
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
        guard place.load(ordering: .sequentiallyConsistent) == .down else { return }
        // It was picked up and put down again since the timer was set.
        let left = putDownAt.load(ordering: .relaxed) + lease - LoopClock.machine
        if left > 0 {
            setTimer(left)
        } else {
            _ = place.compareExchange(expected: .down, desired: .backend, ordering: .sequentiallyConsistent)
        }
    }

    /// The UI thread's again, which is told by a signal.
    func giveBack() { place.store(.onItsWay, ordering: .releasing) }

    // MARK: UI thread

    /// The signal has come: what the backend found is the UI thread's.
    func receive() { place.store(.uiThread, ordering: .releasing) }

    /// Hands the poll results' memory and the right to poll to the backend.
    func pass() {
        place.store(.backend, ordering: .releasing)
        wake()
    }

    /// The backend looks again. Leaves the turn where it is: at the end the backend may be about to give it back.
    func wake() {
        if eventfd_write(passing?.rawValue ?? -1, 1) == 0 { return }
        // Something has closed it while the backend slept, whose wait knows nothing of that. Awake, it finds out.
        tandem_timer_set(timer?.rawValue ?? -1, 1)
    }

    /// The UI thread leaves the loop, and is expected back soon.
    func putDown(at now: Nanoseconds) {
        putDownAt.store(now, ordering: .relaxed)
        place.store(.down, ordering: .sequentiallyConsistent)
        setTimer(lease)
    }

    /// The UI thread is back. `false`: too late, the backend has the turn.
    func pickUp() -> Bool {
        let (isDown, place) = place.compareExchange(
            expected: .down, desired: .uiThread, ordering: .sequentiallyConsistent)
        return isDown || place == .uiThread
    }

    /// The backend does not have it. Read after the deadline was stored: what the backend reads later is the new one.
    var isHere: Bool { place.load(ordering: .sequentiallyConsistent) != .backend }

    /// The UI thread has picked it up and is going to sleep: the backend need not wake for the lease.
    func stopTimer() {
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
