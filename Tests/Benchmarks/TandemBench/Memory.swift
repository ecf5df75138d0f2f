// SPDX-License-Identifier: Apache-2.0
// Memory (W10): bytes for each thing that waits, and allocations for each thing that happens.
// Idea:   closures are shared, so that what is counted is the loop's. Bytes are counted with all the slack that growing arrays
//         have; allocations on the UI thread, after everything has run warm.

import CBench
import Glibc
import SystemPackage
import Tandem
import TandemCLinux

@MainActor func memory(_ options: Options) throws {
    let timers = try options.number("timers", 100_000)
    let sleepers = try options.number("tasks", 10_000)
    let descriptors = try options.number("fds", 1000)
    let rounds = try options.number("rounds", 20_000)

    let stage = try Stage(options)
    let loop = stage.loop
    final class Shared { var count = 0 }
    let shared = Shared()
    let body = { shared.count += 1 }

    // Bytes.
    var bytes = bench_bytes()
    for index in 0..<timers { loop.callLater(.seconds(1000 + index % 100)) { shared.count += 1 } }
    metric("timer", "bytes", Double(bench_bytes() - bytes) / Double(timers))

    bytes = bench_bytes()
    let sleeping = (0..<sleepers).map { _ in loop.run({ try await loop.sleep(for: .seconds(2000)) }) }
    while loop.hasWork { loop.tick() }
    metric("task", "bytes", Double(bench_bytes() - bytes) / Double(sleepers))

    func eventFile() throws -> FileDescriptor {
        let raw = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard raw >= 0 else { throw Failed("eventfd gave no descriptor") }
        return FileDescriptor(rawValue: raw)
    }
    let files = try (0..<descriptors).map { _ in try eventFile() }
    var watches: [IOHandle] = []
    watches.reserveCapacity(descriptors)
    bytes = bench_bytes()
    for file in files { watches.append(try loop.whenReadable(file, body)) }
    metric("registration", "bytes", Double(bench_bytes() - bytes) / Double(descriptors))

    var sockets: [(Int32, Int32)] = []
    for _ in 0..<descriptors { sockets.append(try socketPair()) }
    watches.reserveCapacity(3 * descriptors)
    bytes = bench_bytes()
    for (a, b) in sockets {
        watches.append(try loop.whenReadable(FileDescriptor(rawValue: a), body))
        watches.append(try loop.whenReadable(FileDescriptor(rawValue: b), body))
    }
    // Both ends of a connection within one process are two registrations.
    metric("connection", "bytes", Double(bench_bytes() - bytes) / Double(descriptors) / 2)

    // Allocations.
    func allocations(_ name: String, _ run: (Int) -> Void) {
        run(rounds / 10)
        let before = bench_allocations()
        run(rounds)
        // Thousandths are somebody else's: an SDL event, a line of the runtime's.
        metric(name, "count", (1000 * Double(bench_allocations() - before) / Double(rounds)).rounded() / 1000)
    }
    var left = 0
    final class Repeater {
        var left = 0
        let loop: GuestLoop
        init(_ loop: GuestLoop) { self.loop = loop }
        func arm() { loop.callLater(.nanoseconds(1)) { [self] in fire() } }
        func fire() {
            left -= 1
            if left > 0 { arm() }
        }
    }
    let repeater = Repeater(loop)
    allocations("allocs_per_timer") { count in
        repeater.left = count
        repeater.arm()
        while repeater.left > 0 { stage.rest() }
    }

    let file = try eventFile()
    watches.append(
        try loop.whenReadable(file) {
            var value: eventfd_t = 0
            eventfd_read(file.rawValue, &value)
            left -= 1
            if left > 0 { eventfd_write(file.rawValue, 1) }
        })
    allocations("allocs_per_io") { count in
        left = count
        eventfd_write(file.rawValue, 1)
        while left > 0 { stage.rest() }
    }

    final class Count: @unchecked Sendable { var value = 0 }
    let slept = Count()
    allocations("allocs_per_sleep") { count in
        slept.value = 0
        loop.run({
            for _ in 0..<count {
                try await loop.sleep(for: .nanoseconds(1))
                slept.value += 1
            }
        })
        while slept.value < count { stage.rest() }
    }

    let waited = Count()
    allocations("allocs_per_frame_wait") { count in
        waited.value = 0
        loop.run({
            for _ in 0..<count {
                try await loop.nextFrame()
                waited.value += 1
            }
        })
        while waited.value < count {
            loop.tick()
            loop.runPhase(.update, of: Frame(number: 0, time: loop.now, delta: .zero))
        }
    }
    for watch in watches { watch.cancel() }
    for run in sleeping { run.cancel() }
    stage.close()
}
