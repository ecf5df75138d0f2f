// SPDX-License-Identifier: Apache-2.0
// ServerTests: FlyingFox's own behaviours, with its sockets in a loop's epoll set.

import FlyingFox
import FlyingSocks
import Foundation
import Synchronization
import Tandem
import TandemFlyingFox
import Testing

extension OneAfterAnother {
    @Suite struct ServerTests {
        @Test func aConnectionIsKeptForManyRequests() async throws {
            let peers = Mutex<Set<String>>([])
            try await withLoop { loop in
                try await withServer(loop) { server in
                    await server.appendRoute("GET /number/:number") { (request: HTTPRequest, number: Int) in
                        peers.withLock { _ = $0.insert("\(request.remoteAddress!)") }
                        return HTTPResponse(statusCode: .ok, body: Data("number \(number)".utf8))
                    }
                } _: { port in
                    let connection = try await Connection(loop, port)
                    for number in 0..<50 {
                        #expect(try await connection.get("/number/\(number)") == "number \(number)")
                    }
                    try connection.socket.close()
                }
            }
            #expect(peers.withLock { $0.count } == 1)
        }

        @Test func aRequestInPiecesIsPutTogether() async throws {
            try await withLoop { loop in
                try await withServer(loop) { server in
                    await server.appendRoute("POST /length") { request in
                        HTTPResponse(statusCode: .ok, body: Data("\(try await request.bodyData.count)".utf8))
                    }
                } _: { port in
                    let connection = try await Connection(loop, port)
                    // Each piece is a wait: the server has to come back to the socket.
                    for piece in [
                        "POST /len", "gth HTTP/1.1\r\nHost: test\r\n", "Content-Length: 10\r\n\r\n", "12345", "67890",
                    ] {
                        try await connection.send(piece)
                        try await Task.sleep(for: .milliseconds(2))
                    }
                    #expect(try await connection.answer() == "10")
                    try connection.socket.close()
                }
            }
        }

        @Test func chunkedBodiesGoBothWays() async throws {
            try await withLoop { loop in
                try await withServer(loop) { server in
                    await server.appendRoute("POST /echo") { request in
                        let body = try await request.bodyData
                        // A sequence whose length is not known is sent in chunks.
                        return HTTPResponse(statusCode: .ok, body: HTTPBodySequence(from: Pieces(data: body)))
                    }
                } _: { port in
                    let connection = try await Connection(loop, port)
                    try await connection.send("POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n")
                    for piece in ["5\r\nhello\r\n", "7\r\n, world\r\n", "0\r\n\r\n"] {
                        try await connection.send(piece)
                    }
                    #expect(try await connection.head().contains("Transfer-Encoding: chunked"))
                    #expect(try await connection.chunks() == "hello, world")
                    try connection.socket.close()
                }
            }
        }

