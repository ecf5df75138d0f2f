// SPDX-License-Identifier: Apache-2.0
// StreamSequenceTests: connections, chunks and lines; Unix sockets; many connections; peers that die.

import Foundation
import Glibc
import SystemPackage
import TandemTesting
import Testing

@testable import Tandem

extension Core.StreamSequenceTests {
    // MARK: Streams

    @Test func aStreamIsReadLineByLineOnTheUIThread() throws {
        try onLoop { loop in
            let thread = pthread_self()
            let (one, other) = try UnixStream.pair(on: loop)
            async let writing: Void = {
                for number in 1...100 {
                    try await other.write("line \(number)\n")
                    if number % 10 == 0 { try await loop.sleep(for: .zero) }
                }
                try other.closeWrite()
            }()
            var expected = 1
            for try await line in one.lines {
                #expect(pthread_self() == thread)
                #expect(line == "line \(expected)")
                expected += 1
            }
            #expect(expected == 101)
            try await writing
            #expect(loop.statistics.waitsHandedOver == 0)
        }
    }

    /// A consumer that takes nothing stops its peer once the kernel's buffers are full.
    @Test func aSlowConsumerHoldsItsPeerBack() throws {
        try onLoop { loop in
            let (one, other) = try UnixStream.pair(on: loop)
            let written = Number()
            let writer = Task(executorPreference: loop) {
                let block = [UInt8](repeating: 1, count: 10_000)
                for _ in 0..<1000 {
                    try await other.write(block)
                    written.add(block.count)
                }
                other.close()
            }
            var chunks = one.chunks(upTo: 10_000).makeAsyncIterator()
            #expect(try await chunks.next(isolation: nil)?.isEmpty == false)
            for _ in 0..<20 { try await loop.sleep(for: .milliseconds(1)) }
            let ahead = written.load()
            #expect(ahead < 2_000_000, "\(ahead) bytes were written that nobody read")
            var total = 0
            for try await chunk in one.chunks(upTo: 10_000) { total += chunk.count }
            #expect(total > 9_900_000)
            try await writer.value
        }
    }

    @Test func closingAListenerEndsItsConnections() throws {
        try onLoop { loop in
            let listener = try TCPListener(on: loop, at: .loopback(port: 0))
            let address = listener.localAddress
            let serving = Task(executorPreference: loop) {
                var count = 0
                for try await stream in listener.connections {
                    try await stream.write("welcome\n")
                    count += 1
                    if count == 3 { loop.callLater(.milliseconds(1)) { listener.close() } }
                }
                return count
            }
            for _ in 0..<3 {
                let client = try await TCPStream.connect(to: address, on: loop)
                var lines = client.lines.makeAsyncIterator()
                #expect(try await lines.next(isolation: nil) == "welcome")
                #expect(try await lines.next(isolation: nil) == nil)
            }
            #expect(try await serving.value == 3)
        }
    }

    // MARK: Unix sockets

    @Test(arguments: [true, false]) func aUnixSocketAtAPathOrAnAbstractName(isAbstract: Bool) throws {
        try onLoop { loop in
            let path = isAbstract ? "@tandem-\(getpid())" : NSTemporaryDirectory() + "tandem-\(getpid()).socket"
            let listener = try UnixListener(on: loop, at: path)
            let client = try await UnixStream.connect(to: path, on: loop)
            let server = try await listener.accept()
            #expect(try server.peer().process == Int(getpid()))
            #expect(try client.peer().user == Int(getuid()))
            try await client.write("x")
            #expect(try await server.read() == [UInt8(ascii: "x")])
            #expect(client.peerAddress?.path == path)
            // A second one at the same place is refused while the first lives.
            #expect(throws: GuestError.self) { try UnixListener(on: loop, at: path) }
            listener.close()
            #expect(!FileManager.default.fileExists(atPath: path))
            let error = try await guestError { try await UnixStream.connect(to: path, on: loop) }
            #expect(error.errno == (isAbstract ? .connectionRefused : .noSuchFileOrDirectory))
            #expect(error.context.contains(path))
        }
    }

