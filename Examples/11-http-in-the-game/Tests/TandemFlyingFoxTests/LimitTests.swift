// SPDX-License-Identifier: Apache-2.0
// LimitTests: what the pool and its companions add to FlyingFox, which has no limits.

import FlyingFox
import FlyingSocks
import Foundation
import Synchronization
import Tandem
import TandemFlyingFox
import Testing

import struct FlyingSocks.Socket

extension OneAfterAnother {
    @Suite struct LimitTests {
        private func pool(
            _ loop: GuestLoop, _ change: (inout GuestSocketPool.Limits) -> Void
        ) -> GuestSocketPool {
            var limits = GuestSocketPool.Limits()
            change(&limits)
            return GuestSocketPool(loop, limits: limits)
        }

        private func hello(_ server: HTTPServer) async {
            await server.appendRoute("GET /") { _ in HTTPResponse(statusCode: .ok, body: Data("hello".utf8)) }
            await server.appendRoute("POST /length") { request in
                HTTPResponse(statusCode: .ok, body: Data("\(try await request.bodyData.count)".utf8))
            }
        }

        /// Reads until the server ends the connection.
        private func isClosed(_ connection: Connection) async throws -> Bool {
            do { while true { _ = try await connection.socket.read() } } catch { return true }
        }

        @Test func whoIsSilentForTooLongIsClosed() async throws {
            try await withLoop { loop in
                try await withServer(loop, pool: pool(loop) { $0.idle = .milliseconds(200) }) {
                    await hello($0)
                } _: { port in
                    let silent = try await Connection(loop, port)
                    let inTheMiddle = try await Connection(loop, port)
                    try await inTheMiddle.send("GET / HTT")
                    #expect(try await isClosed(silent))
                    #expect(try await isClosed(inTheMiddle))
                    try silent.socket.close()
                    try inTheMiddle.socket.close()
                }
            }
        }

        @Test(arguments: [
            "GET / HTTP/1.1\r\nX-Long: ", "POST /length HTTP/1.1\r\nHost: test\r\nContent-Length: 4000000000\r\n\r\n",
            "POST /length HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n",
        ]) func whatDoesNotEndIsCut(beginning: String) async throws {
            try await withLoop { loop in
                try await withServer(loop) {
                    await hello($0)
                } _: { port in
                    let connection = try await Connection(loop, port)
                    try await connection.send(beginning)
                    await #expect(throws: (any Error).self) {
                        while true { try await connection.send(String(repeating: "x", count: 65_536)) }
                    }
                    try connection.socket.close()
                    // The server goes on.
                    let other = try await Connection(loop, port)
                    #expect(try await other.get("/") == "hello")
                    try other.socket.close()
                }
            }
        }

        /// Far more in sum than one request may have.
        @Test func whoIsAnsweredMayGoOn() async throws {
            try await withLoop { loop in
                try await withServer(loop, pool: pool(loop) { $0.requestBytes = 4096 }) {
                    await hello($0)
                } _: { port in
                    let connection = try await Connection(loop, port)
                    let end = ContinuousClock.now + .milliseconds(300)
                    var count = 0
                    while count < 200 || ContinuousClock.now < end {
                        #expect(try await connection.get("/") == "hello")
                        count += 1
                    }
                    try connection.socket.close()
                }
            }
        }

        @Test func beyondTheLimitConnectionsWaitUntilOthersLeave() async throws {
            try await withLoop { loop in
                try await withServer(loop, pool: pool(loop) { $0.connections = 3 }) {
                    await hello($0)
                } _: { port in
                    var first: [Connection] = []
                    for _ in 0..<3 {
                        first.append(try await Connection(loop, port))
                        #expect(try await first.last!.get("/") == "hello")
                    }
                    let late = try await Connection(loop, port)
                    try await late.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n")
                    try await Task.sleep(for: .milliseconds(200))
                    #expect(throws: SocketError.blocked) { try late.socket.socket.read() }
                    for connection in first { try connection.socket.close() }
                    #expect(try await late.answer() == "hello")
                    try late.socket.close()
                }
            }
        }

