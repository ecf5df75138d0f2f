// SPDX-License-Identifier: Apache-2.0
// Pieces: a timer, a post, an event and an idle tick, each by the least Swift that keeps what Tandem promises of it: the same work as TandemBench's
//         `count/` paths.
// Owner:  the main thread.

import CLimits
import Glibc
import Synchronization

private let batch = 100

/// A tick that has nothing to do: it looks whether it is on its thread, whether it is inside of itself, and whether there is work, and reports.
private final class LeastTick: @unchecked Sendable {
    struct Report { let (ran, left, nanoseconds): (Int, Int, Int64) }
    private let hasWork = Atomic<Bool>(false)
    private let thread = limits_thread_key()
    // Safe: the main thread's.
    @exclusivity(unchecked) private var isInside = false

    @inline(never) func callAsFunction() -> Report {
        precondition(limits_thread_key() == thread, "a tick is the main thread's")
        if isInside || hasWork.load(ordering: .acquiring) { return work() }
        return Report(ran: 0, left: 0, nanoseconds: 0)
    }

    @inline(never) private func work() -> Report { Report(ran: 1, left: 0, nanoseconds: 0) }
}

@MainActor func countIdleTicks(_ options: Options) throws {
    let count = try options.number("n", 1000)
    let tick = LeastTick()
    var ran = 0
    for _ in 0..<count { ran += 1 + tick().ran }
    metric("ran", "count", ran)
}

@MainActor func countPosts(_ options: Options) throws {
    let count = try options.number("n", 1000)
    let (inbox, tally) = (LeastInbox(), Tally())
    for _ in 0..<(count / batch) {
        for _ in 0..<batch { try inbox.post { tally.ran += 1 } }
        inbox.run(failed)
    }
    metric("ran", "count", tally.ran)
}

@MainActor func countTimers(_ options: Options) throws {
    let count = try options.number("n", 1000)
    let (timers, tally) = (LeastTimers(), Tally())
    for _ in 0..<(count / batch) {
        for _ in 0..<batch { _ = timers.arm(0) { tally.ran += 1 } }
        timers.fire(failed)
    }
    metric("ran", "count", tally.ran)
}

/// 64 descriptors that are read and become ready again.
@MainActor func countEvents(_ options: Options) throws {
    let count = try options.number("n", 1000)
    let (poller, tally) = (LeastPoller(), Tally())
    for _ in 0..<LeastPoller.capacity {
        let descriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        _ = poller.watch(descriptor, EPOLLIN.rawValue) { _ in
            tally.ran += 1
            var value: eventfd_t = 0
            eventfd_read(descriptor, &value)
            if tally.ran <= count - LeastPoller.capacity { eventfd_write(descriptor, 1) }
        }
        eventfd_write(descriptor, 1)
    }
    while tally.ran < count { poller.poll(-1, failed) }
    metric("ran", "count", tally.ran)
}
