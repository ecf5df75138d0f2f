// SPDX-License-Identifier: Apache-2.0
// PeerLimitTests: peers that are silent; and the places that waits on sockets tell.

import Glibc
import TandemTesting
import Testing

@testable import Tandem

extension Core.PeerLimitTests {
    /// What a read of `body` throws when the peer was silent for three virtual seconds; and what it did before.
    private func silence(
        _ body: @escaping @Sendable (UnixStream) async throws -> Void
    ) throws -> (error: GuestError, stream: Box<Int>) {
        let (configuration, clock) = virtualConfiguration()
        return try withLoop(configuration: configuration) { host, loop in
            let (one, other) = try UnixStream.pair(on: loop)
            one.silenceLimit = .seconds(3)
            #expect(one.silenceLimit == .seconds(3) && other.silenceLimit == nil)
            var outcome: Result<Void, any Error>?
            loop.run({ try await body(one) }) { outcome = $0 }
            // It says something now and then.
            for _ in 0..<5 {
                host.tick()
                clock.advance(by: .seconds(2))
                host.tick()
                #expect(outcome == nil)
                write(other.socket.descriptor.rawValue, "x", 1)
                #expect(host.run(until: { !loop.waiting.contains { $0.kind == .ready } && one.unread == 0 }))
            }
            #expect(loop.statistics.timers <= 1)
            clock.advance(by: .seconds(2.9))
            host.tick()
            #expect(outcome == nil)
            clock.advance(by: .seconds(0.1))
            host.tick()
            let result = try #require(outcome)
            let error = try #require(throws: GuestError.self) { try result.get() }
            #expect(loop.statistics.timers == 0 && loop.statistics.registrations == 0)
            // What has come is still there.
            let rest = Box(0)
            loop.run({ rest.value = try await one.read().count })
            write(other.socket.descriptor.rawValue, "y", 1)
            #expect(host.run(until: { rest.value > 0 }))
            return (error, rest)
        }
    }

    @Test func aPeerThatFallsSilentIsToldToWhoeverReadsLines() throws {
        let line = Box<UInt>(0)
        let (error, rest) = try silence { stream in
            line.value = #line + 1
            for try await _ in stream.lines() {}
        }
        #expect(error.code == .peerUnresponsive)
        #expect(error.context.contains("has sent nothing for 3.0 seconds, awaited at"), "\(error)")
        #expect(error.context.contains("PeerLimitTests.swift:\(line.value)"), "\(error)")
        // The unfinished line, and what came later.
        #expect(rest.value >= 5)
    }

    @Test func aPeerThatFallsSilentWithinAMessageIsTold() throws {
        let (error, rest) = try silence { stream in
            for try await _ in stream.messages(prefix: .oneByte) {}
        }
        #expect(error.code == .peerUnresponsive && rest.value >= 5)
    }

    @Test func aPeerThatFallsSilentIsToldToReadsOfEveryKind() throws {
        _ = try silence { stream in for try await _ in stream.chunks() {} }
        _ = try silence { stream in while true { _ = try await stream.read(upTo: 10) } }
        _ = try silence { stream in _ = try await stream.read(exactly: 100) }
        _ = try silence { stream in
            var buffer = [UInt8](repeating: 0, count: 10)
            while true {
                var span = buffer.mutableSpan
                var bytes = span.mutableBytes
                _ = try await stream.read(into: &bytes)
            }
        }
    }

    @Test func aSilentDatagramSocketIsTold() throws {
        let (configuration, clock) = virtualConfiguration()
        try withLoop(configuration: configuration) { host, loop in
            let udp = try UDPSocket(on: loop, at: .loopback(port: 0))
            udp.silenceLimit = .seconds(1)
            var outcome: Result<Void, any Error>?
            loop.run({ for try await _ in udp.datagrams {} }) { outcome = $0 }
            host.tick()
            clock.advance(by: .seconds(1))
            host.tick()
            let error = try #require(throws: GuestError.self) { try outcome?.get() }
            #expect(error.code == .peerUnresponsive)
            udp.silenceLimit = nil
            #expect(udp.silenceLimit == nil)
        }
    }

