// SPDX-License-Identifier: Apache-2.0
// IdleHandlerTests: a handler that does nothing does not eat a whole core, whatever it watches; one that works is never paused.
// Behaviour 36.

import CTestSupport
import Glibc
import SystemPackage
import TandemCLinux
import TandemTesting
import Testing

@testable import Tandem

/// Something that is always ready, and what keeps it so.
struct AlwaysReady: CustomTestStringConvertible, Sendable {
    let testDescription: String
    var writes = false
    let make: @Sendable () throws -> [Int32]

    static let all: [AlwaysReady] = [
        AlwaysReady(testDescription: "a pipe to read") {
            let ends = try pipes()
            write(ends[1], "x", 1)
            return ends
        },
        AlwaysReady(testDescription: "a pipe to read whose writer has gone") {
            let ends = try pipes()
            close(ends[1])
            return [ends[0]]
        },
        AlwaysReady(testDescription: "a pipe to write to", writes: true) { try pipes().reversed() },
        AlwaysReady(testDescription: "a stream to read") {
            let ends = try pair(SOCK_STREAM)
            write(ends[1], "x", 1)
            return ends
        },
        AlwaysReady(testDescription: "a stream to write to", writes: true) { try pair(SOCK_STREAM) },
        AlwaysReady(testDescription: "a TCP connection to read") {
            let ends = try connection()
            write(ends[1], "x", 1)
            return ends
        },
        AlwaysReady(testDescription: "a TCP connection to write to", writes: true) { try connection() },
        AlwaysReady(testDescription: "a datagram socket to read") {
            let ends = try pair(SOCK_DGRAM)
            write(ends[1], "x", 1)
            return ends
        },
        AlwaysReady(testDescription: "a datagram socket to write to", writes: true) { try pair(SOCK_DGRAM) },
        AlwaysReady(testDescription: "a UDP socket to read") {
            let ends = try datagrams()
            send(ends[1], "x", 1, 0)
            return ends
        },
        AlwaysReady(testDescription: "a UDP socket to write to", writes: true) { try datagrams().reversed() },
        AlwaysReady(testDescription: "an eventfd to read") { [eventfd(1, Int32(EFD_NONBLOCK))] },
        AlwaysReady(testDescription: "an eventfd to write to", writes: true) { [eventfd(0, Int32(EFD_NONBLOCK))] },
        AlwaysReady(testDescription: "a timerfd") { [test_timer()] },
        AlwaysReady(testDescription: "a pidfd") { [test_pidfd_of_the_dead()] },
        AlwaysReady(testDescription: "inotify") { [test_inotify()] },
        AlwaysReady(testDescription: "a listening socket") {
            let listener = try bound(SOCK_STREAM)
            listen(listener.fd, 8)
            let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            try connect(client, to: listener.address)
            return [listener.fd, client]
        },
        AlwaysReady(testDescription: "an epoll set") {
            let (set, event) = (epoll_create1(0), eventfd(1, Int32(EFD_NONBLOCK)))
            _ = tandem_epoll_control(set, EPOLL_CTL_ADD, event, EPOLLIN.rawValue, 0)
            return [set, event]
        },
    ]
}

/// Somebody who works at each call, and leaves behind what looks as if nobody had.
struct Worker: CustomTestStringConvertible, Sendable {
    let testDescription: String
    var writes = false
    var items = 20_000
    let make: @Sendable () throws -> [Int32]
    let work: @Sendable ([Int32]) -> Void

    static let all: [Worker] = [
        Worker(testDescription: "a reader of a pipe whose peer refills", make: { try full(try pipes()) }) { ends in
            var byte: UInt8 = 0
            read(ends[0], &byte, 1)
            write(ends[1], &byte, 1)
        },
        Worker(testDescription: "a writer to a pipe whose peer drains", writes: true, make: { try pipes().reversed() })
        {
            ends in
            var byte: UInt8 = 0
            write(ends[0], &byte, 1)
            read(ends[1], &byte, 1)
        },
        Worker(testDescription: "a reader of a stream whose peer refills", make: { try full(try pair(SOCK_STREAM)) }) {
            ends in
            var byte: UInt8 = 0
            read(ends[0], &byte, 1)
            write(ends[1], &byte, 1)
        },
        Worker(testDescription: "a writer to a stream whose peer drains", writes: true, make: { try pair(SOCK_STREAM) })
        {
            ends in
            var byte: UInt8 = 0
            write(ends[0], &byte, 1)
            read(ends[1], &byte, 1)
        },
        Worker(testDescription: "a writer to TCP whose peer drains", writes: true, make: { try connection() }) { ends in
            var byte: UInt8 = 0
            write(ends[0], &byte, 1)
            read(ends[1], &byte, 1)
        },
        Worker(testDescription: "a reader of datagrams with a backlog", make: { try full(try datagrams()) }) { ends in
            var byte: UInt8 = 0
            recv(ends[0], &byte, 1, 0)
            send(ends[1], &byte, 1, 0)
        },
        Worker(testDescription: "a writer of datagrams", writes: true, make: { try datagrams().reversed() }) { ends in
            var byte: UInt8 = 0
            send(ends[0], &byte, 1, 0)
            recv(ends[1], &byte, 1, 0)
        },
        Worker(
            testDescription: "a reader of a backlog that nobody adds to", items: 60_000,
            make: {
                let ends = try pipes()
                var bytes = [UInt8](repeating: 0, count: 60_000)
                write(ends[1], &bytes, bytes.count)
                return ends
            }
        ) { ends in
            var byte: UInt8 = 0
            read(ends[0], &byte, 1)
        },
        Worker(testDescription: "a reader of an eventfd that it writes", make: { [eventfd(1, Int32(EFD_NONBLOCK))] }) {
            ends in
            var count: eventfd_t = 0
            eventfd_read(ends[0], &count)
            eventfd_write(ends[0], 1)
        },
        Worker(
            testDescription: "a reader of a semaphore", items: 40_000,
            make: { [eventfd(40_001, Int32(EFD_NONBLOCK | EFD_SEMAPHORE))] }
        ) { ends in
            var count: eventfd_t = 0
            eventfd_read(ends[0], &count)
        },
    ]
}

