// SPDX-License-Identifier: Apache-2.0
// WakePipe: how the UI thread ends the backend's sleep: an eventfd in the epoll set.
// Idea:   the flag keeps several wakes before the backend looks down to one write.
// Order:  the UI thread stores the deadline, then wakes; the backend empties the pipe, clears the flag, then reads the deadline.
//         The other way round a wake could be swallowed whose deadline was not yet seen.
// Owner:  written on the UI thread, emptied by whoever holds the turn.

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

    /// How often the pipe was really written.
    var writes: Int { writeCount.load(ordering: .relaxed) }

    /// Ends the backend's sleep, once however often it is called before the backend looks.
    func wake() {
        guard !isWritten.exchange(true, ordering: .sequentiallyConsistent) else { return }
        writeCount.add(1, ordering: .relaxed)
        // The count cannot overflow: the flag lets one write through per emptying.
        eventfd_write(rawValue, 1)
    }

    /// Makes the pipe unreadable again.
    func empty() {
        var count: eventfd_t = 0
        eventfd_read(rawValue, &count)
        isWritten.store(false, ordering: .sequentiallyConsistent)
    }
}