    /// A wait that was cancelled, or whose socket was closed, leaves no timer behind.
    @Test func theTimerOfALimitEndsWithItsWait() throws {
        try onLoop { loop in
            let (one, other) = try UnixStream.pair(on: loop)
            one.silenceLimit = .seconds(1000)
            let cancelled = Task(executorPreference: loop) { try await one.read() }
            try await loop.sleep(for: .zero)
            #expect(loop.statistics.timers == 1)
            cancelled.cancel()
            await #expect(throws: CancellationError.self) { try await cancelled.value }
            #expect(loop.statistics.timers == 0)
            async let reading = one.read()
            try await loop.sleep(for: .zero)
            try await other.write("x")
            #expect(try await reading.count == 1)
            #expect(loop.statistics.timers == 0)
            let closed = Task(executorPreference: loop) { try await one.read() }
            try await loop.sleep(for: .zero)
            one.close()
            #expect(try await guestError { try await closed.value }.code == .socketClosed)
            #expect(loop.statistics.timers == 0)
        }
    }

    // MARK: Places

    /// What waits on a loop while `body` does: the place that is told must be the caller's.
    private func place(
        _ kind: WaitingReport.Kind = .descriptor, _ body: @escaping @Sendable (GuestLoop) async throws -> Void
    ) throws -> [CallSite?] {
        try onLoop { loop in
            let run = loop.run({ try await body(loop) }, onDone: { _ in })
            for _ in 0..<3 { try await loop.sleep(for: .zero) }
            let sites = loop.waiting.filter { $0.kind == kind }.map(\.site)
            run.cancel()
            _ = try? await run.value
            return sites
        }
    }

    /// A stream whose peer says nothing, for as long as the loop is open.
    private func openStream(_ loop: GuestLoop) throws -> UnixStream {
        let (one, other) = try UnixStream.pair(on: loop)
        loop.closingActions.add { other.close() }
        return one
    }

    @Test func waitsOnSocketsTellTheirCallersPlace() throws {
        func expect(
            _ kind: WaitingReport.Kind = .descriptor, line: UInt = #line,
            _ body: @escaping @Sendable (GuestLoop) async throws -> Void
        ) throws {
            let sites = try place(kind, body)
            #expect(sites.map { $0?.fileID } == ["TandemTests/PeerLimitTests.swift"], "line \(line)")
            #expect(sites.allSatisfy { (line...line + 2).contains(UInt($0?.line ?? 0)) }, "line \(line): \(sites)")
        }
        try expect { for try await _ in try openStream($0).lines() {} }
        try expect { for try await _ in try openStream($0).chunks() {} }
        try expect { for try await _ in try openStream($0).messages() {} }
        try expect { for try await _ in try UDPSocket(on: $0).datagrams() {} }
        try expect { for try await _ in try TCPListener(on: $0, at: .loopback(port: 0)).connections() {} }
        try expect { for try await _ in try UnixListener(on: $0, at: "@tandem-\(getpid())").connections() {} }
        try expect { _ = try await openStream($0).read(exactly: 3) }
        try expect(.sleep) { loop in try await loop.withTimeout(.seconds(9)) { _ = try await loop.nextFrame() } }
        try expect(.sleep) { loop in
            try await withTimeout(.seconds(9), clock: loop.clock) { _ = try await loop.nextFrame() }
        }
        try expect(.gameSleep) { loop in
            try await withTimeout(.seconds(9), clock: GameClock(loop)) { _ = try await loop.nextFrame() }
        }
        try expect(.sleep) { for try await _ in $0.clock.timer(every: .seconds(9)) {} }
        try expect(.gameSleep) { for try await _ in GameClock($0).timer(every: .seconds(9)) {} }
        // A property cannot ask its caller: no place is better than one of ours.
        #expect(try place { for try await _ in try openStream($0).lines {} } == [nil])
        #expect(
            try place { for try await _ in try TCPListener(on: $0, at: .loopback(port: 0)).connections {} } == [nil])
    }
}

extension UnixStream {
    /// How many bytes the kernel has for it.
    fileprivate var unread: Int32 {
        var count: Int32 = 0
        _ = ioctl(socket.descriptor.rawValue, UInt(FIONREAD), &count)
        return count
    }
}
