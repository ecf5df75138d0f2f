// SPDX-License-Identifier: Apache-2.0
// Semaphore: the C library's counting semaphore, at an address that does not change.
// Owner:  any thread. The thread sanitizer understands `sem_t`.

import Glibc
import TandemCLinux

/// A counting semaphore with a timed wait.
package final class Semaphore: Sendable {
    // Safe: allocated once, freed in deinit; several threads may use a `sem_t`.
    private nonisolated(unsafe) let raw: UnsafeMutablePointer<sem_t>

    package init(value: UInt32 = 0) {
        raw = .allocate(capacity: 1)
        sem_init(raw, 0, value)
    }

    deinit {
        sem_destroy(raw)
        raw.deallocate()
    }

    /// Adds one, and wakes a thread that waits. May be called in a signal handler.
    package func signal() {
        sem_post(raw)
    }

    /// Subtracts one; waits until it can.
    package func wait() {
        while sem_wait(raw) != 0 {
            precondition(errno == EINTR, "sem_wait failed: errno \(errno)")
        }
    }

    /// Subtracts one if it can without waiting.
    package func tryWait() -> Bool {
        while sem_trywait(raw) != 0 {
            if errno != EINTR { return false }
        }
        return true
    }

    /// Subtracts one; waits for at most `duration`. `false` if the time has passed.
    package func wait(for duration: Duration) -> Bool {
        var until = timespec()
        clock_gettime(CLOCK_MONOTONIC, &until)
        let (total, overflow) = duration.nanosecondsRoundedUp.addingReportingOverflow(Int64(until.tv_nsec))
        // A wait of centuries is shortened to one that fits into `time_t`.
        let nanoseconds = overflow ? Int64.max / 2 : max(total, 0)
        until.tv_sec += Int(nanoseconds / 1_000_000_000)
        until.tv_nsec = Int(nanoseconds % 1_000_000_000)
        while tandem_semaphore_wait_until(raw, &until) != 0 {
            if errno == EINTR { continue }
            precondition(errno == ETIMEDOUT, "the timed wait failed: errno \(errno)")
            if Self.hasPassed(until) { return false }
            // The kernel says so too early, and may each time: the wait goes on in steps, so that it keeps no core busy.
            if tryWait() { return true }
            usleep(1000)
        }
        return true
    }

    private static func hasPassed(_ time: timespec) -> Bool {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return (now.tv_sec, now.tv_nsec) >= (time.tv_sec, time.tv_nsec)
    }
}
