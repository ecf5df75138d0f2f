// SPDX-License-Identifier: Apache-2.0
// swift-format-ignore-file: AlwaysUseLowerCamelCase
// SeamCalls: the calls of the C library and the kernel that the threads share something by, or may sleep in. They stand
//            in the module, so that the sources mean these instead of the imported ones.
// Idea:   a call that cannot sleep is a point, then the real call. A call that may sleep is asked without sleeping, and
//         the participant sleeps in the schedule until an answer is there. Threads that do not participate get the
//         real call.
// Owner:  any thread.

import Glibc
import TandemCLinux

func seam(_ label: StaticString, _ line: UInt32 = 0) {
    if let (scheduler, me) = Participant.here { scheduler.point(label, line, me) }
}

// MARK: - Time

func tandem_clock_nanoseconds() -> Int64 {
    guard let (scheduler, _) = Participant.here else { return TandemCLinux.tandem_clock_nanoseconds() }
    return scheduler.readClock()
}

func tandem_cycles() -> UInt64 {
    guard let (scheduler, _) = Participant.here else { return TandemCLinux.tandem_cycles() }
    return UInt64(scheduler.now)
}

func tandem_cycles_in_10us() -> UInt64 {
    Participant.here == nil ? TandemCLinux.tandem_cycles_in_10us() : 10_000
}

@discardableResult func clock_gettime(_ clock: clockid_t, _ time: UnsafeMutablePointer<timespec>) -> Int32 {
    guard let (scheduler, _) = Participant.here else { return Glibc.clock_gettime(clock, time) }
    let now = scheduler.readClock()
    time.pointee = timespec(tv_sec: Int(now / 1_000_000_000), tv_nsec: Int(now % 1_000_000_000))
    return 0
}

@discardableResult func usleep(_ microseconds: UInt32) -> Int32 {
    guard let (scheduler, me) = Participant.here else { return Glibc.usleep(microseconds) }
    scheduler.sleep("usleep", me, until: scheduler.now + Int64(microseconds) * 1000) { false }
    return 0
}

func tandem_pause(_ cycles: UInt64) {
    guard let (scheduler, me) = Participant.here else { return TandemCLinux.tandem_pause(cycles) }
    scheduler.spin("tandem_pause", me)
}

// MARK: - Timers

func tandem_timer_create() -> Int32 { createTimer { TandemCLinux.tandem_timer_create() } }
func tandem_deadline_timer_create() -> Int32 { createTimer { TandemCLinux.tandem_deadline_timer_create() } }

private func createTimer(_ real: () -> Int32) -> Int32 {
    guard let (scheduler, _) = Participant.here else { return real() }
    let descriptor = TandemCLinux.eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
    if descriptor >= 0 { scheduler.withDevices { $0.addTimer(descriptor) } }
    return descriptor
}

func tandem_timer_set(_ timer: Int32, _ nanoseconds: Int64) {
    guard let (scheduler, me) = Participant.here, scheduler.devices.isTimer(timer) else {
        return TandemCLinux.tandem_timer_set(timer, nanoseconds)
    }
    scheduler.point("tandem_timer_set", 0, me)
    let time = nanoseconds == 0 ? .max : scheduler.now + nanoseconds
    scheduler.withDevices { $0.setTimer(timer, to: time) }
}

func tandem_deadline_timer_set(_ timer: Int32, _ deadline: Int64) -> Bool {
    guard let (scheduler, me) = Participant.here, scheduler.devices.isTimer(timer) else {
        return TandemCLinux.tandem_deadline_timer_set(timer, deadline)
    }
    scheduler.point("tandem_deadline_timer_set", 0, me)
    let now = scheduler.now
    scheduler.withDevices {
        // A sleep without a deadline sets its timer to a time that never comes. Here it would come: time is moved to the next
        // timer when every thread sleeps, which is a lost wake-up.
        $0.setTimer(timer, to: deadline >= 1 << 62 ? .max : deadline)
        $0.expire(at: now)
    }
    return true
}

// MARK: - Descriptors

@discardableResult func close(_ descriptor: Int32) -> Int32 {
    if let (scheduler, _) = Participant.here { scheduler.withDevices { $0.forget(descriptor) } }
    return Glibc.close(descriptor)
}

