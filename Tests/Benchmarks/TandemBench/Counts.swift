// SPDX-License-Identifier: Apache-2.0
// Counts: the four hot paths alone, for counting instructions (callgrind): run once with n and once with 2n; the difference,
// divided by n, is what one costs. No SDL, and a host that only says yes.

import Glibc
import SystemPackage
import Tandem
import TandemCLinux

private let batch = 100

private final class Yes: GuestHost {
    func requestTick() -> Bool { true }
}

@MainActor private func withLoop(_ body: (GuestLoop) throws -> Void) throws {
    let host = Yes()
    let loop = try GuestLoop(host: host)
    try body(loop)
    loop.close()
}

@MainActor func countIdleTick(_ options: Options) throws {
    let count = try options.number("n", 100_000)
    try withLoop { loop in
        loop.callLater(.seconds(10_000)) {}
        while loop.hasWork { loop.tick() }
        for _ in 0..<count { loop.tick() }
    }
    metric("ran", "count", count)
}

private final class Tally: @unchecked Sendable {
    // Safe: everything here happens on one thread.
    var ran = 0
}

@MainActor func countPost(_ options: Options) throws {
    let count = try options.number("n", 100_000)
    let tally = Tally()
    try withLoop { loop in
        for _ in 0..<(count / batch) {
            for _ in 0..<batch { try loop.post { tally.ran += 1 } }
            loop.tick()
        }
    }
    metric("ran", "count", tally.ran)
}

/// Arms timers that are due at once, and fires them.
@MainActor func countTimer(_ options: Options) throws {
    let count = try options.number("n", 100_000)
    let tally = Tally()
    try withLoop { loop in
        for _ in 0..<(count / batch) {
            // From within a tick, so that the other thread is not woken for each.
            loop.callSoon {
                for _ in 0..<batch { loop.callLater(.zero) { tally.ran += 1 } }
            }
            loop.tick()
        }
        while loop.hasWork { loop.tick() }
    }
    metric("ran", "count", tally.ran)
}

/// Descriptors that are read and become ready again, on a host that sleeps by itself.
@MainActor func countIO(_ options: Options) throws {
    let count = try options.number("n", 100_000)
    let descriptors = 64
    let tally = Tally()
    // One tick does it all: a budget would end where a slow machine says.
    var configuration = Configuration()
    configuration.budget = .seconds(1000)
    let host = try HeadlessHost(configuration: configuration)
    defer { host.close() }
    for _ in 0..<descriptors {
        let raw = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard raw >= 0 else { throw Failed("eventfd gave no descriptor") }
        _ = try host.loop.whenReadable(FileDescriptor(rawValue: raw)) {
            tally.ran += 1
            var value: eventfd_t = 0
            eventfd_read(raw, &value)
            if tally.ran <= count - descriptors { eventfd_write(raw, 1) }
        }
        eventfd_write(raw, 1)
    }
    guard host.run(within: .seconds(300), until: { tally.ran >= count }) else { throw Failed("events did not come") }
    metric("ran", "count", tally.ran)
}
