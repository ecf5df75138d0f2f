// SPDX-License-Identifier: Apache-2.0
// SDLHost: the part of the host that other threads call: it wakes the UI thread where that sleeps.
// Idea:   while the UI thread sleeps in a wait of ours, a bell (an eventfd) ends it; else the SDL event is pushed, which
//         wakes SDL's own wait and any loop that takes SDL's events.
// Order:  the UI thread says that it waits, then looks at the loop; a request announces its work, then looks whether somebody
//         waits. One of the two sees the other.
// Owner:  `requestTick` and `ring` run on any thread; the waits are the UI thread's.

import CLinux
import Glibc
import Synchronization
import SystemPackage
import Tandem

final class SDLHost: GuestHost {
    private let eventType: UInt32
    private let isWaiting = Atomic<Bool>(false)
    /// Rung, and not heard since: one write for any number of rings.
    private let isRung = Atomic<Bool>(false)
    private let bell: Int32
    /// Has an event been pushed while the UI thread slept? Set on any thread, cleared on the UI thread.
    let hearsEvent = Atomic<Bool>(false)

    /// Main thread, whose sleeps are ended within a nanosecond of their time from now on, instead of 50 microseconds.
    init(eventType: UInt32) throws(GuestError) {
        self.eventType = eventType
        bell = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard bell >= 0 else {
            throw GuestError(.startFailed, errno: Errno(rawValue: errno), "eventfd gave no descriptor for the host")
        }
        tandem_thread_set_timer_slack(1)
    }

    deinit { Glibc.close(bell) }

    func requestTick() -> Bool {
        if isWaiting.load(ordering: .sequentiallyConsistent) {
            ring()
            return true
        }
        return AsyncioMessage.push(eventType)
    }

    /// Any thread: ends the sleep of the UI thread.
    func ring() {
        guard !isRung.exchange(true, ordering: .sequentiallyConsistent) else { return }
        eventfd_write(bell, 1)
    }

    /// UI thread: `body` may sleep, after it has looked at the loop.
    @MainActor
    func whileWaiting<Result>(_ body: () -> Result) -> Result {
        isWaiting.store(true, ordering: .sequentiallyConsistent)
        defer { isWaiting.store(false, ordering: .sequentiallyConsistent) }
        // Rings of an earlier wait have been answered.
        if isRung.load(ordering: .relaxed) { silence() }
        return body()
    }

    /// UI thread: sleeps until the bell rings, `connection` (-1: none) can be read, or `duration` has passed; `false` if it has.
    @MainActor
    func sleep(_ duration: Duration, watching connection: Int32 = -1) -> Bool {
        let nanoseconds = max(0, duration.nanosecondsRoundedUp)
        var time = timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
        // poll leaves out a negative descriptor.
        var (ours, other) = (pollfd(), pollfd())
        (ours.fd, ours.events, other.fd, other.events) = (bell, Int16(POLLIN), connection, Int16(POLLIN))
        let count = tandem_poll_two(&ours, &other, &time)
        if ours.revents != 0 { silence() }
        // A signal ends the sleep as the bell does: whoever sleeps looks and goes on.
        return count != 0
    }

    private func silence() {
        isRung.store(false, ordering: .sequentiallyConsistent)
        var count: eventfd_t = 0
        eventfd_read(bell, &count)
    }
}
