// SPDX-License-Identifier: Apache-2.0
// LeastInbox: closures from any thread for the main thread, in order.
// Idea:   what Tandem promises of a post: one that was accepted runs, one that comes after the close is told so, a closure may throw, and a main
//         thread that sleeps is woken, once. The lock is an exchange and a store: a `Mutex` costs more than all the rest.
// Owner:  `post` is for any thread, the rest for the main thread.

import CLimits
import Glibc
import Synchronization

final class LeastInbox: Sendable {
    struct Closed: Error {}
    /// In a struct, since an array or a buffer of mere functions allocates a box for each.
    private struct Call { let body: @Sendable () throws -> Void }

    private static let capacity = 4096
    private let isLocked = Atomic<Bool>(false)
    // Safe, all: used with the lock taken; the memory is never freed.
    @exclusivity(unchecked) private nonisolated(unsafe) var calls = UnsafeMutablePointer<Call>.allocate(
        capacity: capacity)
    @exclusivity(unchecked) private nonisolated(unsafe) var count = 0
    @exclusivity(unchecked) private nonisolated(unsafe) var isClosed = false
    @exclusivity(unchecked) private nonisolated(unsafe) var isAsleep = false
    // Safe: the main thread's.
    @exclusivity(unchecked) private nonisolated(unsafe) var taken = UnsafeMutablePointer<Call>.allocate(
        capacity: capacity)
    /// Can be read when there are posts for a main thread that sleeps.
    let bell = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))

    @inline(__always) private func lock() {
        // The holder may have lost its core.
        while isLocked.exchange(true, ordering: .acquiring) { usleep(50) }
    }

    @inline(__always) private func unlock() { isLocked.store(false, ordering: .releasing) }

    func post(_ body: @escaping @Sendable () throws -> Void) throws(Closed) {
        lock()
        guard !isClosed else {
            unlock()
            throw Closed()
        }
        precondition(count < Self.capacity, "nobody takes the posts")
        (calls + count).initialize(to: Call(body: body))
        count &+= 1
        let wakes = isAsleep
        isAsleep = false
        unlock()
        if wakes { eventfd_write(bell, 1) }
    }

    /// Calls what was posted before.
    func run(_ failed: (any Error) -> Void) {
        lock()
        (calls, taken) = (taken, calls)
        let count = count
        self.count = 0
        unlock()
        for index in 0..<count {
            do { try (taken + index).move().body() } catch { failed(error) }
        }
    }

    /// Whether the main thread may sleep: if so, the next post wakes it.
    func maySleep() -> Bool {
        lock()
        isAsleep = count == 0
        defer { unlock() }
        return isAsleep
    }

    func close() {
        lock()
        isClosed = true
        unlock()
    }
}
