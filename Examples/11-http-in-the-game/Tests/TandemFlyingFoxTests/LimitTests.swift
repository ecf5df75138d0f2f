// SPDX-License-Identifier: Apache-2.0
// LimitTests: what LocalHTTPServer puts before FlyingFox, which has no limits.

import FlyingFox
import FlyingSocks
import Foundation
import Tandem
import TandemFlyingFox
import Testing

import struct FlyingSocks.Socket

extension OneAfterAnother {
    @Suite struct LimitTests {
        /// Reads until the server ends the connection, and returns how its answer begins.
        private func ending(_ connection: Connection) async throws -> String {
            var bytes: [UInt8] = []
            while let byte = try? await connection.socket.read() { bytes.append(byte) }
            try connection.socket.close()
            return String(decoding: bytes.prefix(12), as: UTF8.self)
        }

        /// Sends for as long as the connection lasts; what it was answered.
        private func flood(_ connection: Connection, _ piece: String) async throws -> String {
            let writer = Task {
                let data = Data(piece.utf8)
                while !Task.isCancelled { try await connection.socket.write(data) }
            }
            let answer = try await connection.head()
            writer.cancel()
            _ = await writer.result
            try connection.socket.close()
            return String(answer.prefix(12))
        }

        /// With FlyingFox alone nobody is answered any more: a line of 64 KB is minutes of work for it.
        @Test func sixteenHeadsWithoutEndKeepNobodyWaiting() async throws {
            try await withLoop { loop in
                try await withLocalServer(loop) { port in
                    let good = try await Connection(loop, port)
                    #expect(try await good.get("/") == "hello")
                    try await withThrowingTaskGroup { group in
                        for _ in 0..<16 {
                            group.addTask {
                                let connection = try await Connection(loop, port)
                                try await connection.send("GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ")
                                return try await flood(connection, String(repeating: "x", count: 65_536))
                            }
                        }
                        for _ in 0..<20 { #expect(try await good.get("/") == "hello") }
                        for try await answer in group { #expect(answer == "HTTP/1.1 431") }
                    }
                    #expect(try await good.get("/") == "hello")
                    try good.socket.close()
                }
            }
        }

        @Test(arguments: [
            ("GET / HTTP/1.1\r\nX-Long: ", "x", 431), ("GET /", "x", 431), ("GET / HTTP/1.1\r\n", "X-Many: x\r\n", 431),
            ("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000000000\r\n\r\n", "x", 413),
            ("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n", "x", 411),
        ]) func whatDoesNotEndIsRefused(beginning: String, piece: String, status: Int) async throws {
            let calls = Calls()
            try await withLoop { loop in
                try await withLocalServer(loop, counting: calls) { port in
                    let connection = try await Connection(loop, port)
                    try await connection.send(beginning)
                    let answer = try await flood(connection, String(repeating: piece, count: 1000))
                    #expect(answer == "HTTP/1.1 \(status)")
                    #expect(calls.count.load(ordering: .relaxed) == 0)
                    // The server goes on.
                    let other = try await Connection(loop, port)
                    #expect(try await other.get("/") == "hello")
                    try other.socket.close()
                }
            }
        }

        /// What two readers could understand in two ways.
        @Test(arguments: [
            "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Length: 40",
            "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: +1",
            "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length:",
            "GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example",
            "GET / HTTP/1.1\r\nHost: localhost\r\n continued: 1",
            "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length : 1", "GET / HTTP/1.1\r\nHost: localhost\r\nX: a\rb",
            "GET / HTTP/1.1\r\nHost: localhost\r\nX: \0", "GET  / HTTP/1.1\r\nHost: localhost",
            "GET / HTTP/9\r\nHost: localhost",
            "\r\nGET / HTTP/1.1\r\nHost: localhost", " / HTTP/1.1\r\nHost: localhost", "nonsense",
        ]) func whatIsNotCertainIsRefused(head: String) async throws {
            let calls = Calls()
            try await withLoop { loop in
                try await withLocalServer(loop, counting: calls) { port in
                    let connection = try await Connection(loop, port)
                    try await connection.send(head + "\r\n\r\n")
                    #expect(try await ending(connection) == "HTTP/1.1 400")
                }
            }
            #expect(calls.count.load(ordering: .relaxed) == 0)
        }

        @Test func whoIsSilentForTooLongIsClosed() async throws {
            try await withLoop { loop in
                try await withLocalServer(
                    loop, limits { ($0.idle, $0.arrival) = (.milliseconds(200), .milliseconds(200)) }
                ) { port in
                    let silent = try await Connection(loop, port)
                    let inTheMiddle = try await Connection(loop, port)
                    let inTheBody = try await Connection(loop, port)
                    try await inTheMiddle.send("GET / HTT")
                    try await inTheBody.send("POST /length HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12")
                    for connection in [silent, inTheMiddle, inTheBody] { #expect(try await ending(connection) == "") }
                }
            }
        }

        /// An onlooker says nothing for as long as there is something to see.
        @Test func whoIsAnsweredIsNotSilent() async throws {
            try await withLoop { loop in
                try await withLocalServer(loop, limits { $0.idle = .seconds(3) }) { port in
                    let connection = try await Connection(loop, port)
                    try await connection.send("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    _ = try await connection.head()
                    #expect(try await connection.chunks() == String(repeating: "slow", count: 20))
                    try connection.socket.close()
                }
            }
        }

        @Test func whoIsAnsweredMayGoOn() async throws {
            try await withLoop { loop in
                try await withLocalServer(loop) { port in
                    let connection = try await Connection(loop, port)
                    for _ in 0..<200 { #expect(try await connection.get("/") == "hello") }
                    // Requests that do not wait for answers are answered in order.
                    let body = String(repeating: "y", count: 16_000)
                    let post =
                        "POST /length HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\nContent-Length: 16000\r\n\r\n\(body)"
                    let sending = Task { for _ in 0..<10 { try await connection.send(post) } }
                    for _ in 0..<10 { #expect(try await connection.answer() == "16000") }
                    try await sending.value
                    try connection.socket.close()
                }
            }
        }

        @Test func beyondTheLimitConnectionsWaitUntilOthersLeave() async throws {
            try await withLoop { loop in
                try await withLocalServer(loop, limits { $0.connections = 3 }) { port in
                    var first: [Connection] = []
                    for _ in 0..<3 {
                        first.append(try await Connection(loop, port))
                        #expect(try await first.last!.get("/") == "hello")
                    }
                    let late = try await Connection(loop, port)
                    try await late.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    for _ in 0..<20 {
                        for connection in first { #expect(try await connection.get("/") == "hello") }
                    }
                    #expect(throws: SocketError.blocked) { try late.socket.socket.read() }
                    for connection in first { try connection.socket.close() }
                    #expect(try await late.answer() == "hello")
                    try late.socket.close()
                }
            }
        }

        // MARK: WebSockets

        private func webSocket(_ loop: GuestLoop, _ port: UInt16) async throws -> Connection {
            let connection = try await Connection(loop, port)
            try await connection.send(
                "GET /socket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
            #expect(try await connection.head().hasPrefix("HTTP/1.1 101"))
            return connection
        }

        @Test func aMessageOfTheLimitIsAnsweredAndALongerOneCut() async throws {
            try await withLoop { loop in
                try await withLocalServer(loop, limits { $0.messageBytes = 1000 }) { port in
                    let connection = try await webSocket(loop, port)
                    for size in [1, 125, 126, 1000] {
                        let text = String(repeating: "z", count: size)
                        try await connection.sendFrame(text)
                        #expect(try await connection.frame().payload == Array(text.utf8))
                    }
                    try await connection.sendFrame(String(repeating: "z", count: 1001))
                    _ = try await ending(connection)
                }
            }
        }

        @Test(arguments: [
            // A length that is only claimed, one of an unmasked frame, and pieces that have no end.
            ([0x81, 0xFF, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4] as [UInt8], 1),
            ([0x81, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4], 1), ([0x81, 0x01, 0x61], 1),
            ([0x01, 0xFD, 1, 2, 3, 4] + [UInt8](repeating: 0, count: 125), 9),
        ]) func whatDoesNotEndAsAFrameIsCut(frame: [UInt8], count: Int) async throws {
            try await withLoop { loop in
                try await withLocalServer(loop, limits { $0.messageBytes = 1000 }) { port in
                    let connection = try await webSocket(loop, port)
                    for number in 0..<count {
                        var frame = frame
                        if number > 0 { frame[0] &= 0xF0 }
                        try await connection.socket.write(Data(frame))
                    }
                    _ = try await ending(connection)
                }
            }
        }

        @Test func moreFramesThanAllowedAreCut() async throws {
            try await withLoop { loop in
                try await withLocalServer(loop, limits { $0.framesPerSecond = 50 }) { port in
                    let connection = try await webSocket(loop, port)
                    await #expect(throws: (any Error).self) { while true { try await connection.sendFrame("") } }
                    try connection.socket.close()
                }
            }
        }

        @Test func whoPingsAndNeverReadsIsCut() async throws {
            try await withLoop { loop in
                let limits = limits { ($0.framesPerSecond, $0.stall) = (.max, .milliseconds(200)) }
                try await withLocalServer(loop, limits) { port in
                    let connection = try await webSocket(loop, port)
                    let pings = Data(
                        (0..<100).flatMap { _ in [0x89, 0xFD, 1, 2, 3, 4] + [UInt8](repeating: 0, count: 125) })
                    await #expect(throws: (any Error).self) { while true { try await connection.socket.write(pings) } }
                    try connection.socket.close()
                }
            }
        }

        /// What follows a request for a WebSocket that is not answered with one is no request.
        @Test func whatFollowsARefusedWebSocketIsDropped() async throws {
            let calls = Calls()
            try await withLoop { loop in
                try await withLocalServer(loop, counting: calls) { port in
                    let connection = try await Connection(loop, port)
                    try await connection.send(
                        "GET /nowhere HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: keep-alive\r\n\r\n"
                            + "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")
                    #expect(try await ending(connection) == "HTTP/1.1 404")
                }
            }
            #expect(calls.count.load(ordering: .relaxed) == 0)
        }

        // MARK: Pages of elsewhere

        /// What FlyingFox does not skip of a body that nobody reads.
        @Test(arguments: [
            "Transfer-Encoding: chunked", "Content-Length: 3000000", "Content-Length: 0\r\nContent-Length: 60",
        ])
        func theRestOfABodyIsNoRequest(length: String) async throws {
            let calls = Calls()
            try await withLoop { loop in
                try await withLocalServer(loop, counting: calls) { port in
                    for host in ["evil.example", "localhost"] {
                        let connection = try await Connection(loop, port)
                        try await connection.send(
                            "POST / HTTP/1.1\r\nHost: \(host)\r\n\(length)\r\n\r\n"
                                + "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                        #expect(try await ending(connection).hasPrefix("HTTP/1.1 4"))
                    }
                }
            }
            #expect(calls.count.load(ordering: .relaxed) == 0)
        }

        @Test(arguments: [
            ("Host: localhost:1\r\n", 200), ("Host: 127.0.0.1\r\n", 200), ("Host: [::1]:1\r\n", 200),
            ("Host: localhost:1\r\nOrigin: http://localhost:1\r\n", 200), ("", 403), ("Host: evil.example\r\n", 403),
            ("Host: localhost.evil.example\r\n", 403), ("Host: localhost:1\r\nOrigin: http://evil.example\r\n", 403),
            ("Host: localhost:1\r\nOrigin: http://localhost:2\r\n", 403),
            ("Host: localhost:1\r\nOrigin: null\r\n", 403),
        ]) func onlyThisMachinesPagesAndToolsAreServed(fields: String, status: Int) async throws {
            try await withLoop { loop in
                try await withLocalServer(loop) { port in
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

        // MARK: The end

        @Test func aLocalServerEndsWithItsTaskAndLeavesNoDescriptor() async throws {
            try await withLoop { loop in
                // What is opened once for the process.
                try await withLocalServer(loop) { port in
                    let connection = try await Connection(loop, port)
                    #expect(try await connection.get("/") == "hello")
                    try connection.socket.close()
                }
                let before = try descriptorCount()
                let left = try await withLocalServer(loop) { port in
                    var connections: [Connection] = []
                    for _ in 0..<20 {
                        connections.append(try await Connection(loop, port))
                        #expect(try await connections.last!.get("/") == "hello")
                    }
                    for connection in connections.dropFirst(10) { try connection.socket.close() }
                    return Array(connections.prefix(10))
                }
                for connection in left { #expect(try await ending(connection) == "") }
                // FlyingFox closes its side when it is told of the end.
                for _ in 0..<1000 where try descriptorCount() > before { try await Task.sleep(for: .milliseconds(10)) }
                #expect(try descriptorCount() <= before)
            }
        }

        @Test func aLocalServerEndsWithItsLoop() async throws {
            let running = try await withLoop { loop in
                let server = try LocalHTTPServer(on: loop, at: .loopback(port: 0), handler: RoutedHTTPHandler())
                let running = Task { try await server.run() }
                let connection = try await Connection(loop, try #require(server.localAddress.port))
                try await connection.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                #expect(try await connection.head().hasPrefix("HTTP/1.1 404"))
                try connection.socket.close()
                return running
            }
            await #expect(throws: (any Error).self) { try await running.value }
        }

        @Test func aPortThatIsTakenIsSaid() async throws {
            try await withLoop { loop in
                let first = try LocalHTTPServer(on: loop, at: .loopback(port: 0), handler: RoutedHTTPHandler())
                let error = #expect(throws: GuestError.self) {
                    try LocalHTTPServer(on: loop, at: first.localAddress, handler: RoutedHTTPHandler())
                }
                #expect(error?.errno == .addressInUse)
            }
        }
    }
}
