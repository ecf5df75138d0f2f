// SPDX-License-Identifier: Apache-2.0
// Locks: the two kinds of lock that Tandem uses. The thread sanitizer understands both; it does not understand the
//        standard library's `Mutex` when two threads compete for it.

import Glibc
import Synchronization
import TandemCLinux

/// A lock whose waiters sleep until it is free.
package final class Lock: Sendable {
    // Safe: allocated once at a stable address, freed in deinit.
    private nonisolated(unsafe) let raw: UnsafeMutablePointer<pthread_mutex_t>

    package init() {
        raw = .allocate(capacity: 1)
        pthread_mutex_init(raw, nil)
    }

    deinit {
        pthread_mutex_destroy(raw)
        raw.deallocate()
    }

    package func lock() { pthread_mutex_lock(raw) }
    package func unlock() { pthread_mutex_unlock(raw) }
}

/// A lock for operations of a few nanoseconds, at half the price of the other: unlocking is a plain store, which wakes
/// no other thread. So a thread that finds the lock taken looks again and again. After 100 looks, when the holder has
/// probably lost its core, it sleeps for 50 µs between two looks.
struct BriefLock: ~Copyable, Sendable {
    private let isTaken = Atomic<Bool>(false)

    @inline(__always) func lock() {
        if isTaken.exchange(true, ordering: .acquiring) { waitAndLock() }
    }

    @inline(__always) func unlock() { isTaken.store(false, ordering: .releasing) }

    @inline(never) private func waitAndLock() {
        var looks = 0
        repeat {
            looks += 1
            if looks < 100 { tandem_pause(50) } else { usleep(50) }
        } while isTaken.exchange(true, ordering: .acquiring)
    }
}
