// SPDX-License-Identifier: Apache-2.0
// ServerStartTests: how FlyingFox's connections begin on the pool, and how its server begins again.

import FlyingFox
import FlyingSocks
import Foundation
import Tandem
import TandemFlyingFox
import Testing

import struct FlyingSocks.Socket

extension OneAfterAnother {
    @Suite struct ServerStartTests {
        private func hello(_ server: HTTPServer) async {
            await server.appendRoute("GET /") { _ in HTTPResponse(statusCode: .ok, body: Data("hello".utf8)) }
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
