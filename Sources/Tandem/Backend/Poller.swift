// SPDX-License-Identifier: Apache-2.0
// Poller: the epoll set and the buffer for what it finds.
// Owner:  `wait` and the buffer belong to the thread that has the turn. Descriptors are added, changed and removed on
//         the UI thread, at any time, since the kernel allows that while another thread waits.
//
// Facts about epoll that this code rests on:
//  - A descriptor added while another thread waits is taken into that wait: registering needs no wake.
//  - An entry belongs to the open file, not to the number. Closing a number removes the entry unless a duplicate keeps
//    the file open; a new file under the old number has no entry (EPOLL_CTL_MOD says ENOENT), which is how a stale one
//    is told.
//  - EPOLLHUP and EPOLLERR are reported whether asked for or not.
//  - An entry whose number was closed, and whose file a duplicate keeps open, reports on and can be named no more: only
//    a new set is without it.
//  - EPOLLET reports changes, except for what was read before the report; EPOLL_CTL_MOD reports once more what is ready
//    then.
//  - EPOLLET reports each write of an eventfd and each time that a timerfd goes off, also if nobody has read it since the
//    last one.
//  - EPOLLONESHOT silences an entry after one report, those two included, without a system call.
//  - epoll_wait counts in milliseconds, which makes timers up to 1 ms late; epoll_pwait2 (Linux 5.11) in nanoseconds.
//  - The timeout runs on CLOCK_MONOTONIC, which stands still while the machine is suspended; see `DeadlineTimer`.
// Decision: level-triggered entries, one per descriptor, 64 bits of data = generation and number; EPOLLONESHOT where
// only one-shot waits stand on a descriptor; EPOLLET for a socket's reader that is always back in time, and for a while
// where a handler seems to do nothing; epoll_pwait2 unless the kernel refuses it. A UI thread that has the turn sleeps in
// the set itself (`sleep`), of which its waker's eventfd and timer are entries then: EPOLLET, so that nobody has to read
// them. While the backend has the turn, a wake of the UI thread wakes it, too, for nothing; to take the entries out and
// put them back would cost more.

import Glibc
import Synchronization
import SystemPackage
import TandemCLinux

final class Poller: Sendable {
    /// One event of the buffer.
    struct Event {
        let data: UInt64
        let events: UInt32
    }

    static let capacity = 512
    /// The data of the wake pipe. No registration has it, since generations are less than 32 bits of ones.
    static let wakeData = UInt64.max
    /// The data of the deadline timer. No registration has it, for the same reason.
    static let timerData = UInt64.max - 1
    /// The data of a waker's eventfd and timer, likewise.
    static let wakerData = UInt64.max - 2
    static let wakerTimerData = UInt64.max - 3
    private static let sets = Atomic<Int>(0)

    // Safe: written in `init` and in `close`, which comes after the backend was joined.
    @exclusivity(unchecked) private nonisolated(unsafe) var descriptor: Descriptor?
    // Safe: read and written only by the thread that has the turn; freed after the backend was joined.
    private nonisolated(unsafe) let buffer: UnsafeMutablePointer<epoll_event>
    private let countsMilliseconds: Atomic<Bool>
    // Safe, both: used by the thread that has the turn; passing the turn orders the accesses of the two threads.
    /// How many events the backend's poll, or a sleep of the UI thread, has put into the buffer, and when. Nobody has
    /// taken them yet.
    @exclusivity(unchecked) private nonisolated(unsafe) var found = 0
    @exclusivity(unchecked) private nonisolated(unsafe) var foundAt: Nanoseconds = 0
    // Safe: as `found`.
    /// A poll has been told that a waker's timer went off. The set reports it once, so that no sleep will hear of it.
    @exclusivity(unchecked) private nonisolated(unsafe) var wakerTimerWentOff = false
    // Safe: UI thread only.
    /// Which epoll set of the process this is: a new one has none of the wakers' entries.
    @exclusivity(unchecked) private(set) nonisolated(unsafe) var setNumber = Poller.nextSetNumber()
    let wakePipe: WakePipe
    /// Used by the thread that has the turn.
    private let deadlineTimer: DeadlineTimer
    // Safe: UI thread only, as `control` is.
    /// For tests: the error with which `control` fails instead of calling the kernel, by operation and descriptor. A
    /// library that is loaded before the C library, or a filter of system calls, would affect the whole process, other
    /// tests included.
    @exclusivity(unchecked) nonisolated(unsafe) var controlFault: ((Int32, Int32) -> Errno?)?