        /// Waits until the one connection that the server has accepted sends at once.
        private func sendsAtOnce(_ port: UInt16) async throws -> Bool {
            let noDelay = BoolSocketOption(level: Int32(IPPROTO_TCP), name: TCP_NODELAY)
            for _ in 0..<1000 {
                let accepted = (0..<1000).map { Socket(file: .init(rawValue: $0)) }.filter {
                    guard case .ip4(_, port) = try? $0.sockname() else { return false }
                    return (try? $0.remotePeer()) != nil
                }
                #expect(accepted.count == 1)
                if try accepted.first?.getValue(for: noDelay) == true { return true }
                try await Task.sleep(for: .milliseconds(10))
            }
            return false
        }

        @Test func answersDoNotWaitForAcknowledgements() async throws {
            try await withLoop { loop in
                try await withServer(loop) {
                    await hello($0)
                } _: { port in
                    let connection = try await Connection(loop, port)
                    #expect(try await connection.get("/") == "hello")
                    #expect(try await sendsAtOnce(port))
                    try connection.socket.close()
                }
            }
        }

        @Test func whoConnectsBeforeThePoolKnowsTheListenerIsAnsweredAtOnceToo() async throws {
            try await withLoop { loop in
                let pool = LatePool(GuestSocketPool(loop))
                try await withServer(loop, pool: pool) {
                    await hello($0)
                } _: { port in
                    let connection = try await Connection(loop, port)
                    pool.goOn()
                    #expect(try await connection.get("/") == "hello")
                    #expect(try await sendsAtOnce(port))
                    try connection.socket.close()
                }
            }
        }

