// SPDX-License-Identifier: Apache-2.0
// WakePipe: an eventfd in the epoll set, by which the UI thread ends the backend's sleep.
// Idea:   a flag ensures that several wakes cause one write, until the backend has read it.
// Order: the UI thread stores the deadline, then wakes. The backend empties the pipe, clears the flag, then reads the
// deadline. In the other order the backend could empty the pipe of a wake whose deadline it has not read.
// Owner:  written on the UI thread, emptied by the thread that has the turn.

import Glibc
import Synchronization
import TandemCLinux

final class WakePipe: Sendable {
    // Safe: written in `init` and in `close`, which comes after the backend was joined.
    @exclusivity(unchecked) private nonisolated(unsafe) var descriptor: Descriptor?
    private let isWritten = Atomic<Bool>(false)
    private let writeCount = Atomic<Int>(0)

    init() throws(GuestError) {
        descriptor = try Descriptor(taking: eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK)), from: "eventfd")
    }

    var rawValue: Int32 { descriptor?.rawValue ?? -1 }

    /// UI thread, after the backend was joined.
    func close() { descriptor = nil }

    /// How often the eventfd was written.
    var writes: Int { writeCount.load(ordering: .relaxed) }

    /// Ends the backend's sleep. Several calls before the backend looks cause one write. `false` if the eventfd cannot be
    /// written: other code has closed it. The next call tries again.
    func wake() -> Bool {
        guard !isWritten.exchange(true, ordering: .sequentiallyConsistent) else { return true }
        writeCount.add(1, ordering: .relaxed)
        // The counter of the eventfd cannot overflow: the flag allows one write until it is emptied.
        if eventfd_write(rawValue, 1) == 0 { return true }
        isWritten.store(false, ordering: .sequentiallyConsistent)
        return false
    }

    /// Reads the eventfd, so that it is not readable any more, and clears the flag.
    func empty() {
        var count: eventfd_t = 0
        eventfd_read(rawValue, &count)
        isWritten.store(false, ordering: .sequentiallyConsistent)
    }
}