func eventfd(_ count: UInt32, _ flags: Int32) -> Int32 {
    let descriptor = TandemCLinux.eventfd(count, flags)
    if let (scheduler, _) = Participant.here { scheduler.withDevices { $0.noteEventfd(descriptor) } }
    return descriptor
}

@discardableResult func eventfd_write(_ descriptor: Int32, _ value: eventfd_t) -> Int32 {
    seam("eventfd_write")
    if let (scheduler, _) = Participant.here, scheduler.devices.refuses(descriptor) {
        errno = EBADF
        return -1
    }
    return TandemCLinux.eventfd_write(descriptor, value)
}

@discardableResult func eventfd_read(_ descriptor: Int32, _ value: UnsafeMutablePointer<eventfd_t>!) -> Int32 {
    seam("eventfd_read")
    return TandemCLinux.eventfd_read(descriptor, value)
}

@discardableResult func read(_ descriptor: Int32, _ buffer: UnsafeMutableRawPointer!, _ count: Int) -> Int {
    seam("read")
    return Glibc.read(descriptor, buffer, count)
}

func tandem_epoll_control(
    _ epoll: Int32, _ operation: Int32, _ descriptor: Int32, _ events: UInt32, _ data: UInt64
) -> Int32 {
    if let (scheduler, me) = Participant.here {
        scheduler.point("epoll_ctl", 0, me)
        scheduler.withDevices { $0.addEpollSet(epoll) }
    }
    return TandemCLinux.tandem_epoll_control(epoll, operation, descriptor, events, data)
}

func tandem_epoll_pwait2(
    _ epoll: Int32, _ events: UnsafeMutablePointer<epoll_event>!, _ capacity: Int32,
    _ timeout: UnsafePointer<timespec>!
) -> Int32 {
    guard let (scheduler, me) = Participant.here else {
        return TandemCLinux.tandem_epoll_pwait2(epoll, events, capacity, timeout)
    }
    var nanoseconds: Int64 = -1
    if let timeout { nanoseconds = Int64(timeout.pointee.tv_sec) * 1_000_000_000 + Int64(timeout.pointee.tv_nsec) }
    return wait("epoll_pwait2", [epoll], nanoseconds, scheduler, me, for: { hasEvents(epoll) }) {
        var zero = timespec()
        return TandemCLinux.tandem_epoll_pwait2(epoll, events, capacity, &zero)
    }
}

func epoll_wait(
    _ epoll: Int32, _ events: UnsafeMutablePointer<epoll_event>, _ capacity: Int32, _ milliseconds: Int32
) -> Int32 {
    guard let (scheduler, me) = Participant.here else {
        return TandemCLinux.epoll_wait(epoll, events, capacity, milliseconds)
    }
    let nanoseconds = milliseconds < 0 ? -1 : Int64(milliseconds) * 1_000_000
    return wait("epoll_wait", [epoll], nanoseconds, scheduler, me, for: { hasEvents(epoll) }) {
        TandemCLinux.epoll_wait(epoll, events, capacity, 0)
    }
}

/// Whether a poll would find something. It takes nothing: an entry may be one-shot.
private func hasEvents(_ epoll: Int32) -> Bool {
    var set = pollfd(fd: epoll, events: Int16(POLLIN), revents: 0)
    return Glibc.poll(&set, 1, 0) != 0
}

func tandem_wait_readable(
    _ first: Int32, _ second: Int32, _ third: Int32, _ fourth: Int32, _ nanoseconds: Int64
) -> Int32 {
    guard let (scheduler, me) = Participant.here else {
        return TandemCLinux.tandem_wait_readable(first, second, third, fourth, nanoseconds)
    }
    let ask = { TandemCLinux.tandem_wait_readable(first, second, third, fourth, 0) }
    return wait("ppoll", [first, second, third, fourth], nanoseconds, scheduler, me, for: { ask() != 0 }, answer: ask)
}