        /// As a WebSocket's frame that does not end, while its sender is sent messages.
        @Test func whoSendsTooMuchInASecondIsCutEvenIfAnswered() async throws {
            try await withLoop { loop in
                let pool = pool(loop) { ($0.requestBytes, $0.bytesPerSecond) = (.max, 100_000) }
                try await withServer(loop, pool: pool) {
                    await hello($0)
                } _: { port in
                    let connection = try await Connection(loop, port)
                    try await connection.send("POST /length HTTP/1.1\r\nContent-Length: 4000000000\r\n\r\n")
                    await #expect(throws: (any Error).self) {
                        while true { try await connection.send(String(repeating: "x", count: 65_536)) }
                    }
                    try connection.socket.close()
                }
            }
        }

        /// What FlyingFox does not skip of a body that nobody reads.
        @Test(arguments: ["Transfer-Encoding: chunked", "Content-Length: 3000000"])
        func theRestOfABodyIsNoRequest(length: String) async throws {
            let steered = Atomic<Int>(0)
            try await withLoop { loop in
                let pool = GuestSocketPool(loop)
                try await withServer(loop, pool: pool) { server in
                    var routes = RoutedHTTPHandler()
                    routes.appendRoute("GET /steer") { _ in
                        steered.add(1, ordering: .relaxed)
                        return HTTPResponse(statusCode: .ok)
                    }
                    await server.appendRoute("*", to: LocalRequests(routes, on: pool))
                } _: { port in
                    for host in ["evil.example", "localhost"] {
                        let connection = try await Connection(loop, port)
                        try await connection.send(
                            "POST / HTTP/1.1\r\nHost: \(host)\r\n\(length)\r\n\r\n"
                                + "GET /steer HTTP/1.1\r\nHost: localhost\r\n\r\n")
                        #expect(try await isClosed(connection))
                        try connection.socket.close()
                    }
                }
            }
            #expect(steered.load(ordering: .relaxed) == 0)
        }

        @Test(arguments: [
            ("Host: localhost:1\r\n", 200), ("Host: 127.0.0.1\r\n", 200), ("Host: [::1]:1\r\n", 200),
            ("Host: localhost:1\r\nOrigin: http://localhost:1\r\n", 200), ("", 403), ("Host: evil.example\r\n", 403),
            ("Host: localhost.evil.example\r\n", 403), ("Host: localhost:1\r\nOrigin: http://evil.example\r\n", 403),
            ("Host: localhost:1\r\nOrigin: http://localhost:2\r\n", 403),
            ("Host: localhost:1\r\nOrigin: null\r\n", 403),
        ]) func onlyThisMachinesPagesAndToolsAreServed(fields: String, status: Int) async throws {
            try await withLoop { loop in
                let pool = GuestSocketPool(loop)
                try await withServer(loop, pool: pool) { server in
                    var routes = RoutedHTTPHandler()
                    routes.appendRoute("GET /") { _ in HTTPResponse(statusCode: .ok) }
                    routes.appendRoute("GET /socket", to: .webSocket(EchoWSMessageHandler()))
                    await server.appendRoute("*", to: LocalRequests(routes, on: pool))
                } _: { port in
                    for upgrade in [false, true] {
                        let connection = try await Connection(loop, port)
                        let upgrading =
                            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                            + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                        try await connection.send(
                            "GET \(upgrade ? "/socket" : "/") HTTP/1.1\r\n\(fields)\(upgrade ? upgrading : "")\r\n")
                        let expected = upgrade && status == 200 ? 101 : status
                        #expect(try await connection.head().hasPrefix("HTTP/1.1 \(expected)"))
                        try connection.socket.close()
                    }
                }
            }
        }

        /// In a process of its own: it has no descriptor left when somebody connects.
        @Test func aServerComesBackAfterDescriptorsHaveRunOut() async {
            await #expect(processExitsWith: .success) {
                try await withLoop { loop in
                    // A port that is free, for the server to come back to.
                    let probe = try Socket(domain: AF_INET)
                    try probe.bind(to: .inet(ip4: "127.0.0.1", port: 0))
                    guard case .ip4(_, let port) = try probe.sockname() else { exit(2) }
                    try probe.close()
                    // FlyingFox's own pool, which leaves no room, so that it really runs out.
                    let server = HTTPServer(address: try .inet(ip4: "127.0.0.1", port: port), logger: .disabled)
                    await server.appendRoute("GET /") { _ in HTTPResponse(statusCode: .ok, body: Data("hello".utf8)) }
                    let running = Task { try await server.runThroughExhaustion(on: loop) }
                    try await server.waitUntilListening(timeout: 20)
                    let client = try Socket(domain: AF_INET)
                    var fillers: [Int32] = []
                    var limit = rlimit()
                    getrlimit(__rlimit_resource_t(7), &limit)
                    limit.rlim_cur = 200
                    setrlimit(__rlimit_resource_t(7), &limit)
                    while case let filler = open("/dev/null", O_RDONLY), filler >= 0 { fillers.append(filler) }
                    try client.connect(to: .inet(ip4: "127.0.0.1", port: port))
                    while await server.isListening { usleep(1000) }
                    for filler in fillers { close(filler) }
                    try client.close()
                    while await !server.isListening { try await Task.sleep(for: .milliseconds(5)) }
                    let connection = try await Connection(loop, port)
                    guard try await connection.get("/") == "hello" else { exit(3) }
                    running.cancel()
                    _ = await running.result
                }
                exit(0)
            }
        }
    }
}

/// A pool that does nothing about a listener until it is told to go on.
private final class LatePool: AsyncSocketPool {
    private let pool: GuestSocketPool
    private let gate = AsyncStream.makeStream(of: Never.self)

    init(_ pool: GuestSocketPool) { self.pool = pool }

    func goOn() { gate.continuation.finish() }
    func prepare() async throws { try await pool.prepare() }
    func run() async throws { try await pool.run() }

    func suspendSocket(_ socket: Socket, untilReadyFor events: Socket.Events) async throws {
        var (isListener, size) = (Int32(0), socklen_t(MemoryLayout<Int32>.size))
        getsockopt(socket.file.rawValue, SOL_SOCKET, SO_ACCEPTCONN, &isListener, &size)
        if isListener != 0 { for await _ in gate.stream {} }
        try await pool.suspendSocket(socket, untilReadyFor: events)
    }
}
