// SPDX-License-Identifier: Apache-2.0
// Primitives: what of Swift's runtime, of the C library and of the machine a loop is made of, each alone.
// Idea:   a system call costs what the C library does around it: the kernel's instructions are not counted, nor are those of the virtual calls by which
//         the kernel answers for the clock, which valgrind hides.
// Owner:  the main thread.

import CLimits
import Glibc
import Synchronization

private final class Object: @unchecked Sendable {
    // Safe: the main thread's.
    @exclusivity(unchecked) var value = 0
}

/// What the pieces work on; what is kept here is used elsewhere, for all that the compiler knows.
private final class Bench: @unchecked Sendable {
    // Safe: the main thread's.
    @exclusivity(unchecked) var body: (() -> Void)?
    @exclusivity(unchecked) var object: Object?
    @exclusivity(unchecked) var memory: UnsafeMutableRawPointer?
    @exclusivity(unchecked) var instant: ContinuousClock.Instant?
    @exclusivity(unchecked) var nanoseconds: Int64 = 0
    @exclusivity(unchecked) var array: [Int] = []
    let (first, second) = (Object(), Object())
    let mutex = Mutex(0)
    let isTaken = Atomic<Bool>(false)
    let count = Atomic<Int>(0)
    let pthread = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    let time = UnsafeMutablePointer<timespec>.allocate(capacity: 1)
    let value = UnsafeMutablePointer<eventfd_t>.allocate(capacity: 1)
    let event = UnsafeMutablePointer<limits_event>.allocate(capacity: 1)
    let (set, bell) = (epoll_create1(0), eventfd(0, Int32(EFD_NONBLOCK)))
    let udp = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)

    @inline(never) func nothing() {}
    @inline(never) func mayThrow() throws { if count.load(ordering: .relaxed) < 0 { throw CancellationError() } }
    @inline(never) func keep(_ body: @escaping () -> Void) { self.body = body }
    @inline(never) func keep(_ object: Object) { self.object = object }
    @inline(never) func allocate() {
        memory = malloc(48)
        free(memory)
    }
    @inline(never) func take(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        nanoseconds = seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}

private func sleepForEver(_: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? { while true { pause() } }

/// `what=none` is the loop around a piece. threads=2: beside a second thread, which sleeps. The C library's system calls then ask whether their thread
/// is to be cancelled.
@MainActor func countPrimitive(_ options: Options) throws {
    let count = try options.number("n", 1000)
    let bench = Bench()
    pthread_mutex_init(bench.pthread, nil)
    let pieces: [String: (Int) -> Void] = [
        "none": { _ in bench.nothing() },
        "throwing": { _ in do { try bench.mayThrow() } catch { abort() } },
        "malloc": { _ in bench.allocate() },
        "object": { _ in bench.keep(Object()) },
        "closure": { number in bench.keep { bench.nanoseconds = Int64(number) } },
        "retain": { number in bench.keep(number & 1 == 0 ? bench.first : bench.second) },
        "reference": { _ in bench.keep { bench.first.value &+= 1 } },
        "mutex": { _ in bench.mutex.withLock { $0 &+= 1 } },
        "pthread": { _ in
            pthread_mutex_lock(bench.pthread)
            pthread_mutex_unlock(bench.pthread)
        },
        "spin": { _ in
            if !bench.isTaken.exchange(true, ordering: .acquiring) { bench.isTaken.store(false, ordering: .releasing) }
        },
        "array": { number in
            bench.array.append(number)
            bench.array.removeAll(keepingCapacity: true)
        },
        "clock": { _ in clock_gettime(CLOCK_MONOTONIC, bench.time) },
        "instant": { _ in bench.instant = .now },
        "duration": { number in bench.take(.nanoseconds(number)) },
        "write": { _ in eventfd_write(bench.bell, 1) },
        "read": { _ in eventfd_read(bench.bell, bench.value) },
        "epoll": { _ in _ = limits_poll(bench.set, bench.event, 1, 0) },
        "receive": { _ in _ = limits_receive(bench.udp) },
    ]
    let what = options.word("what", "none")
    guard let piece = pieces[what] else { throw Unsupported("what=\(what)") }
    if try options.number("threads", 1) == 2 {
        var thread = pthread_t()
        guard pthread_create(&thread, nil, sleepForEver, nil) == 0 else { throw Failed("there is no second thread") }
    }
    for number in 0..<count { piece(number) }
    metric("ran", "count", count)
}
