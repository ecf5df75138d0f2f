// SPDX-License-Identifier: Apache-2.0
// Semaphore: the kernel's counting semaphore at an address that does not move.
// Owner:  shared; any thread. `sem_t` is seen by the thread sanitizer.

import Glibc
import TandemCLinux

/// A counting semaphore that can wait until a time.
package final class Semaphore: Sendable {
    // Safe: allocated once, freed in deinit; `sem_t` is made for several threads.
    private nonisolated(unsafe) let raw: UnsafeMutablePointer<sem_t>

    package init(value: UInt32 = 0) {
        raw = .allocate(capacity: 1)
        sem_init(raw, 0, value)
    }

    deinit {
        sem_destroy(raw)
        raw.deallocate()
    }

    /// Adds one and wakes a waiter. Safe in a signal handler.
    package func signal() {
        sem_post(raw)
    }

    /// Takes one; waits for it as long as it takes.
    package func wait() {
        while sem_wait(raw) != 0 {
            precondition(errno == EINTR, "sem_wait failed: errno \(errno)")
        }
    }

    /// Takes one without waiting.
    package func tryWait() -> Bool {
        while sem_trywait(raw) != 0 {
            if errno != EINTR { return false }
        }
        return true
    }

    /// Takes one within `duration`; `false` if there was none.
    package func wait(for duration: Duration) -> Bool {
        var until = timespec()
        clock_gettime(CLOCK_MONOTONIC, &until)
        let (total, overflow) = duration.nanosecondsRoundedUp.addingReportingOverflow(Int64(until.tv_nsec))
        // A wait of centuries is cut to one that `time_t` can add up.
        let nanoseconds = overflow ? Int64.max / 2 : max(total, 0)
        until.tv_sec += Int(nanoseconds / 1_000_000_000)
        until.tv_nsec = Int(nanoseconds % 1_000_000_000)
        while tandem_semaphore_wait_until(raw, &until) != 0 {
            if errno == EINTR { continue }
            precondition(errno == ETIMEDOUT, "the timed wait failed: errno \(errno)")
            return false
        }
        return true
    }
}
