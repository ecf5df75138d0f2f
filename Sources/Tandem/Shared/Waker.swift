// SPDX-License-Identifier: Apache-2.0
// Waker: an eventfd that ends the sleep of a host's thread in `GuestLoop.wait`.
// Order: the UI thread first sets `isListening`, then looks for work. Another thread first stores its work, then reads
// `isListening`. So one of the two sees the other.
// Fault: other code may close the eventfd while the UI thread sleeps in it. The kernel then refuses the write, and the
// sleep ends by its timer instead, which it watches in any case. The next sleep makes a new eventfd.
// Owner:  `isArmed`, `wake` and `wakeForLoop` may be called on any thread, the rest on the UI thread.

import Glibc
import Synchronization
import SystemPackage
import TandemCLinux

package final class Waker: Sendable {
    // Safe: used and replaced on the UI thread only; other threads read `number`.
    @exclusivity(unchecked) private nonisolated(unsafe) var descriptor: Descriptor?
    /// The descriptor's number, for other threads.
    private let number: Atomic<Int32>
    private let timer: DeadlineTimer
    private let isListening = Atomic<Bool>(false)
    /// The kernel refused a write, so that the timer was expired instead, or is about to be.
    private let usesTimerToWake = Atomic<Bool>(false)
    /// Whether the eventfd was written and not read since: one write for any number of wakes.
    private let isSignalled = Atomic<Bool>(false)
    /// The UI thread looks for requests again and again, so nobody need wake it. Set and cleared on the UI thread.
    private let isSuppressed = Atomic<Bool>(false)
    // Safe: used on the UI thread only.
    /// The epoll set of which the eventfd and the timer are entries; 0: none.
    @exclusivity(unchecked) private nonisolated(unsafe) var joinedSet = 0

    package init() throws(GuestError) {
        let descriptor = try Self.makeDescriptor()
        number = Atomic(descriptor.rawValue)
        self.descriptor = consume descriptor
        timer = try DeadlineTimer(forDeadlinesAfter: 0)
    }

    /// Any thread: whether ``wake()`` has an effect: the UI thread sleeps, or will look for work before it does.
    package var isArmed: Bool { isListening.load(ordering: .sequentiallyConsistent) }

    /// Any thread: ends the sleep of the UI thread.
    package func wake() {
        guard !isSignalled.exchange(true, ordering: .sequentiallyConsistent) else { return }
        if eventfd_write(number.load(ordering: .sequentiallyConsistent), 1) != 0 {
            // The next wake must not rely on this write.
            isSignalled.store(false, ordering: .sequentiallyConsistent)
            // The flag first: a UI thread that sets its timer after it was expired here sees the flag, and does not sleep.
            usesTimerToWake.store(true, ordering: .sequentiallyConsistent)
            timer.expire()
        }
    }

    /// Any thread: as ``wake()``, for requests of the loop. Does nothing while the UI thread looks for requests again
    /// and again.
    package func wakeForLoop() {
        if !isSuppressed.load(ordering: .sequentiallyConsistent) { wake() }
    }

    func arm() {
        isListening.store(true, ordering: .sequentiallyConsistent)
        // Wakes that belong to an earlier wait have no meaning any more.
        if isSignalled.load(ordering: .relaxed) { drain() }
    }

    func disarm() { isListening.store(false, ordering: .sequentiallyConsistent) }

    /// Sleeps in the epoll set, for a caller that has the turn, until another thread wakes this one, the set has something,
    /// or the time has come. One system call sleeps and takes what is ready. `nil`: it has to be ``sleep(_:or:_:)``, which
    /// also finds out what other code has closed.
    func sleep(_ sleep: Sleep, in poller: Poller) -> Wake? {
        guard isEntry(of: poller) else { return nil }
        // Perhaps before its deadline, if another thread has expired it: then it has to be set again.
        if poller.takeTimerReport() { timer.noteExpired() }
        let usesTimer = setTimer(for: sleep)
        // After the timer was set: see `wake`.
        if usesTimerToWake.load(ordering: .sequentiallyConsistent) { return nil }
        let timeout = sleep.timeout(usesTimer: usesTimer)
        // The set may have reported this wake already, to another poll.
        let isSignalled = isSignalled.load(ordering: .sequentiallyConsistent)
        guard var wake = poller.sleep(isSignalled ? 0 : timeout) else { return nil }
        if isSignalled { wake.insert(.waker) }
        // Clears the flag without a read, as the set reports each write. For the order see `drain`.
        if wake.contains(.waker) { self.isSignalled.store(false, ordering: .sequentiallyConsistent) }
        if wake.contains(.timer) { timer.noteExpired() }
        if usesTimer, wake.isOfTime, LoopClock.machine > sleep.deadline {
            // The timeout has ended the sleep, although the timer should have, earlier: something has closed the timer.
            joinedSet = 0
            return nil
        }
        return wake.subtracting(.timer)
    }

    private func isEntry(of poller: Poller) -> Bool {
        if joinedSet == poller.setNumber { return true }
        guard descriptor != nil, poller.add(waker: number.load(ordering: .relaxed), timer: timer.rawValue) else {
            return false
        }
        joinedSet = poller.setNumber
        return true
    }

    /// Whether the timer will end the sleep at its deadline.
    private func setTimer(for sleep: Sleep) -> Bool {
        // Also a sleep that has no deadline watches its timer, by which `wake` can end it.
        timer.set(to: sleep.deadline == .never ? Self.distantDeadline : sleep.deadline, now: sleep.now)
    }

    /// Sleeps until another thread wakes this one, the epoll set has something, the host's descriptor can be read (-1:
    /// none), or the time has come.
    func sleep(_ sleep: Sleep, or epollSet: Int32, _ descriptor: Int32) -> Wake {
        if self.descriptor == nil { replace() }
        let usesTimer = setTimer(for: sleep)
        var timeout = sleep.timeout(usesTimer: usesTimer)
        let waker = number.load(ordering: .relaxed)
        if waker < 0 { timeout = timeout < 0 ? Self.pauseWithoutWaker : min(timeout, Self.pauseWithoutWaker) }
        if usesTimerToWake.load(ordering: .sequentiallyConsistent) { timeout = 0 }
        let ready = tandem_wait_readable(waker, epollSet, descriptor, usesTimer ? timer.rawValue : -1, timeout)
        guard ready >= 0 else { return .signal }
        var wake = Wake(rawValue: ready).intersection([.waker, .readiness, .descriptor])
        if wake.contains(.waker) { drain() }
        if ready & Wake.timer.rawValue != 0 { timer.noteExpired() }
        if usesTimerToWake.load(ordering: .relaxed) {
            usesTimerToWake.store(false, ordering: .sequentiallyConsistent)
            wake.insert(.waker)
        }
        if ready >= Self.wasRefused {
            wake.insert(.wasRefused)
        } else if ready >= Self.notOpen {
            noteClosed(ready / Self.notOpen, &wake)
        }
        return wake
    }

    private static let notOpen = Int32(tandem_not_open)
    private static let wasRefused = Int32(tandem_wait_was_refused)
    /// In nanoseconds: 146 years of the machine's clock.
    private static let distantDeadline: Nanoseconds = 1 << 62
    /// A thread whose waker could not be made anew sleeps for 10 ms at most.
    private static let pauseWithoutWaker: Nanoseconds = 10_000_000

    /// Other code has closed a descriptor that the thread waits for. Each further wait for it would end at once.
    private func noteClosed(_ closed: Int32, _ wake: inout Wake) {
        // If it was the epoll set, the loop's poll fails, which is reported there. The host's descriptor is the host's
        // business.
        wake.formUnion(Wake(rawValue: closed).intersection([.readiness, .descriptor]))
        if closed & Wake.waker.rawValue != 0 {
            replace()
            wake.formUnion([.waker, .wakerWasClosed])
        }
        if closed & Wake.timer.rawValue != 0 { timer.forget() }
    }

    /// Makes a new eventfd. Wakes before that are lost, but the look for work that follows each sleep finds what they
    /// announced. If the kernel has no descriptor to give, the next sleep tries again.
    private func replace() {
        joinedSet = 0
        descriptor.take()?.forget()
        descriptor = try? Self.makeDescriptor()
        number.store(descriptor?.rawValue ?? -1, ordering: .sequentiallyConsistent)
        isSignalled.store(false, ordering: .sequentiallyConsistent)
    }

    private static func makeDescriptor() throws(GuestError) -> Descriptor {
        try Descriptor(taking: eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK)), from: "eventfd")
    }

    /// The UI thread looks for requests again and again. After `unsuppress` it looks once more before it sleeps.
    func suppress() { isSuppressed.store(true, ordering: .sequentiallyConsistent) }
    func unsuppress() { isSuppressed.store(false, ordering: .sequentiallyConsistent) }

    /// Reads the eventfd, then clears the flag. What was announced in between is found by the look that follows. In the
    /// other order, a wake in between would be read away while its flag is set, and no further wake would write.
    private func drain() {
        var count: eventfd_t = 0
        eventfd_read(number.load(ordering: .relaxed), &count)
        isSignalled.store(false, ordering: .sequentiallyConsistent)
    }
}

