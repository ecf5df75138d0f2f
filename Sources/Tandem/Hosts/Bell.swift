// SPDX-License-Identifier: Apache-2.0
// Bell: what ends the sleep of a host's thread, where that sleeps by itself: an eventfd.
// Order:  the UI thread says that it listens, then looks at the loop; a request announces its work, then looks whether somebody
//         listens. One of the two sees the other.
// Owner:  rung on any thread; the rest is the UI thread's.

import Glibc
import Synchronization
import SystemPackage
import TandemCLinux

package final class Bell: Sendable {
    private let descriptor: Descriptor
    private let isHeeded = Atomic<Bool>(false)
    /// Rung, and not heard since: one write for any number of rings.
    private let isRung = Atomic<Bool>(false)
    /// The UI thread looks at the loop again and again, and need not be told of it. Set and cleared there.
    private let isMuted = Atomic<Bool>(false)

    package init() throws(GuestError) {
        descriptor = try Descriptor(taking: eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK)), from: "eventfd")
    }

    /// Any thread: would the UI thread hear it? It sleeps, or will look at the loop before it does.
    package var isListenedTo: Bool { isHeeded.load(ordering: .sequentiallyConsistent) }

    /// Any thread: ends the sleep of the UI thread.
    package func ring() {
        guard !isRung.exchange(true, ordering: .sequentiallyConsistent) else { return }
        eventfd_write(descriptor.rawValue, 1)
    }

    /// Any thread: as ``ring()``, for the loop's requests: not while the UI thread looks there anyway.
    package func ringForLoop() {
        if !isMuted.load(ordering: .sequentiallyConsistent) { ring() }
    }

    func beginListening() {
        isHeeded.store(true, ordering: .sequentiallyConsistent)
        // Rings of an earlier wait have been answered.
        if isRung.load(ordering: .relaxed) { silence() }
    }

    func endListening() { isHeeded.store(false, ordering: .sequentiallyConsistent) }

    /// Sleeps until the bell rings, the epoll set has something, the host's descriptor can be read (-1: none), or the time has passed.
    func sleep(_ nanoseconds: Nanoseconds, or epollSet: Int32, _ descriptor: Int32) -> Wake {
        let ready = tandem_wait_readable(self.descriptor.rawValue, epollSet, descriptor, max(0, nanoseconds))
        guard ready >= 0 else { return .signal }
        let wake = Wake(rawValue: ready)
        if wake.contains(.bell) { silence() }
        return wake
    }

    /// The UI thread looks at the loop all the time. After `unmute` it looks once more before it sleeps.
    func mute() { isMuted.store(true, ordering: .sequentiallyConsistent) }
    func unmute() { isMuted.store(false, ordering: .sequentiallyConsistent) }

    /// Empties the bell, then lets it be rung again; what was announced in between is found by the look that follows. The other way round a
    /// ring in between would be emptied, and its flag kept everybody from ringing again.
    private func silence() {
        var count: eventfd_t = 0
        eventfd_read(descriptor.rawValue, &count)
        isRung.store(false, ordering: .sequentiallyConsistent)
    }
}

/// What has ended a sleep; empty: the time.
package struct Wake: OptionSet, Sendable {
    package let rawValue: Int32

    package init(rawValue: Int32) { self.rawValue = rawValue }

    static let bell = Wake(rawValue: 1)
    static let readiness = Wake(rawValue: 2)
    /// The host's.
    package static let descriptor = Wake(rawValue: 4)
    /// Whoever sleeps looks and goes on.
    static let signal = Wake(rawValue: 8)
}