extension Core.IOTests {
    private func watch(
        _ loop: GuestLoop, _ fd: Int32, writes: Bool, _ body: @escaping () throws -> Void
    ) throws -> IOHandle {
        let fd = FileDescriptor(rawValue: fd)
        return try writes ? loop.whenWritable(fd, body) : loop.whenReadable(fd, body)
    }

    @Test(arguments: AlwaysReady.all)
    func aHandlerThatDoesNothingIsCalledNowAndThenOnly(_ ready: AlwaysReady) throws {
        let log = Log()
        var configuration = Configuration.unhurried
        configuration.logger = log.logger
        try withLoop(configuration: configuration) { host, loop in
            let fds = try ready.make()
            defer { for fd in fds { close(fd) } }
            var count = 0
            let handle = try watch(loop, fds[0], writes: ready.writes) { count += 1 }
            #expect(host.run { !log.lines.isEmpty })
            #expect(log.lines.first?.contains("IdleHandlerTests.swift") == true)
            // It has shown that it does nothing: from now on a report is a matter of milliseconds.
            let before = count
            let end = ContinuousClock.now + .milliseconds(300)
            _ = host.run(within: .milliseconds(300)) { ContinuousClock.now >= end }
            #expect(count - before < 150, "\(count - before) reports in 300 ms")
            #expect(count > before)
            #expect(log.lines.count == 1)
            handle.cancel()
        }
    }

    @Test(arguments: Worker.all)
    func aHandlerThatWorksIsNeverPaused(_ worker: Worker) throws {
        let log = Log()
        var configuration = Configuration.unhurried
        configuration.logger = log.logger
        try withLoop(configuration: configuration) { host, loop in
            let fds = try worker.make()
            defer { for fd in fds { close(fd) } }
            var count = 0
            let handle = try watch(loop, fds[0], writes: worker.writes) {
                count += 1
                worker.work(fds)
            }
            // At 62 calls in a second this would take minutes.
            #expect(host.run(within: .seconds(20)) { count >= worker.items }, "\(count) of \(worker.items)")
            #expect(log.lines == [])
            handle.cancel()
        }
    }

    /// A handler's own refill is an edge, which the thread sees only when it comes to poll.
    @Test func aHandlerThatWorksIsToldApartWhereTheThreadIsHeldUpBetweenItsCalls() throws {
        let log = Log()
        var configuration = Configuration.unhurried
        configuration.logger = log.logger
        try withLoop(configuration: configuration) { host, loop in
            let ends = try full(try pair(SOCK_STREAM))
            defer { for end in ends { close(end) } }
            var count = 0
            let handle = try watch(loop, ends[0], writes: false) {
                count += 1
                var byte: UInt8 = 0
                read(ends[0], &byte, 1)
                write(ends[1], &byte, 1)
                // Longer than a pause lasts, behind each call that may be one in a pause.
                if count > 100 { loop.callSoon { usleep(3000) } }
            }
            #expect(host.run(within: .seconds(60)) { count >= 400 }, "\(count)")
            #expect(log.lines == [])
            handle.cancel()
        }
    }

    @Test func aWriterBesideAReaderThatDoesNothingIsNotPaused() throws {
        try withLoop { host, loop in
            let fds = try pair(SOCK_STREAM)
            defer { for fd in fds { close(fd) } }
            write(fds[1], "x", 1)
            var (reports, writes) = (0, 0)
            let reader = try watch(loop, fds[0], writes: false) { reports += 1 }
            #expect(host.run { reports > 200 })
            let writer = try watch(loop, fds[0], writes: true) {
                var byte: UInt8 = 0
                write(fds[0], &byte, 1)
                read(fds[1], &byte, 1)
                writes += 1
            }
            #expect(host.run(within: .seconds(20)) { writes >= 20_000 }, "\(writes)")
            writer.cancel()
            reader.cancel()
        }
    }