/// How long a sleep lasts at most, in nanoseconds.
struct Sleep {
    /// The time of the machine's clock at which it ends.
    let deadline: Nanoseconds
    /// It ends no later than so long from now, or a little later.
    let longest: Nanoseconds
    let now: Nanoseconds

    /// The system call's timeout; -1: none. Where the timer ends the sleep at its deadline, the timeout is later.
    func timeout(usesTimer: Bool) -> Nanoseconds {
        guard min(deadline, longest) != .never else { return -1 }
        let left = deadline == .never ? .never : max(0, deadline.subtractingClamped(now))
        return min(longest, usesTimer ? left.addingClamped(DeadlineTimer.reserve) : left)
    }
}

/// What has ended a sleep. Empty: the time.
package struct Wake: OptionSet, Sendable {
    package let rawValue: Int32

    package init(rawValue: Int32) { self.rawValue = rawValue }

    static let waker = Wake(rawValue: 1)
    static let readiness = Wake(rawValue: 2)
    /// The host's descriptor can be read.
    package static let descriptor = Wake(rawValue: 4)
    /// The waker's own timer has gone off.
    static let timer = Wake(rawValue: 8)
    /// A signal has arrived. The thread looks for work and sleeps on.
    static let signal = Wake(rawValue: 1 << 8)
    /// The thread has looked for requests instead of sleeping, and at no descriptor.
    package static let stayedAwake = Wake(rawValue: 1 << 10)
    /// Other code has closed the waker's descriptor; a new one was made.
    static let wakerWasClosed = Wake(rawValue: 1 << 9)
    /// The kernel has refused the sleep. After a pause the thread has to look at everything that could have ended it.
    static let wasRefused = Wake(rawValue: 1 << 11)

    // For other modules, in which `contains` is a generic call of 35 instructions.
    package var sawDescriptor: Bool { rawValue & Self.descriptor.rawValue != 0 }
    package var hasStayedAwake: Bool { rawValue & Self.stayedAwake.rawValue != 0 }
    package var isOfTime: Bool { rawValue == 0 }
}
