// SPDX-License-Identifier: Apache-2.0
// Support: a loop on a thread of its own, a server on it, and the least of an HTTP client that keeps its connection.

import FlyingFox
import FlyingSocks
import Foundation
import Synchronization
import Tandem
import TandemFlyingFox
import TandemTesting
import Testing

/// Descriptors are counted: nothing else may open any meanwhile.
@Suite(.serialized) enum OneAfterAnother {}

/// A loop that a thread of its own ticks; the thread and the loop have ended when `body` is done.
func withLoop<Value: Sendable>(_ body: (GuestLoop) async throws -> Value) async throws -> Value {
    let thread = LoopThread()
    let loop = try await thread.start()
    let result: Result<Value, any Error>
    do { result = .success(try await body(loop)) } catch { result = .failure(error) }
    await thread.end(loop)
    return try result.get()
}

private final class LoopThread: Sendable {
    private let isOver = Atomic<Bool>(false)
    private let ended = AsyncStream.makeStream(of: Never.self)

    func start() async throws -> GuestLoop {
        try await handedOver { started in
            Thread {
                let host = ManualHost()
                do {
                    let loop = try host.makeLoop()
                    started(.success(loop))
                    if !host.run(within: .seconds(120), until: { self.isOver.load(ordering: .acquiring) }) {
                        Issue.record("the test took more than two minutes")
                    }
                    loop.close()
                } catch { started(.failure(error)) }
                self.ended.continuation.finish()
            }.start()
        }
    }

    func end(_ loop: GuestLoop) async {
        isOver.store(true, ordering: .releasing)
        try? loop.post {}
        for await _ in ended.stream {}
    }
}

/// What another thread makes, which `begin` asks for. A continuation that is resumed before its task has suspended puts the thread's work
/// before the task's, but does not tell the thread sanitizer of it (see Tests/Sanitizers/ResumedBeforeItSuspends.swift): the atomic does.
func handedOver<Value: Sendable>(
    _ begin: (@escaping @Sendable (Result<Value, any Error>) -> Void) throws -> Void
) async throws -> Value {
    let handover = Handover()
    let value = try await withCheckedThrowingContinuation { continuation in
        do {
            try begin { result in
                handover.isDone.store(true, ordering: .releasing)
                continuation.resume(with: result)
            }
        } catch { continuation.resume(throwing: error) }
    }
    precondition(handover.isDone.load(ordering: .acquiring), "a value came that nobody had handed over")
    return value
}

private final class Handover: Sendable { let isDone = Atomic<Bool>(false) }

/// A server that listens while `body` runs, and has stopped afterwards.
func withServer<Value: Sendable>(
    _ loop: GuestLoop, timeout: TimeInterval = 15, _ routes: (HTTPServer) async -> Void,
    _ body: (UInt16) async throws -> Value
) async throws -> Value {
    try await withServer(loop, timeout: timeout, pool: GuestSocketPool(loop), routes, body)
}

func withServer<Value: Sendable>(
    _ loop: GuestLoop, timeout: TimeInterval = 15, pool: some AsyncSocketPool, _ routes: (HTTPServer) async -> Void,
    _ body: (UInt16) async throws -> Value
) async throws -> Value {
    let server = HTTPServer(
        address: try .inet(ip4: "127.0.0.1", port: 0), timeout: timeout, pool: pool,
        logger: .disabled)
    await routes(server)
    let running = Task { try await server.run() }
    try await server.waitUntilListening(timeout: 20)
    let port = try #require(await server.port)
    let result: Result<Value, any Error>
    do { result = .success(try await body(port)) } catch { result = .failure(error) }
    await server.stop()
    await #expect(throws: (any Error).self) { try await running.value }
    return try result.get()
}

/// How often a route was called.
final class Calls: Sendable { let count = Atomic<Int>(0) }

/// Some bytes with pauses between them.
private struct SlowBody: AsyncBufferedSequence, AsyncBufferedIteratorProtocol {
    typealias Element = UInt8
    private var rest = 20
    func makeAsyncIterator() -> SlowBody { self }
    mutating func next() async throws -> UInt8? { nil }
    mutating func nextBuffer(suggested count: Int) async throws -> Data? {
        guard rest > 0 else { return nil }
        rest -= 1
        try await Task.sleep(for: .milliseconds(200))
        return Data("slow".utf8)
    }
}