    @Test func aDeadListenersFileIsReplacedAndAnothersIsLeftAlone() throws {
        try onLoop { loop in
            let path = NSTemporaryDirectory() + "tandem-dead-\(getpid()).socket"
            let address = try SocketAddress.unix(path: path)
            let dead = try GuestSocket(.unix, SOCK_STREAM, on: loop)
            try dead.bind(address)
            dead.close()
            #expect(FileManager.default.fileExists(atPath: path))
            let listener = try UnixListener(on: loop, at: path)
            _ = try await UnixStream.connect(to: path, on: loop)
            unlink(path)
            try "no socket".write(toFile: path, atomically: true, encoding: .utf8)
            let error = #expect(throws: GuestError.self) { try UnixListener(on: loop, at: path) }
            #expect(error?.errno == .addressInUse)
            listener.close()
            #expect(FileManager.default.fileExists(atPath: path))
            unlink(path)
        }
    }

    /// It refuses connections, as a dead one does.
    @Test func aListenerThatDoesNotListenYetKeepsItsPath() throws {
        try onLoop { loop in
            let path = NSTemporaryDirectory() + "tandem-early-\(getpid()).socket"
            let address = try SocketAddress.unix(path: path)
            for type in [SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM] {
                let early = try GuestSocket(.unix, type, on: loop)
                try early.bind(address)
                let error = #expect(throws: GuestError.self) { try UnixListener(on: loop, at: path) }
                #expect(error?.errno == .addressInUse)
                if type == SOCK_STREAM {
                    try early.listen(backlog: 1)
                    // Nor is one that listens bothered with a connection that nobody wants.
                    #expect(throws: GuestError.self) { try UnixListener(on: loop, at: path) }
                    #expect(try early.attempt("accept") { accept($0, nil, nil) } == nil)
                    _ = try await UnixStream.connect(to: path, on: loop)
                }
                early.close()
                let heir = try UnixListener(on: loop, at: path)
                heir.close()
                #expect(!FileManager.default.fileExists(atPath: path))
            }
        }
    }

    /// Several find the same dead file at once: one of them gets the path, and keeps it.
    @Test func aDeadListenersPathGoesToOneOfThoseWhoWantIt() throws {
        try onLoop { loop in
            let path = NSTemporaryDirectory() + "tandem-heirs-\(getpid()).socket"
            for _ in 0..<200 {
                let ready = Number()
                let dead = try GuestSocket(.unix, SOCK_STREAM, on: loop)
                try dead.bind(try .unix(path: path))
                dead.close()
                let claim: @Sendable () -> UnixListener? = {
                    ready.add(1)
                    while ready.load() < 2 {}
                    return try? UnixListener(on: loop, at: path)
                }
                async let one = loop.offload(claim)
                async let other = loop.offload(claim)
                let heirs = try await [one, other].compactMap { $0 }
                #expect(heirs.count <= 1)
                if let heir = heirs.first {
                    _ = try await UnixStream.connect(to: path, on: loop)
                    heir.close()
                }
                unlink(path)
            }
        }
    }

    /// The kernel says EAGAIN, and announces nothing.
    @Test func aUnixConnectWaitsForAPlaceInTheQueue() throws {
        try onLoop { loop in
            let path = "@tandem-full-\(getpid())"
            let listener = try UnixListener(on: loop, at: path, backlog: 0)
            let first = try await UnixStream.connect(to: path, on: loop)
            let second = Task(executorPreference: loop) { try await UnixStream.connect(to: path, on: loop) }
            let cancelled = Task(executorPreference: loop) { try await UnixStream.connect(to: path, on: loop) }
            try await loop.sleep(for: .milliseconds(3))
            cancelled.cancel()
            await #expect(throws: CancellationError.self) { try await cancelled.value }
            let one = try await listener.accept()
            let other = try await listener.accept()
            try await second.value.write("made it")
            #expect(try await other.read() == Array("made it".utf8))
            withExtendedLifetime((first, one)) {}
            #expect(loop.statistics.timers == 0)
        }
    }

    // MARK: Many

