// SPDX-License-Identifier: Apache-2.0
// DeadlineTimer: ends a wait at its deadline even if the machine was suspended meanwhile.
//
// Facts that this code rests on:
//  - Deadlines are times of CLOCK_BOOTTIME, as those of Swift's ContinuousClock on Linux. That clock goes on while the
//    machine is suspended.
//  - The timeouts of epoll_pwait2, ppoll and semaphores are measured by CLOCK_MONOTONIC, which stands still meanwhile.
//    A wait of an hour during which the machine is suspended for an hour ends an hour late.
//  - A timerfd on CLOCK_BOOTTIME whose time has passed during a suspend can be read at once after waking up. A timer of that clock
//    does not wake the machine; CLOCK_BOOTTIME_ALARM would, and needs a privilege.
//  - Setting one costs a system call; a timerfd that is set and that nobody waits for costs nothing.
// Decision: a wait for a deadline that is further away than `far` is ended by such a timer. The wait's own timeout is a
// little later, in case other code has closed the timer. A wait for a nearer deadline is ended by its timeout, which a
// suspend makes late by less than `far`. If the next wait has the same deadline, the timer is not set again.
//
// Owner:  the thread that waits. The backend's timer belongs to the thread that has the turn, a host's timer to the UI
//         thread.
// Breaks: if the timer were not cleared after it was found readable, each later wait would end at once.

import Glibc
import TandemCLinux

final class DeadlineTimer: Sendable {
    /// A suspend may make a nearer deadline late by this much, in nanoseconds.
    static let far: Nanoseconds = 50_000_000
    /// The wait's own timeout is this long after the deadline, in nanoseconds.
    static let reserve: Nanoseconds = 100_000_000

    // Safe, both: used by the owner only, and in `close`, which comes after all waits.
    @exclusivity(unchecked) private nonisolated(unsafe) var descriptor: Descriptor?
    /// The time to which the timer is set; `never` if it is not set.
    @exclusivity(unchecked) private nonisolated(unsafe) var deadline = Nanoseconds.never

    init() throws(GuestError) {
        descriptor = try Descriptor(taking: tandem_deadline_timer_create(), from: "timerfd_create")
    }

    /// -1 after `close`.
    var rawValue: Int32 { descriptor?.rawValue ?? -1 }

    func close() { descriptor = nil }

    /// Other code has closed the timer: from now on waits use their timeouts.
    func forget() {
        descriptor.take()?.forget()
        deadline = .never
    }

    /// Returns whether the timer ends a wait for `deadline`, and sets it if so. Otherwise the wait's own timeout has to
    /// end it.
    func isSet(to deadline: Nanoseconds, now: Nanoseconds) -> Bool {
        guard deadline != .never, deadline > now.addingClamped(Self.far) else { return false }
        if self.deadline == deadline { return true }
        let isSet = tandem_deadline_timer_set(rawValue, deadline)
        self.deadline = isSet ? deadline : .never
        return isSet
    }

    /// The timer was found readable. Clears it.
    func clear() {
        var count: UInt64 = 0
        read(rawValue, &count, 8)
        deadline = .never
    }
}