        @Test func aLargeFileArrivesWhole() async throws {
            let content = Data((0..<12_000_000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) })
            let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).bin")
            try content.write(to: file)
            defer { try? FileManager.default.removeItem(at: file) }
            try await withLoop { loop in
                try await withServer(loop, timeout: 60) { server in
                    await server.appendRoute("GET /file") { _ in
                        HTTPResponse(
                            statusCode: .ok, body: try HTTPBodySequence(file: file, suggestedBufferSize: 65_536))
                    }
                } _: { port in
                    let connection = try await Connection(loop, port)
                    try await connection.send("GET /file HTTP/1.1\r\nHost: test\r\n\r\n")
                    #expect(try await connection.head().contains("Content-Length: \(content.count)"))
                    #expect(try await Data(connection.socket.read(bytes: content.count)) == content)
                    try connection.socket.close()
                }
            }
        }

        @Test func aWebSocketEchoes() async throws {
            try await withLoop { loop in
                try await withServer(loop) { server in
                    await server.appendRoute("GET /socket", to: .webSocket(EchoWSMessageHandler()))
                } _: { port in
                    let connection = try await Connection(loop, port)
                    try await connection.send(
                        "GET /socket HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
                    // The answer that RFC 6455 gives for its sample key.
                    #expect(try await connection.head().contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
                    for text in ["hello", String(repeating: "long ", count: 3000)] {
                        try await connection.sendFrame(text)
                        let echo = try await connection.frame()
                        #expect(echo.opcode == 1)
                        #expect(String(decoding: echo.payload, as: UTF8.self) == text)
                    }
                    // A close frame is answered with one.
                    try await connection.socket.write(Data([0x88, 0x80, 0, 0, 0, 0]))
                    #expect(try await connection.frame().opcode == 8)
                    try connection.socket.close()
                }
            }
        }

        @Test func aHundredClientsAtOnce() async throws {
            let served = Atomic<Int>(0)
            try await withLoop { loop in
                try await withServer(loop) { server in
                    await server.appendRoute("GET /:client/:round") { (client: Int, round: Int) in
                        served.add(1, ordering: .relaxed)
                        return HTTPResponse(statusCode: .ok, body: Data("\(client * 1000 + round)".utf8))
                    }
                } _: { port in
                    try await withThrowingTaskGroup { group in
                        for client in 0..<100 {
                            group.addTask {
                                let connection = try await Connection(loop, port)
                                for round in 0..<20 {
                                    #expect(
                                        try await connection.get("/\(client)/\(round)") == "\(client * 1000 + round)")
                                }
                                try connection.socket.close()
                            }
                        }
                        try await group.waitForAll()
                    }
                }
            }
            #expect(served.load(ordering: .relaxed) == 2000)
        }

        @Test func flyingFoxesClientTalksToIt() async throws {
            try await withLoop { loop in
                try await withServer(loop) { server in
                    await server.appendRoute("GET /hello") { _ in
                        HTTPResponse(statusCode: .ok, body: Data("hello".utf8))
                    }
                } _: { port in
                    var client = HTTPClient()
                    let request = HTTPRequest(
                        method: .GET, version: .http11, path: "/hello", query: [], headers: [:], body: Data())
                    let response = try await client.sendHTTPRequest(request, to: .inet(ip4: "127.0.0.1", port: port))
                    #expect(response.statusCode == .ok)
                    #expect(try await response.bodyData == Data("hello".utf8))
                }
            }
        }

        @Test func aStoppedServersPortIsFreeAgain() async throws {
            try await withLoop { loop in
                let port = try await withServer(loop) { _ in
                } _: {
                    $0
                }
                await #expect(throws: (any Error).self) { try await Connection(loop, port) }
                for _ in 0..<3 {
                    let server = HTTPServer(
                        address: try .inet(ip4: "127.0.0.1", port: port), pool: GuestSocketPool(loop), logger: .disabled
                    )
                    let running = Task { try await server.run() }
                    try await server.waitUntilListening(timeout: 20)
                    // Somebody is connected, and says nothing.
                    let idle = try await Connection(loop, port)
                    await server.stop()
                    await #expect(throws: (any Error).self) { try await running.value }
                    try idle.socket.close()
                }
            }
        }

        @Test func aCancelledServerEnds() async throws {
            try await withLoop { loop in
                let server = HTTPServer(
                    address: try .inet(ip4: "127.0.0.1", port: 0), pool: GuestSocketPool(loop), logger: .disabled)
                let running = Task { try await server.run() }
                try await server.waitUntilListening(timeout: 20)
                running.cancel()
                await #expect(throws: (any Error).self) { try await running.value }
            }
        }

        @Test func aServerEndsWithItsLoop() async throws {
            let running = try await withLoop { loop in
                let server = HTTPServer(
                    address: try .inet(ip4: "127.0.0.1", port: 0), pool: GuestSocketPool(loop), logger: .disabled)
                let running = Task { try await server.run() }
                try await server.waitUntilListening(timeout: 20)
                return running
            }
            await #expect(throws: (any Error).self) { try await running.value }
        }

        @Test func noDescriptorIsLeft() async throws {
            // The first time opens what the process keeps.
            for round in 0..<3 {
                let before = try descriptorCount()
                try await withLoop { loop in
                    try await withServer(loop) { server in
                        await server.appendRoute("GET /") { _ in HTTPResponse(statusCode: .ok, body: Data("hello".utf8))
                        }
                    } _: { port in
                        for client in 0..<30 {
                            let connection = try await Connection(loop, port)
                            #expect(try await connection.get("/") == "hello")
                            // Some say goodbye, some are left in the middle of a request.
                            if client % 3 == 0 { try await connection.send("GET / HTT") }
                            try connection.socket.close()
                        }
                    }
                }
                if round > 0 { #expect(try descriptorCount() == before) }
            }
        }
    }
}

/// Bytes whose number is not told.
private struct Pieces: AsyncBufferedSequence, AsyncBufferedIteratorProtocol {
    typealias Element = UInt8
    var data: Data
    func makeAsyncIterator() -> Pieces { self }
    mutating func next() async throws -> UInt8? { data.popFirst() }
    mutating func nextBuffer(suggested count: Int) async throws -> Data? {
        guard !data.isEmpty else { return nil }
        defer { data = data.dropFirst(count) }
        return data.prefix(count)
    }
}