/// A wait for descriptors, without end if the time is negative.
private func wait(
    _ label: StaticString, _ descriptors: [Int32], _ nanoseconds: Int64, _ scheduler: Scheduler, _ me: Participant,
    for condition: @escaping () -> Bool, answer: () -> Int32
) -> Int32 {
    scheduler.point(label, 1, me)
    guard scheduler.withDevices({ $0.beginPoll(descriptors, me.index) }) else { scheduler.fail("two sides poll") }
    let time = nanoseconds < 0 ? .max : scheduler.now.addingClamped(nanoseconds)
    scheduler.sleep(label, me, until: time, for: condition)
    scheduler.withDevices { $0.endPoll(me.index) }
    return answer()
}

// MARK: - Locks and semaphores

@discardableResult func pthread_mutex_lock(_ mutex: UnsafeMutablePointer<pthread_mutex_t>) -> Int32 {
    guard let (scheduler, me) = Participant.here else { return Glibc.pthread_mutex_lock(mutex) }
    let key = UnsafeMutableRawPointer(mutex)
    scheduler.point("mutex_lock", 0, me)
    scheduler.sleep("mutex_lock", me) { scheduler.devices.isFree(key) }
    scheduler.withDevices { $0.lock(key, me.index) }
    return Glibc.pthread_mutex_lock(mutex)
}

@discardableResult func pthread_mutex_unlock(_ mutex: UnsafeMutablePointer<pthread_mutex_t>) -> Int32 {
    if let (scheduler, _) = Participant.here {
        scheduler.withDevices { $0.unlock(UnsafeMutableRawPointer(mutex)) }
    }
    return Glibc.pthread_mutex_unlock(mutex)
}

@discardableResult func sem_post(_ semaphore: UnsafeMutablePointer<sem_t>) -> Int32 {
    seam("sem_post")
    return Glibc.sem_post(semaphore)
}

@discardableResult func sem_wait(_ semaphore: UnsafeMutablePointer<sem_t>) -> Int32 {
    guard let (scheduler, me) = Participant.here else { return Glibc.sem_wait(semaphore) }
    scheduler.sleep("sem_wait", me) { isPositive(semaphore) }
    return Glibc.sem_wait(semaphore)
}

@discardableResult func sem_trywait(_ semaphore: UnsafeMutablePointer<sem_t>) -> Int32 {
    seam("sem_trywait")
    return Glibc.sem_trywait(semaphore)
}

func tandem_semaphore_wait_until(
    _ semaphore: UnsafeMutablePointer<sem_t>!, _ until: UnsafePointer<timespec>!
) -> Int32 {
    guard let (scheduler, me) = Participant.here else {
        return TandemCLinux.tandem_semaphore_wait_until(semaphore, until)
    }
    let time = Int64(until.pointee.tv_sec).multipliedReportingOverflow(by: 1_000_000_000)
    let end = time.overflow ? .max : time.partialValue.addingClamped(Int64(until.pointee.tv_nsec))
    if scheduler.sleep("sem_clockwait", me, until: end, for: { isPositive(semaphore) }) {
        return Glibc.sem_wait(semaphore)
    }
    errno = ETIMEDOUT
    return -1
}

private func isPositive(_ semaphore: UnsafeMutablePointer<sem_t>) -> Bool {
    var value: Int32 = 0
    sem_getvalue(semaphore, &value)
    return value > 0
}

// MARK: - Threads

func tandem_thread_start(
    _ thread: UnsafeMutablePointer<pthread_t>!, _ name: UnsafePointer<CChar>!,
    _ body: (@convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer?)!,
    _ argument: UnsafeMutableRawPointer!
) -> Int32 {
    guard let (scheduler, me) = Participant.here else {
        return TandemCLinux.tandem_thread_start(thread, name, body, argument)
    }
    scheduler.point("thread_start", 0, me)
    // Safe: the library's own argument, which its thread takes over.
    nonisolated(unsafe) let argument = argument
    let started = scheduler.start(String(cString: name)) { [body] in _ = body!(argument) }
    thread.pointee = started.thread
    return 0
}

@discardableResult
func pthread_join(
    _ thread: pthread_t, _ result: UnsafeMutablePointer<UnsafeMutableRawPointer?>!
) -> Int32 {
    guard let (scheduler, me) = Participant.here, let other = scheduler.participant(with: thread) else {
        return Glibc.pthread_join(thread, result)
    }
    scheduler.sleep("pthread_join", me) { other.state == .ended }
    other.join()
    return 0
}