func limits(_ change: (inout LocalHTTPServer.Limits) -> Void) -> LocalHTTPServer.Limits {
    var limits = LocalHTTPServer.Limits()
    change(&limits)
    return limits
}

/// A server with limits before it, while `body` runs. It has some routes; `counting` tells how often they were called.
func withLocalServer<Value: Sendable>(
    _ loop: GuestLoop, _ limits: LocalHTTPServer.Limits = .init(), counting calls: Calls = Calls(),
    _ body: (UInt16) async throws -> Value
) async throws -> Value {
    var routes = RoutedHTTPHandler()
    routes.appendRoute("GET /") { _ in
        calls.count.add(1, ordering: .relaxed)
        return HTTPResponse(statusCode: .ok, body: Data("hello".utf8))
    }
    routes.appendRoute("POST /length") { request in
        HTTPResponse(statusCode: .ok, body: Data("\(try await request.bodyData.count)".utf8))
    }
    routes.appendRoute("GET /slow") { _ in HTTPResponse(statusCode: .ok, body: HTTPBodySequence(from: SlowBody())) }
    routes.appendRoute("GET /socket", to: .webSocket(EchoWSMessageHandler()))
    let server = try LocalHTTPServer(on: loop, at: .loopback(port: 0), limits: limits, handler: routes)
    let running = Task { try await server.run() }
    let result: Result<Value, any Error>
    do { result = .success(try await body(try #require(server.localAddress.port))) } catch { result = .failure(error) }
    running.cancel()
    await #expect(throws: (any Error).self) { try await running.value }
    return try result.get()
}

extension HTTPServer {
    var port: UInt16? {
        guard case .ip4(_, let port) = listeningAddress else { return nil }
        return port
    }
}

/// A connection that is kept: requests as they are typed, answers with their lengths.
struct Connection {
    let socket: AsyncSocket

    init(_ loop: GuestLoop, _ port: UInt16) async throws {
        socket = try await AsyncSocket.connected(
            to: .inet(ip4: "127.0.0.1", port: port), pool: GuestSocketPool(loop), timeout: 20)
    }

    func get(_ path: String) async throws -> String {
        try await send("GET \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n")
        return try await answer()
    }

    func send(_ text: String) async throws { try await socket.write(Data(text.utf8)) }

    func head() async throws -> String {
        var head: [UInt8] = []
        while !head.suffix(4).elementsEqual("\r\n\r\n".utf8) { head.append(try await socket.read()) }
        return String(decoding: head, as: UTF8.self)
    }

    /// The body of an answer that says its length.
    func answer() async throws -> String {
        let head = try await head()
        let line = try #require(head.split(separator: "\r\n").first { $0.hasPrefix("Content-Length: ") })
        let length = try #require(Int(line.dropFirst("Content-Length: ".count)))
        return String(decoding: try await socket.read(bytes: length), as: UTF8.self)
    }

    /// The body of an answer that comes in chunks.
    func chunks() async throws -> String {
        var body: [UInt8] = []
        while true {
            var line = ""
            while !line.hasSuffix("\r\n") { line.append(Character(Unicode.Scalar(try await socket.read()))) }
            let size = try #require(Int(line.trimmingCharacters(in: .whitespacesAndNewlines), radix: 16))
            body += try await socket.read(bytes: size)
            #expect(try await socket.read(bytes: 2) == Array("\r\n".utf8))
            if size == 0 { return String(decoding: body, as: UTF8.self) }
        }
    }

    /// A text frame as a client has to send it, masked.
    func sendFrame(_ text: String) async throws {
        let mask: [UInt8] = [0x21, 0x43, 0x65, 0x87]
        let payload = zip(text.utf8, 0...).map { $0 ^ mask[$1 % 4] }
        let length: [UInt8] =
            payload.count < 126
            ? [0x80 | UInt8(payload.count)] : [0xFE, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
        try await socket.write(Data([0x81] + length + mask + payload))
    }

    /// The payload of one frame of a server's.
    func frame() async throws -> (opcode: UInt8, payload: [UInt8]) {
        let start = try await socket.read(bytes: 2)
        var length = Int(start[1])
        if length == 126 { length = try await socket.read(bytes: 2).reduce(0) { $0 << 8 | Int($1) } }
        return (start[0] & 0x0F, try await socket.read(bytes: length))
    }
}

/// How many descriptors the process has.
func descriptorCount() throws -> Int {
    try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
}
