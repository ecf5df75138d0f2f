// SPDX-License-Identifier: Apache-2.0
// LeastInbox: closures from any thread for the main thread, in order.
// Idea:   what Tandem promises of a post: one that was accepted runs, one that comes after the close is told so, a closure may throw, and a main
//         thread that sleeps is woken, once.
// Owner:  `post` is for any thread, the rest for the main thread.

import CLimits
import Glibc
import Synchronization

final class LeastInbox: Sendable {
    struct Closed: Error {}

    private struct Shared: ~Copyable {
        var calls: [@Sendable () throws -> Void] = []
        var isClosed = false
        var isAsleep = false
    }

    private let shared = Mutex(Shared())
    /// Can be read when there are posts for a main thread that sleeps.
    let bell = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
    // Safe: the main thread's.
    @exclusivity(unchecked) private nonisolated(unsafe) var taken: [@Sendable () throws -> Void] = []

    func post(_ body: @escaping @Sendable () throws -> Void) throws(Closed) {
        let (isAccepted, wakes) = shared.withLock { shared in
            guard !shared.isClosed else { return (false, false) }
            shared.calls.append(body)
            let wakes = shared.isAsleep
            shared.isAsleep = false
            return (true, wakes)
        }
        guard isAccepted else { throw Closed() }
        if wakes { eventfd_write(bell, 1) }
    }

    /// Calls what was posted before.
    func run(_ failed: (any Error) -> Void) {
        shared.withLock { swap(&$0.calls, &taken) }
        for call in taken {
            do { try call() } catch { failed(error) }
        }
        taken.removeAll(keepingCapacity: true)
    }

    /// Whether the main thread may sleep: if so, the next post wakes it.
    func maySleep() -> Bool {
        shared.withLock { shared in
            shared.isAsleep = shared.calls.isEmpty
            return shared.isAsleep
        }
    }

    func close() { shared.withLock { $0.isClosed = true } }
}