    @Test func aPausedHandlerThatBeginsToWorkGoesOnAtFullSpeed() throws {
        let log = Log()
        var configuration = Configuration.unhurried
        configuration.logger = log.logger
        try withLoop(configuration: configuration) { host, loop in
            let pipe = try Pipe()
            try pipe.write(String(repeating: "x", count: 10_000))
            var (works, bytes) = (false, 0)
            _ = try loop.whenReadable(pipe.reader) {
                guard works else { return }
                var byte: UInt8 = 0
                bytes += read(pipe.reader.rawValue, &byte, 1)
            }
            #expect(host.run { !log.lines.isEmpty })
            works = true
            #expect(host.run(within: .seconds(20)) { bytes == 10_000 })
        }
    }

    @Test func aHandlerIsCalledIdleOnlyWhenThatIsCertain() {
        var stream = IdleHandlerCheck(tandem_work(kind: TANDEM_WORK_UNREAD, backlog: 0, is_socket: true), writes: false)
        func judge(_ before: Int64, _ after: Int64, times: Int = 1) -> [IdleHandlerCheck.Verdict] {
            (0..<times).map { _ in stream.judge(before: before, after: after) }
        }
        let first = judge(-5, -5, times: IdleHandlerCheck.samples)
        #expect(first.dropLast().allSatisfy { $0 == .unclear } && first.last == .pause(1_000_000))
        // What the pause itself reports, and then nothing: the next time takes one report. After the third time in a row it is certain.
        func end(hasSeenAll: Bool = true) -> Bool { stream.pauseEnds(hasSeenAll: hasSeenAll) }
        for pause in [2, 4] {
            #expect(judge(-5, -5) == [.unclear])
            let isCertain = end()
            #expect(!isCertain)
            #expect(judge(-5, -5) == [.pause(Int64(pause) * 1_000_000)])
        }
        #expect(judge(-5, -5) == [.unclear])
        var isCertain = end()
        #expect(isCertain)
        #expect(judge(-5, -5) == [.pause(8_000_000)])
        // News, and news that may be on its way: it is not.
        #expect(judge(-5, -5, times: 3).allSatisfy { $0 == .unclear })
        isCertain = end()
        #expect(!isCertain)
        #expect(judge(-5, -5, times: 8).last == .pause(16_000_000))
        isCertain = end(hasSeenAll: false)
        #expect(!isCertain)
        #expect(judge(-5, -5) == [.unclear])
        #expect(judge(-5, -6) == [.unclear])
        #expect(judge(-5, -4) == [.works])

        // A thread's own count is asked where there is one.
        stream = IdleHandlerCheck(tandem_work(kind: TANDEM_WORK_UNSENT, backlog: 0, is_socket: false), writes: true)
        #expect(judge(0, 0, times: IdleHandlerCheck.samples).allSatisfy { $0 == .unclear })
        #expect(stream.sign == .thread)
        #expect(judge(-1, -1) == [.works])
    }
}

// MARK: - Descriptors

private func made(_ result: Int32) throws {
    if result < 0 { throw Errno(rawValue: errno) }
}

private func pipes() throws -> [Int32] {
    var ends: [Int32] = [0, 0]
    try made(pipe(&ends))
    for end in ends { try made(fcntl(end, F_SETFL, O_NONBLOCK)) }
    return ends
}

private func pair(_ type: __socket_type) throws -> [Int32] {
    var ends: [Int32] = [0, 0]
    try made(socketpair(AF_UNIX, Int32(type.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0, &ends))
    return ends
}

private func bound(_ type: __socket_type) throws -> (fd: Int32, address: sockaddr_in) {
    let fd = socket(AF_INET, Int32(type.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
    try made(fd)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    try withUnsafeMutablePointer(to: &address) {
        try $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            try made(bind(fd, $0, size))
            try made(getsockname(fd, $0, &size))
        }
    }
    return (fd, address)
}

private func connect(_ fd: Int32, to address: sockaddr_in) throws {
    var address = address
    try withUnsafePointer(to: &address) {
        try $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            try made(Glibc.connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size)))
        }
    }
}

private func connection() throws -> [Int32] {
    let listener = try bound(SOCK_STREAM)
    defer { close(listener.fd) }
    try made(listen(listener.fd, 1))
    let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    try connect(client, to: listener.address)
    let server = accept(listener.fd, nil, nil)
    try made(server)
    for end in [client, server] { try made(fcntl(end, F_SETFL, O_NONBLOCK)) }
    return [client, server]
}

/// The one that receives, and one that sends to it.
private func datagrams() throws -> [Int32] {
    let receiver = try bound(SOCK_DGRAM)
    let sender = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
    try connect(sender, to: receiver.address)
    return [receiver.fd, sender]
}

/// With as much in it as goes in, but one item.
private func full(_ ends: [Int32]) throws -> [Int32] {
    var byte: UInt8 = 0
    for _ in 0..<200 { try made(Int32(write(ends[1], &byte, 1))) }
    return ends
}
