// SPDX-License-Identifier: Apache-2.0
// DeadlineTimer: ends a wait at its deadline, even if the machine was suspended meanwhile, whatever the thread's timer
//                slack.
//
// Facts that this code rests on:
//  - Deadlines are times of CLOCK_BOOTTIME, as those of Swift's ContinuousClock on Linux. That clock goes on while the
//    machine is suspended.
//  - The timeouts of epoll_pwait2, ppoll and semaphores are measured by CLOCK_MONOTONIC, which stands still meanwhile.
//    A wait of an hour during which the machine is suspended for an hour ends an hour late.
//  - A timerfd on CLOCK_BOOTTIME whose time has passed during a suspend can be read at once after waking up. A timer of
//    that clock does not wake the machine; CLOCK_BOOTTIME_ALARM would, and needs a privilege.
//  - Setting one costs a system call; a timerfd that is set and that nobody waits for costs nothing.
//  - The kernel ends a timeout late by the thread's timer slack, 50 µs by default, to save wake-ups. To change the slack
//    of a thread of the program's and to restore it costs four system calls for each wait (prctl). A timerfd has no
//    slack.
// Decision: each wait of a UI thread that has a deadline is ended by such a timer. So are the backend's waits for
// deadlines that are further away than `far`; the others are ended by their timeouts, since the backend's own thread has
// no slack, and a suspend makes them late by less than `far`. The timeout of a wait that the timer ends is a little later,
// in case other code has closed the timer. If the next wait has the same deadline, the timer is not set again.
//
// Owner:  the thread that waits. The backend's timer belongs to the thread that has the turn, a host's timer to the UI
//         thread. `expire` may be called on any thread.
// Breaks: if a timer that is always watched were not cleared after it was found readable, each later wait would end at
//         once.

import Glibc
import Synchronization
import TandemCLinux

final class DeadlineTimer: Sendable {
    /// A suspend may make a nearer deadline of the backend's late by this much, in nanoseconds.
    static let far: Nanoseconds = 50_000_000
    /// The wait's own timeout is this long after the deadline, in nanoseconds.
    static let reserve: Nanoseconds = 100_000_000

    private let distance: Nanoseconds
    // Safe, both: used by the owner only, and in `close`, which comes after all waits.
    @exclusivity(unchecked) private nonisolated(unsafe) var descriptor: Descriptor?
    /// The descriptor's number, for other threads; -1 after `close`.
    private let number: Atomic<Int32>
    /// The time to which the timer is set; `never` if it is not set.
    @exclusivity(unchecked) private nonisolated(unsafe) var deadline = Nanoseconds.never

    /// - Parameter distance: How far away a deadline has to be for the timer to be used, in nanoseconds.
    init(forDeadlinesAfter distance: Nanoseconds) throws(GuestError) {
        self.distance = distance
        let descriptor = try Descriptor(taking: tandem_deadline_timer_create(), from: "timerfd_create")
        number = Atomic(descriptor.rawValue)
        self.descriptor = consume descriptor
    }

    /// -1 after `close`.
    var rawValue: Int32 { descriptor?.rawValue ?? -1 }

    func close() {
        number.store(-1, ordering: .relaxed)
        descriptor = nil
    }

    /// Other code has closed the timer: from now on waits use their timeouts.
    func forget() {
        number.store(-1, ordering: .relaxed)
        descriptor.take()?.forget()
        deadline = .never
    }

    /// Sets the timer, so that it ends a wait for `deadline`. `false`: the deadline is near, or the kernel refused;
    /// then the wait's own timeout has to end it.
    func set(to deadline: Nanoseconds, now: Nanoseconds) -> Bool {
        guard deadline != .never, deadline > now.addingClamped(distance) else { return false }
        if self.deadline == deadline { return true }
        let isSet = tandem_deadline_timer_set(rawValue, deadline)
        self.deadline = isSet ? deadline : .never
        return isSet
    }

    /// Any thread: makes the timer readable at once, so that it ends the owner's wait. If the owner sets the timer at the
    /// same moment, the wait ends at its deadline.
    func expire() { tandem_timer_set(number.load(ordering: .relaxed), 1) }

    /// The timer was found readable, by a wait that does not watch it before it is set again, which makes it unreadable.
    func noteExpired() { deadline = .never }

    /// The timer was found readable, by a wait that always watches it. Makes it unreadable.
    func clear() {
        var count: UInt64 = 0
        read(rawValue, &count, 8)
        deadline = .never
    }
}