    init(forcesMilliseconds: Bool) throws(GuestError) {
        descriptor = try Descriptor(taking: epoll_create1(Int32(EPOLL_CLOEXEC)), from: "epoll_create1")
        wakePipe = try WakePipe()
        deadlineTimer = try DeadlineTimer(forDeadlinesAfter: DeadlineTimer.far)
        countsMilliseconds = Atomic(forcesMilliseconds)
        buffer = .allocate(capacity: Self.capacity)
        buffer.initialize(repeating: epoll_event(), count: Self.capacity)
        if let failure = addOwn(to: rawValue) {
            throw GuestError(
                .startFailed, errno: failure, "the epoll set refused the wake pipe or the deadline timer")
        }
    }

    deinit {
        buffer.deallocate()
    }

    /// The epoll descriptor; -1 after `close`, for which every system call returns an error.
    var rawValue: Int32 { descriptor?.rawValue ?? -1 }

    /// UI thread, after the backend was joined: closes its descriptors, even if other code still has a reference to the
    /// loop.
    func close() {
        descriptor = nil
        wakePipe.close()
        deadlineTimer.close()
    }

    /// Adds, changes or removes an entry. `nil` if the kernel has done it.
    @inline(__always) func control(_ operation: Int32, _ fd: Int32, events: UInt32, data: UInt64) -> Errno? {
        if let failure = controlFault?(operation, fd) { return failure }
        let failure = tandem_epoll_control(rawValue, operation, fd, events, data)
        return failure == 0 ? nil : Errno(rawValue: failure)
    }

    /// Thread that has the turn: waits until something is ready or `deadline` has come. Returns how many events are in
    /// the buffer.
    func wait(until deadline: Nanoseconds) throws(Errno) -> Int {
        let now = LoopClock.machine
        let reserve = deadlineTimer.set(to: deadline, now: now) ? DeadlineTimer.reserve : 0
        return try wait(PollTimeout(deadline: deadline.addingClamped(reserve), now: now))
    }

    /// UI thread: ends the backend's sleep. The backend then reads the deadline, and whether the loop closes.
    func wake() {
        // Without the wake pipe, which other code has closed, the timer ends the sleep.
        if !wakePipe.wake() { deadlineTimer.expire() }
    }

    /// Thread that has the turn: if an event is the poller's own (a wake, or a deadline that has come), reads its
    /// descriptor and returns true.
    func handleOwn(_ event: Event) -> Bool {
        switch event.data {
        case Self.wakeData: wakePipe.empty()
        case Self.timerData: deadlineTimer.clear()
        // A waker knows by itself whether it was rung.
        case Self.wakerData: break
        case Self.wakerTimerData: wakerTimerWentOff = true
        default: return false
        }
        return true
    }

    /// Puts the wake pipe and the deadline timer into an epoll set.
    private func addOwn(to set: Int32) -> Errno? {
        var failure = tandem_epoll_control(
            set, EPOLL_CTL_ADD, wakePipe.rawValue, EPOLLIN.rawValue, Self.wakeData)
        if failure == 0 {
            failure = tandem_epoll_control(
                set, EPOLL_CTL_ADD, deadlineTimer.rawValue, EPOLLIN.rawValue, Self.timerData)
        }
        return failure == 0 ? nil : Errno(rawValue: failure)
    }

    /// UI thread, which has the turn: replaces the epoll set by a new one with the same number, after `fill` has added
    /// what is to stay. If anything fails, the old set stays.
    func renew(_ fill: (Int32) -> Errno?) -> Errno? {
        let set = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard set >= 0 else { return Errno(rawValue: errno) }
        defer { Glibc.close(set) }
        if let failure = addOwn(to: set) ?? fill(set) { return failure }
        guard tandem_take_over(set, rawValue) >= 0 else { return Errno(rawValue: errno) }
        setNumber = Self.nextSetNumber()
        return nil
    }

