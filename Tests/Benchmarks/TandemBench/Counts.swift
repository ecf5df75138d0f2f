// SPDX-License-Identifier: Apache-2.0
// Counts: the hot paths alone, for counting instructions (callgrind): run once with n and once with 2n; the difference,
// divided by n, is what one costs. No SDL, and a host that only says yes.

import Glibc
import SystemPackage
import Tandem
import TandemCLinux
import TandemTesting

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

/// Arms timers for an instant that is far away, and cancels them: limits on what nearly always ends in time.
@MainActor func countArm(_ options: Options) throws {
    let count = try options.number("n", 100_000)
    let tally = Tally()
    var handles: [CallbackHandle] = []
    handles.reserveCapacity(batch)
    try withLoop { loop in
        // Nearer than all others, so that the other thread is not woken for each.
        loop.callLater(.seconds(1000)) {}
        let instant = loop.now.advanced(by: .seconds(2000))
        for _ in 0..<(count / batch) {
            for number in 0..<batch {
                handles.append(loop.callAt(instant.advanced(by: .microseconds(number))) { tally.ran += 1 })
            }
            for handle in handles { handle.cancel() }
            handles.removeAll(keepingCapacity: true)
        }
    }
    metric("ran", "count", count - tally.ran)
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

// MARK: - Awaits that are ready at once

/// Runs `body` in one task. In virtual time, since a slice of real time would end where a slow machine says.
@MainActor private func countInTask(
    _ options: Options, _ body: @escaping @Sendable (_ loop: GuestLoop, _ count: Int) async throws -> Int
) throws {
    let count = try options.number("n", 100_000)
    let host = ManualHost()
    var configuration = Configuration()
    configuration.timeSource = VirtualClock()
    let loop = try host.makeLoop(configuration: configuration)
    defer { loop.close() }
    var outcome: Result<Int, any Error>?
    loop.run({ try await body(loop, count) }) { outcome = $0 }
    while outcome == nil { loop.tick() }
    metric("ran", "count", try outcome!.get())
}

/// Lines of one byte, 250 of which come at once.
@MainActor func countLines(_ options: Options) throws {
    try countInTask(options) { loop, count in
        let (writer, reader) = try UnixStream.pair(on: loop)
        let block = Array(String(repeating: "x\n", count: 250).utf8)
        var lines = reader.lines.makeAsyncIterator()
        var ran = 0
        while ran < count {
            try await writer.write(block)
            for _ in 0..<250 where try await lines.next(isolation: #isolation) != nil { ran += 1 }
        }
        return ran
    }
}

/// Chunks of 64 bytes, each written and read.
@MainActor func countChunks(_ options: Options) throws {
    try countInTask(options) { loop, count in
        let (writer, reader) = try UnixStream.pair(on: loop)
        let block = [UInt8](repeating: 1, count: 64)
        var chunks = reader.chunks.makeAsyncIterator()
        var ran = 0
        while ran < count {
            try await writer.write(block)
            if try await chunks.next(isolation: #isolation) != nil { ran += 1 }
        }
        return ran
    }
}

/// Datagrams of 64 bytes, each sent and received.
@MainActor func countDatagrams(_ options: Options) throws {
    try countInTask(options) { loop, count in
        let receiver = try UDPSocket(on: loop, at: .loopback(port: 0))
        let sender = try UDPSocket.connected(to: receiver.localAddress, on: loop)
        let datagram = [UInt8](repeating: 1, count: 64)
        var buffer = [UInt8](repeating: 0, count: 64)
        var ran = 0
        while ran < count {
            try await sender.send(datagram)
            var span = buffer.mutableSpan
            var bytes = span.mutableBytes
            if try await receiver.receive(into: &bytes).count == 64 { ran += 1 }
        }
        return ran
    }
}
