// SPDX-License-Identifier: Apache-2.0
// DescriptorLimitTests: what a listener leaves to the process. Each test in a process of its own, since the limit is the process's.
// Idea:   a process inherits descriptors from its parent, at whatever numbers, and its other threads open some when they like. So the limit is set
//         beyond the highest number, and what counts is which numbers connections have got, not how many are free.

import Foundation
import Glibc
import Synchronization
import TandemTesting
import Testing

@testable import Tandem

@Suite struct DescriptorLimitTests {
    /// Conformance 67.
    @Test func aListenerLeavesTheLastDescriptorsToTheProcess() async {
        await #expect(processExitsWith: .success) { try leaveSome { try TCPListener(on: $0, at: .loopback(port: 0)) } }
    }

    @Test func aListenerOfIPv6LeavesThemToo() async {
        await #expect(processExitsWith: .success) {
            try leaveSome { try TCPListener(on: $0, at: .loopback(.ipv6, port: 0)) }
        }
    }

    /// A process has 1,024 keys for what its threads keep.
    @Test func aLoopIsRefusedWithAnErrorWhereTheProcessHasUsedUpItsThreadSpecificKeys() async {
        await #expect(processExitsWith: .success) {
            var key = pthread_key_t()
            while pthread_key_create(&key, nil) == 0 {}
            do {
                _ = try HeadlessHost()
                fail(2, "a loop was made")
            } catch let error as GuestError {
                guard error.code == .startFailed, error.errno == .resourceTemporarilyUnavailable else {
                    fail(3, "\(error)")
                }
            }
        }
    }

    /// The number of the connection before tells nothing: other descriptors take the rest, all but the last ones.
    @Test func aJumpToTheLimitCostsNoConnection() async {
        await #expect(processExitsWith: .success) {
            let log = LogLines()
            try onLoop(configuration: log.configuration) { loop in
                let limit = try DescriptorLimit(above: 200)
                let listener = try TCPListener(on: loop, at: .loopback(port: 0))
                let streams = Box<[TCPStream]>([])
                let accepting = Task(executorPreference: loop) {
                    while streams.value.count < 6 { streams.value.append(try await listener.accept()) }
                }
                guard connect(to: listener) >= 0 else { fail(2, "no connection") }
                while streams.value.isEmpty { try await loop.sleep(for: .milliseconds(1)) }
                for _ in 0..<5 where connect(to: listener) < 0 { fail(2, "no connection") }
                let fillers = limit.fill()
                while !log.hasWarning { try await loop.sleep(for: .milliseconds(1)) }
                limit.check(streams.value)
                for filler in fillers { close(filler) }
                try await accepting.value
                limit.check(streams.value)
            }
            exit(0)
        }
    }

    @Test func aListenerWithNobodyAtTheDoorIsSilentAtTheLimit() async {
        await #expect(processExitsWith: .success) {
            let log = LogLines()
            try onLoop(configuration: log.configuration) { loop in
                let limit = try DescriptorLimit(above: 100)
                let listener = try TCPListener(on: loop, at: .loopback(port: 0))
                let fillers = limit.fill()
                let accepting = Task(executorPreference: loop) { try await listener.accept() }
                while loop.statistics.registrations == 0 { try await loop.sleep(for: .milliseconds(1)) }
                guard !log.hasWarning else { fail(3, "a warning, and nobody has connected") }
                close(fillers[0])
                close(fillers[1])
                guard connect(to: listener) >= 0 else { fail(2, "no connection") }
                _ = try await accepting.value
                guard !log.hasWarning else { fail(4, "a warning, and there was room") }
            }
            exit(0)
        }
    }
}

extension LogLines {
    fileprivate var hasWarning: Bool { lines.contains { $0.contains("warning: ") } }
}

/// Twenty connections wait, and there is room for about five. Nobody is lost, and none gets one of the last numbers.
private func leaveSome(_ listen: @escaping @Sendable (GuestLoop) throws -> TCPListener) throws {
    let log = LogLines()
    try onLoop(configuration: log.configuration) { loop in
        let limit = try DescriptorLimit(above: 100)
        let listener = try listen(loop)
        for _ in 0..<20 where connect(to: listener) < 0 { fail(2, "no connection") }
        var fillers = limit.fill()
        for _ in 0..<5 { close(fillers.removeLast()) }
        let streams = Box<[TCPStream]>([])
        let accepting = Task(executorPreference: loop) {
            while streams.value.count < 20 { streams.value.append(try await listener.accept()) }
        }
        while !log.hasWarning { try await loop.sleep(for: .milliseconds(1)) }
        try await loop.sleep(for: .milliseconds(30))
        let before = streams.value.count
        guard (1...10).contains(before) else { fail(4, "\(before) connections; expected about five") }
        limit.check(streams.value)
        // Others leave: the listener goes on, and stops before the same limit.
        for _ in 0..<5 { close(fillers.removeFirst()) }
        while streams.value.count == before { try await loop.sleep(for: .milliseconds(1)) }
        try await loop.sleep(for: .milliseconds(30))
        guard streams.value.count < 20 else { fail(5, "all were accepted; there is no room for so many") }
        limit.check(streams.value)
        for filler in fillers { close(filler) }
        try await accepting.value
        limit.check(streams.value)
        guard log.lines.last?.contains("accepted again") == true else { fail(6, "the log says no end of it") }
    }
    exit(0)
}

private func fail(_ code: Int32, _ reason: String) -> Never {
    try? FileHandle.standardError.write(contentsOf: Data("\(reason)\n".utf8))
    exit(code)
}

/// A limit that is so far above the highest descriptor that the process has.
private struct DescriptorLimit {
    /// The first of the last eight numbers.
    private let start: Int32

    init(above room: Int32) throws {
        let open = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap { Int32($0) }
        let number = open.max()! + 1 + room
        start = number - 8
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(7), &limit)
        limit.rlim_cur = rlim_t(number)
        guard setrlimit(__rlimit_resource_t(7), &limit) == 0 else { throw TestError() }
    }

    /// Opens files until only the last numbers are free. The kernel gives out the lowest one.
    func fill() -> [Int32] {
        var fillers: [Int32] = []
        while case let filler = open("/dev/null", O_RDONLY), filler >= 0 {
            guard filler < start else {
                close(filler)
                break
            }
            fillers.append(filler)
        }
        return fillers
    }

    /// Has none of them one of the last numbers?
    func check(_ streams: [TCPStream]) {
        for stream in streams where stream.socket.descriptor.rawValue >= start {
            fail(
                3,
                "a connection has descriptor \(stream.socket.descriptor.rawValue); from \(start) on they are the process's"
            )
        }
    }
}

/// A connection that waits to be accepted; its number is taken from the process's, as another process's would not be.
private func connect(to listener: TCPListener) -> Int32 {
    let family = listener.localAddress.family == .ipv6 ? AF_INET6 : AF_INET
    let fd = Glibc.socket(family, Int32(SOCK_STREAM.rawValue), 0)
    return listener.localAddress.withRaw { Glibc.connect(fd, $0, $1) } == 0 ? fd : -1
}