    /// Behaviour 37: cost follows the connections that do something.
    @Test func fourThousandIdleConnectionsAndAHundredBusyOnes() async {
        await #expect(processExitsWith: .success) {
            var limit = rlimit()
            getrlimit(__rlimit_resource_t(7), &limit)
            limit.rlim_cur = min(limit.rlim_max, 20_000)
            setrlimit(__rlimit_resource_t(7), &limit)
            do {
                try withLoop { host, loop in try crowd(host, loop) }
            } catch {
                print(error)
                exit(2)
            }
            exit(0)
        }
    }

    // MARK: Peers that die

    /// A process is killed while this one is reading from it, writing to it, or both are in the middle of a message.
    @Test(arguments: ["read", "write", "echo", "connect"]) func aPeerThatIsKilledIsAnErrorOrAnEnd(during what: String)
        throws
    {
        try onLoop { loop in
            let listener = try TCPListener(on: loop, at: .loopback(port: 0))
            let peer = Process()
            peer.executableURL = URL(fileURLWithPath: "/bin/bash")
            // Never reads, or never ends to write, or sends back; `connect` dies before it is accepted.
            let body =
                switch what {
                case "read": "while :; do echo a line of text >&3; done"
                case "write": "sleep 100"
                case "echo": "cat <&3 >&3"
                default: "kill -9 $$"
                }
            peer.arguments = ["-c", "exec 3<>/dev/tcp/127.0.0.1/\(listener.port); \(body)"]
            let isOver = Number()
            peer.terminationHandler = { _ in isOver.store(1) }
            try peer.run()
            let stream = try await listener.accept()
            let block = [UInt8](repeating: 65, count: 100_000)
            var ends = 0
            // In the middle of the work, and always with something on its way.
            if what == "echo" { try await stream.write("0123456789") }
            for _ in 0..<(what == "connect" ? 0 : 3) {
                if what == "echo" { try await stream.write("0123456789") }
                if what != "write" { #expect(try await !stream.read(upTo: 10).isEmpty) }
                if what == "write" { _ = try await stream.writeSome(block.span.bytes) }
            }
            loop.callLater(.milliseconds(5)) {
                // The children of the shell, too.
                for child in children(of: peer.processIdentifier) + [peer.processIdentifier] { kill(child, SIGKILL) }
            }
            do {
                while true {
                    if what == "write" {
                        try await stream.write(block)
                    } else if try await stream.read(upTo: 1000).isEmpty {
                        ends += 1
                        break
                    } else if what == "echo" {
                        try await stream.write("0123456789")
                    }
                }
            } catch let error as GuestError {
                #expect(error.errno == .connectionReset || error.errno == .brokenPipe, "\(error)")
                #expect(error.context.contains("127.0.0.1:"))
                ends += 1
            }
            #expect(ends == 1)
            while isOver.load() == 0 { try await loop.sleep(for: .milliseconds(1)) }
            stream.close()
            listener.close()
            #expect(loop.statistics.registrations == 0)
        }
    }
}

private func children(of process: Int32) -> [Int32] {
    let text = (try? String(contentsOfFile: "/proc/\(process)/task/\(process)/children", encoding: .utf8)) ?? ""
    return text.split(separator: " ").compactMap { Int32($0.trimmingCharacters(in: .whitespaces)) }
}

/// 4,100 connections, each with its own task that echoes; a hundred talk, the others only stand there.
private func crowd(_ host: ManualHost, _ loop: GuestLoop) throws {
    let before = sockets()
    let listener = try TCPListener(on: loop, at: .loopback(port: 0), backlog: 4096)
    let address = listener.localAddress
    let ended = Number()
    loop.run({
        for try await stream in listener.connections {
            loop.run {
                while true {
                    let bytes = try await stream.read(upTo: 512)
                    if bytes.isEmpty { break }
                    try await stream.write(bytes)
                }
            } onDone: { _ in
                ended.add(1)
            }
        }
    })
    let clients = Box<[TCPStream]>([])
    let connecting = loop.run({
        for _ in 0..<4100 { clients.value.append(try await TCPStream.connect(to: address, on: loop)) }
    })
    guard host.run(until: { connecting.isDone && clients.value.count == 4100 }) else { throw TestError(10) }
    let quiet = loop.statistics.ioEvents
    let rounds = Number()
    var runs: [GuestRun<Void>] = []
    for index in 0..<100 {
        let client = clients.value[index * 41]
        runs.append(
            loop.run {
                for round in 0..<50 {
                    let message = Array("client \(index), round \(round)".utf8)
                    try await client.write(message)
                    guard try await client.read(exactly: message.count) == message else { throw TestError(11) }
                    rounds.add(1)
                }
            })
    }
    guard host.run(until: { runs.allSatisfy(\.isDone) }), rounds.load() == 5000 else { throw TestError(12) }
    // A message wakes its server and its client once each, and nobody else.
    guard loop.statistics.ioEvents - quiet <= 10_200 else { throw TestError(13) }
    for client in clients.value { client.close() }
    clients.value = []
    guard host.run(until: { ended.load() == 4100 }) else { throw TestError(14) }
    listener.close()
    _ = host.run(within: .milliseconds(20)) { false }
    guard sockets() <= before, loop.statistics.registrations == 0 else { throw TestError(15) }
}
