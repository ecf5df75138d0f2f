// SPDX-License-Identifier: Apache-2.0
// SocketTests: streams, and what can go wrong with them.

import CTestSupport
import Foundation
import Glibc
import SystemPackage
import TandemTesting
import Testing

@testable import Tandem

extension Core.SocketTests {
    @Test func anEchoGoesThereAndBack() throws {
        try onLoop { loop in
            let thread = pthread_self()
            let (client, server) = try await tcpPair(loop)
            async let echo: Void = {
                while true {
                    let bytes = try await server.read(upTo: 100)
                    if bytes.isEmpty { break }
                    try await server.write(bytes)
                }
                try server.closeWrite()
            }()
            try await client.write("hello ")
            try await client.write(Array("world".utf8))
            #expect(try await client.read(exactly: 11) == Array("hello world".utf8))
            try client.closeWrite()
            #expect(try await client.read() == [])
            try await echo
            #expect(pthread_self() == thread)
            #expect(loop.statistics.waitsHandedOver == 0)
        }
    }

    @Test func buffersOfTheCallerAreFilled() throws {
        try onLoop { loop in
            let (client, server) = try await tcpPair(loop)
            try await client.write("abcdef")
            var array = [UInt8](repeating: 0, count: 4)
            var span = array.mutableSpan
            var bytes = span.mutableBytes
            #expect(try await server.read(into: &bytes) == 4)
            #expect(array == Array("abcd".utf8))
            let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 4, alignment: 1)
            defer { memory.deallocate() }
            var output = OutputRawSpan(buffer: memory, initializedCount: 0)
            output.append(UInt8(ascii: "x"), as: UInt8.self)
            #expect(try await server.read(into: &output) == 2)
            _ = output.finalize(for: memory)
            #expect(Array(memory[..<3]) == Array("xef".utf8))
            #expect(try await client.writeSome(array.span.bytes) == 4)
            #expect(try await client.writeSome([UInt8]().span.bytes) == 0)
            #expect(try await server.read(into: memory) == 4)
        }
    }

    /// A peer that reads late: the kernel takes a part, then the rest.
    @Test func aLargeWriteGoesOutInParts() throws {
        try onLoop { loop in
            let (client, server) = try await tcpPair(loop)
            try client.set(.sendBufferSize, to: 65_536)
            let sent = distinctBytes(3_000_000)
            async let writing: Void = {
                try await client.write(sent)
                try client.closeWrite()
            }()
            var received: [UInt8] = []
            while true {
                let bytes = try await server.read(upTo: 10_000)
                if bytes.isEmpty { break }
                received += bytes
            }
            try await writing
            #expect(received == sent)
        }
    }

    @Test func aResetIsAClearError() throws {
        try onLoop { loop in
            let (client, server) = try await tcpPair(loop)
            try await client.write("unread")
            client.abort()
            let reading = try await guestError {
                while try await !server.read().isEmpty {}
            }
            #expect(reading.code == .socketFailed)
            #expect(reading.errno == .connectionReset)
            #expect(reading.context.hasPrefix("could not read on the connection to 127.0.0.1:"))
        }
    }

    /// The signal would end the process.
    @Test func aBrokenPipeIsAnErrorAndNeverASignal() throws {
        try onLoop { loop in
            let (one, other) = try UnixStream.pair(on: loop)
            other.close()
            let error = try await guestError { try await one.write("to nobody") }
            #expect(error.errno == .brokenPipe)
            let (client, server) = try await tcpPair(loop)
            server.abort()
            let second = try await guestError { while true { try await client.write("to nobody") } }
            #expect(second.errno == .brokenPipe || second.errno == .connectionReset)
        }
    }

    @Test func closingAStreamResumesTheTaskThatWaitsOnIt() throws {
        try onLoop { loop in
            let (client, server) = try await tcpPair(loop)
            let listener = try TCPListener(on: loop, at: .loopback(port: 0))
            loop.callLater(.milliseconds(5)) {
                server.close()
                listener.close()
            }
            async let accepting = guestError { try await listener.accept() }
            let error = try await guestError { try await server.read() }
            #expect(error.code == .socketClosed)
            #expect(try await accepting.code == .socketClosed)
            // And afterwards, at once.
            #expect(try await guestError { try await server.read() }.code == .socketClosed)
            #expect(try await guestError { try await server.write("x") }.code == .socketClosed)
            server.close()
            #expect(try await client.read() == [])
            #expect(loop.statistics.registrations <= 1)
        }
    }

    @Test func aCancelledReadWriteAndAcceptLeaveNothingBehind() throws {
        try withLoop { host, loop in
            let listener = try TCPListener(on: loop, at: .loopback(port: 0))
            let (silent, other) = try UnixStream.pair(on: loop)
            let full = try UnixStream.pair(on: loop)
            var outcomes: [String] = []
            func note(_ result: Result<Void, any Error>) {
                if case .failure(is CancellationError) = result { outcomes.append("cancelled") }
            }
            let runs = [
                loop.run({ _ = try await listener.accept() }, onDone: note),
                loop.run({ _ = try await silent.read() }, onDone: note),
                loop.run(
                    {
                        let block = [UInt8](repeating: 1, count: 1_000_000)
                        while true { try await full.0.write(block) }
                    }, onDone: note),
            ]
            #expect(host.run { loop.statistics.registrations >= 3 })
            for run in runs { run.cancel() }
            #expect(host.run { outcomes.count == 3 })
            #expect(loop.statistics.registrations == 0)
            #expect(loop.statistics.timers == 0)
            withExtendedLifetime((other, full.1)) {}
        }
    }

    @Test func oneMayReadWhileAnotherWritesButNotTwoOfAKind() throws {
        try onLoop { loop in
            let (client, server) = try await tcpPair(loop)
            async let first = client.read()
            try await loop.sleep(for: .milliseconds(2))
            let error = try await guestError { try await client.read() }
            #expect(error.code == .alreadyRegistered)
            try await client.write("written while reading")
            #expect(try await server.read().count == 21)
            try await server.write("x")
            #expect(try await first == [UInt8(ascii: "x")])
        }
    }

    @Test func aReadEndsAtItsDeadline() throws {
        try onLoop { loop in
            let (client, server) = try await tcpPair(loop)
            await #expect(throws: TimeoutError.self) {
                try await withTimeout(.milliseconds(5), clock: loop.clock) { try await client.read() }
            }
            // The stream is as it was.
            try await server.write("late")
            #expect(try await client.read() == Array("late".utf8))
        }
    }

    @Test func aWaitOnASocketSaysWhereItIs() throws {
        try onLoop { loop in
            let (client, server) = try await tcpPair(loop)
            let reading = Task(executorPreference: loop) { try await client.read() }
            let line = #line - 1
            while loop.statistics.registrations == 0 { try await loop.sleep(for: .zero) }
            #expect(
                loop.waiting.contains {
                    $0.site?.line == UInt32(line) && $0.site?.fileID.hasSuffix("SocketTests.swift") == true
                })
            server.close()
            #expect(try await reading.value == [])
        }
    }

    /// The same memory, however many messages went there and back. In a process of its own, since the whole process is measured.
    @Test func anEchoKeepsNoMemory() async {
        await #expect(processExitsWith: .success) { try Self.measureAnEcho() }
    }

    private static func measureAnEcho() throws {
        try onLoop { loop in
            let (client, server) = try UnixStream.pair(on: loop)
            let echo = Task(executorPreference: loop) {
                let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64, alignment: 1)
                defer { buffer.deallocate() }
                while case let count = try await server.read(into: buffer), count > 0 {
                    try await server.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                }
            }
            let message = [UInt8](repeating: 3, count: 64)
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64, alignment: 1)
            defer { buffer.deallocate() }
            func rounds(_ count: Int) async throws {
                for _ in 0..<count {
                    try await client.write(message)
                    guard try await client.read(into: buffer) == 64 else { exit(2) }
                }
            }
            try await rounds(500)
            // Other threads may allocate meanwhile; an echo that kept something would do so each time.
            var growths: [Int] = []
            while growths.count < 10, (growths.min() ?? .max) >= 20_000 {
                let before = test_allocated_bytes()
                try await rounds(5000)
                growths.append(test_allocated_bytes() - before)
            }
            if growths.min()! >= 20_000 {
                print("bytes more after 5,000 messages each: \(growths)")
                exit(3)
            }
            client.close()
            try await echo.value
        }
    }

    /// A stream that always has data would keep the thread for itself.
    @Test func aBusyStreamLetsOthersRun() throws {
        try onLoop { loop in
            let (client, server) = try await tcpPair(loop)
            let isOver = Box(false)
            let writer = Task(executorPreference: loop) {
                let block = [UInt8](repeating: 7, count: 65_536)
                while !isOver.value { try await client.write(block) }
            }
            let reader = Task(executorPreference: loop) {
                while try await !server.read(upTo: 512).isEmpty {}
            }
            for _ in 0..<20 { try await loop.sleep(for: .milliseconds(1)) }
            isOver.value = true
            _ = await writer.result
            try client.closeWrite()
            _ = await reader.result
        }
    }

    /// Behaviour 38, for the listener: the limit of descriptors, in a process of its own.
    @Test func aListenerWithoutDescriptorsBacksOffAndRecovers() async {
        await #expect(processExitsWith: .success) {
            let log = LogLines()
            do {
                try onLoop(configuration: log.configuration) { loop in
                    let listener = try TCPListener(on: loop, at: .loopback(port: 0))
                    let client = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
                    var limit = rlimit()
                    getrlimit(__rlimit_resource_t(7), &limit)
                    let before = limit
                    limit.rlim_cur = rlim_t(client + 1)
                    // Holes below the limit are filled first.
                    setrlimit(__rlimit_resource_t(7), &limit)
                    var fillers: [Int32] = []
                    while true {
                        let filler = open("/dev/null", O_RDONLY)
                        if filler < 0 { break }
                        fillers.append(filler)
                    }
                    let status = listener.localAddress.withRaw { connect(client, $0, $1) }
                    guard status == 0 else { exit(3) }
                    async let stream = listener.accept()
                    try await loop.sleep(for: .milliseconds(60))
                    guard
                        log.lines.filter({ $0.contains("warning: ") && $0.contains("no descriptor is left") }).count
                            == 1
                    else { exit(4) }
                    var restored = before
                    setrlimit(__rlimit_resource_t(7), &restored)
                    _ = try await stream
                    for filler in fillers { close(filler) }
                    guard log.lines.last?.contains("accepted again") == true else { exit(5) }
                    // Pauses of 5, 10, 20, 40 ms: no storm.
                    guard loop.statistics.ioEvents < 10 else { exit(6) }
                }
            } catch { exit(2) }
            exit(0)
        }
    }

    @Test func descriptorsAreAsBeforeAfterAThousandConnections() throws {
        let before = sockets()
        try onLoop { loop in
            let listener = try TCPListener(on: loop, at: .loopback(port: 0))
            for _ in 0..<1000 {
                let client = try await TCPStream.connect(to: listener.localAddress, on: loop)
                let server = try await listener.accept()
                try await client.write("x")
                #expect(try await server.read().count == 1)
            }
            #expect(loop.statistics.registrations <= 1)
        }
        // Other suites of the process open some meanwhile. One left behind for each connection would be a thousand.
        #expect(sockets() < before + 500)
    }
}

/// Open sockets of the process.
func sockets() -> Int {
    let folder = "/proc/self/fd"
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.filter {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\($0)"))?.hasPrefix("socket:") ?? false
    }.count
}
