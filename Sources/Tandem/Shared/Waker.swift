// SPDX-License-Identifier: Apache-2.0
// Waker: what ends the sleep of a host's thread, where that sleeps by itself: an eventfd.
// Order:  the UI thread says that it listens, then looks at the loop; a request announces its work, then looks whether somebody
//         listens. One of the two sees the other.
// Owner:  `isArmed` and `wake` may be called on any thread; the rest is the UI thread's.

import Glibc
import Synchronization
import SystemPackage
import TandemCLinux

package final class Waker: Sendable {
    // Safe: the UI thread's, which alone replaces it; other threads read `number`.
    @exclusivity(unchecked) private nonisolated(unsafe) var descriptor: Descriptor?
    /// The descriptor's number, for other threads.
    private let number: Atomic<Int32>
    private let timer: DeadlineTimer
    private let isListening = Atomic<Bool>(false)
    /// Signalled, and not drained since: one write for any number of wakes.
    private let isSignalled = Atomic<Bool>(false)
    /// The UI thread looks at the loop again and again, and need not be told of it. Set and cleared there.
    private let isSuppressed = Atomic<Bool>(false)

    package init() throws(GuestError) {
        let descriptor = try Self.makeDescriptor()
        number = Atomic(descriptor.rawValue)
        self.descriptor = consume descriptor
        timer = try DeadlineTimer()
    }

    /// Any thread: does ``wake()`` reach the UI thread? It sleeps, or will look at the loop before it does.
    package var isArmed: Bool { isListening.load(ordering: .sequentiallyConsistent) }

    /// Any thread: ends the sleep of the UI thread.
    package func wake() {
        guard !isSignalled.exchange(true, ordering: .sequentiallyConsistent) else { return }
        eventfd_write(number.load(ordering: .sequentiallyConsistent), 1)
    }

    /// Any thread: as ``wake()``, for the loop's requests: not while the UI thread looks there anyway.
    package func wakeForLoop() {
        if !isSuppressed.load(ordering: .sequentiallyConsistent) { wake() }
    }

    func arm() {
        isListening.store(true, ordering: .sequentiallyConsistent)
        // Wakes of an earlier wait have been answered.
        if isSignalled.load(ordering: .relaxed) { drain() }
    }

    func disarm() { isListening.store(false, ordering: .sequentiallyConsistent) }

    /// Sleeps until somebody wakes the thread, the epoll set has something, the host's descriptor can be read (-1: none), or `deadline` of the
    /// machine's clock has come.
    func sleep(until deadline: Nanoseconds, or epollSet: Int32, _ descriptor: Int32) -> Wake {
        if self.descriptor == nil { replace() }
        let now = LoopClock.machine
        let usesTimer = timer.isSet(to: deadline, now: now)
        var timeout: Nanoseconds = -1
        if deadline != .never {
            let left = max(0, deadline.subtractingClamped(now))
            timeout = usesTimer ? left.addingClamped(DeadlineTimer.reserve) : left
        }
        let waker = number.load(ordering: .relaxed)
        if waker < 0 { timeout = timeout < 0 ? Self.pauseWithoutWaker : min(timeout, Self.pauseWithoutWaker) }
        let ready = tandem_wait_readable(waker, epollSet, descriptor, usesTimer ? timer.rawValue : -1, timeout)
        guard ready >= 0 else { return .signal }
        var wake = Wake(rawValue: ready).intersection([.waker, .readiness, .descriptor])
        if wake.contains(.waker) { drain() }
        if ready & Self.timerBit != 0 { timer.clear() }
        if ready >= Self.notOpen { noteClosed(ready / Self.notOpen, &wake) }
        return wake
    }

    private static let timerBit: Int32 = 8
    private static let notOpen = Int32(tandem_not_open)
    /// How often a thread without a waker looks for itself.
    private static let pauseWithoutWaker: Nanoseconds = 10_000_000

    /// Somebody else has closed what the thread waits for, and each further wait for it would end at once.
    private func noteClosed(_ closed: Int32, _ wake: inout Wake) {
        // The loop's poll fails, which is reported there; the host's descriptor is the host's.
        wake.formUnion(Wake(rawValue: closed).intersection([.readiness, .descriptor]))
        if closed & Wake.waker.rawValue != 0 {
            replace()
            wake.formUnion([.waker, .wakerWasClosed])
        }
        if closed & Self.timerBit != 0 { timer.forget() }
    }

    /// Wakes are lost until then; what they announced is found by the look that follows each sleep. If the kernel has no descriptor to give, the
    /// next sleep tries again.
    private func replace() {
        descriptor.take()?.forget()
        descriptor = try? Self.makeDescriptor()
        number.store(descriptor?.rawValue ?? -1, ordering: .sequentiallyConsistent)
        isSignalled.store(false, ordering: .sequentiallyConsistent)
    }

    private static func makeDescriptor() throws(GuestError) -> Descriptor {
        try Descriptor(taking: eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK)), from: "eventfd")
    }

    /// The UI thread looks at the loop all the time. After `unmute` it looks once more before it sleeps.
    func suppress() { isSuppressed.store(true, ordering: .sequentiallyConsistent) }
    func unsuppress() { isSuppressed.store(false, ordering: .sequentiallyConsistent) }

    /// Empties the eventfd, then lets it be written again; what was announced in between is found by the look that follows. The other way round a
    /// wake in between would be emptied, and its flag kept everybody from waking the thread again.
    private func drain() {
        var count: eventfd_t = 0
        eventfd_read(number.load(ordering: .relaxed), &count)
        isSignalled.store(false, ordering: .sequentiallyConsistent)
    }
}

/// What has ended a sleep; empty: the time.
package struct Wake: OptionSet, Sendable {
    package let rawValue: Int32

    package init(rawValue: Int32) { self.rawValue = rawValue }

    static let waker = Wake(rawValue: 1)
    static let readiness = Wake(rawValue: 2)
    /// The host's.
    package static let descriptor = Wake(rawValue: 4)
    /// Whoever sleeps looks and goes on.
    static let signal = Wake(rawValue: 1 << 8)
    /// Somebody else has closed the waker's descriptor; it has another one.
    static let wakerWasClosed = Wake(rawValue: 1 << 9)
}