    private static func nextSetNumber() -> Int { sets.add(1, ordering: .relaxed).newValue }

    // MARK: Sleeps of the UI thread

    /// UI thread: makes a waker's eventfd and timer entries of the set. `false`: the kernel refused.
    func add(waker: Int32, timer: Int32) -> Bool {
        let events = EPOLLIN.rawValue | EPOLLET.rawValue
        for (fd, data) in [(waker, Self.wakerData), (timer, Self.wakerTimerData)] {
            let failure = tandem_epoll_control(rawValue, EPOLL_CTL_ADD, fd, events, data)
            if failure != 0, failure != EEXIST { return false }
        }
        return true
    }

    /// UI thread, which has the turn: whether a waker's timer went off during another poll, once.
    func takeTimerReport() -> Bool {
        defer { wakerTimerWentOff = false }
        return wakerTimerWentOff
    }

    /// UI thread, which has the turn: sleeps in the set for some nanoseconds (negative: without end) and keeps what it
    /// finds in the buffer, so that the tick that follows need not poll. `nil`: the kernel refused.
    func sleep(_ nanoseconds: Nanoseconds) -> Wake? {
        if hasFound { return .readiness }
        let count = poll(nanoseconds < 0 ? .forever : .nanoseconds(nanoseconds))
        guard count >= 0 else { return errno == EINTR ? .signal : nil }
        var wake = Wake(rawValue: 0)
        for index in 0..<Int(count) {
            let event = self[index]
            switch event.data {
            case Self.wakerData: wake.insert(.waker)
            case Self.wakerTimerData: wake.insert(.timer)
            default: if !handleOwn(event) { wake.insert(.readiness) }
            }
        }
        if wake.contains(.readiness) { noteFound(Int(count), at: LoopClock.machine) }
        return wake
    }

    /// Thread that has the turn: waits, and returns how many events are in the buffer. A signal ends the wait like a
    /// timeout that came early; the caller reads the clock again.
    func wait(_ timeout: PollTimeout) throws(Errno) -> Int {
        assert(!hasFound, "a poll would lose what is in the buffer")
        let count = poll(timeout)
        if count >= 0 { return Int(count) }
        if errno == EINTR { return 0 }
        throw Errno(rawValue: errno)
    }

    /// The system call: how many events are in the buffer; -1 and `errno` if the kernel has refused it.
    private func poll(_ timeout: PollTimeout) -> Int32 {
        let (set, capacity) = (rawValue, Int32(Self.capacity))
        if !countsMilliseconds.load(ordering: .relaxed) {
            let count: Int32
            switch timeout {
            case .forever: count = tandem_epoll_pwait2(set, buffer, capacity, nil)
            case .nanoseconds(let nanoseconds):
                var time = timespec(
                    tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
                count = tandem_epoll_pwait2(set, buffer, capacity, &time)
            }
            // Some sandboxes return EPERM for system calls that they do not know.
            guard count < 0, errno == ENOSYS || errno == EPERM else { return count }
            countsMilliseconds.store(true, ordering: .relaxed)
        }
        return epoll_wait(set, buffer, capacity, timeout.milliseconds)
    }

    /// UI thread, which has the turn: whether a wait would find something now, or one has.
    var hasReports: Bool {
        if hasFound { return true }
        var set = pollfd(fd: rawValue, events: Int16(POLLIN), revents: 0)
        return Glibc.poll(&set, 1, 0) != 0
    }

    /// Thread that has the turn: whether events are in the buffer that nobody has taken. A poll would lose them.
    var hasFound: Bool { found > 0 }

    /// Thread that has the turn: stores how many events it has found, for a tick.
    func noteFound(_ count: Int, at time: Nanoseconds) {
        found = count
        foundAt = time
    }

    /// UI thread, which has the turn: returns what was found, once.
    func takeFound() -> (count: Int, at: Nanoseconds) {
        defer { found = 0 }
        return (found, foundAt)
    }

    /// Thread that has the turn: an event that the last wait has found.
    subscript(index: Int) -> Event {
        precondition(index < Self.capacity)
        return Event(
            data: tandem_epoll_event_data(buffer + index), events: buffer[index].events)
    }
}
