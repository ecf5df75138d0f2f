// SPDX-License-Identifier: Apache-2.0
// DeadlineTimer: ends a wait at its deadline, also if the machine was suspended meanwhile.
//
// Facts that this code rests on:
//  - Deadlines are CLOCK_BOOTTIME's, as Swift's ContinuousClock on Linux: it goes on while the machine is suspended.
//  - The timeouts of epoll_pwait2, ppoll and semaphores are CLOCK_MONOTONIC's, which stands still meanwhile. A wait of an hour that
//    is suspended for an hour ends an hour late.
//  - A timerfd on CLOCK_BOOTTIME whose time has passed during a suspend can be read at once after waking up. A timer of that clock
//    does not wake the machine; CLOCK_BOOTTIME_ALARM would, and needs a privilege.
//  - Setting one costs a system call; a timerfd that is set and that nobody waits for costs nothing.
// Decision: a wait for a deadline that is further away than `far` is ended by such a timer; its own timeout comes later and is for a
// timer that somebody else has closed. For a nearer deadline the timeout does, which a suspend makes late by less than `far`. A wait that
// goes on to the same deadline sets nothing anew.
//
// Owner:  the thread that waits by it: the backend's belongs to the holder of the turn, a host's to its UI thread.
// Breaks: a timer that is not cleared after it has been read from would end each later wait at once.

import Glibc
import TandemCLinux

final class DeadlineTimer: Sendable {
    /// So late may a nearer deadline be after a suspend.
    static let far: Nanoseconds = 50_000_000
    /// So long after the deadline the wait's own timeout comes.
    static let reserve: Nanoseconds = 100_000_000

    // Safe, both: touched by the owner only, and in `close`, which comes after all waits.
    @exclusivity(unchecked) private nonisolated(unsafe) var descriptor: Descriptor?
    /// What the timer is set to; `never` if it is not.
    @exclusivity(unchecked) private nonisolated(unsafe) var deadline = Nanoseconds.never

    init() throws(GuestError) {
        descriptor = try Descriptor(taking: tandem_deadline_timer_create(), from: "timerfd_create")
    }

    /// -1 after `close`.
    var rawValue: Int32 { descriptor?.rawValue ?? -1 }

    func close() { descriptor = nil }

    /// Somebody else has closed it: waits have their timeouts from here on.
    func forget() {
        descriptor.take()?.forget()
        deadline = .never
    }

    /// Whether the timer is to end a wait for `deadline`; it is set then. Otherwise the wait's own timeout has to.
    func isSet(to deadline: Nanoseconds, now: Nanoseconds) -> Bool {
        guard deadline != .never, deadline > now.addingClamped(Self.far) else { return false }
        if self.deadline == deadline { return true }
        let isSet = tandem_deadline_timer_set(rawValue, deadline)
        self.deadline = isSet ? deadline : .never
        return isSet
    }

    /// The timer was found readable: it is not from here on.
    func clear() {
        var count: UInt64 = 0
        read(rawValue, &count, 8)
        deadline = .never
    }
}
