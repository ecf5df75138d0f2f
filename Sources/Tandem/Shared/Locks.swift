// SPDX-License-Identifier: Apache-2.0
// Locks: the two that the loop uses. The thread sanitizer sees both; see the facts about `Mutex` under contention.

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

/// A lock for what takes some nanoseconds, at half the price of the other: giving it back is a plain store, which tells nobody. So whoever
/// finds it taken looks again, and takes naps once it seems that the holder has lost its core.
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
