// SPDX-License-Identifier: Apache-2.0
// Support: a loop of the main actor's for a test, and waits for what must come.
// Idea:   the main actor is the process's, so that every test whose loop adopts it is nested in one serialised suite.

import Foundation
import SkirmishNetwork
import SkirmishServer
import Synchronization
import Tandem
import Testing
import WebServing

@Suite(.serialized) @MainActor struct MainLoop {}

/// What did not come in time.
struct Missing: Error, CustomStringConvertible { let description: String }

/// Runs `body` on a loop of this thread's, which is the main actor's meanwhile.
@MainActor func withLoop(_ body: @escaping @MainActor (GuestLoop) async throws -> Void) throws {
    let host = try HeadlessHost(configuration: Configuration(budget: .seconds(20)))
    defer { host.close() }
    let loop = host.loop
    try loop.adoptMainActor()
    var outcome: Result<Void, any Error>?
    let run = loop.run {
        try await body(loop)
    } onDone: {
        outcome = $0
    }
    if !host.run(within: .seconds(100), until: { outcome != nil }) {
        run.cancel()
        _ = host.run(within: .seconds(10), until: { outcome != nil })
    }
    try #require(outcome, "the test did not end").get()
}

/// Waits for `condition`, within half a minute.
@MainActor func eventually(_ loop: GuestLoop, _ what: String, _ condition: @MainActor () async throws -> Bool)
    async throws
{
    let end = loop.now.advanced(by: .seconds(30))
    while try await !condition() {
        guard loop.now < end else { throw Missing(description: "it never came: \(what)") }
        try await loop.sleep(for: .milliseconds(5))
    }
}

/// A server at work on a loop, and those who play there.
@MainActor struct Table {
    let loop: GuestLoop
    let server: MatchServer

    static func open(
        _ change: (inout ServerOptions) -> Void = { _ in }, _ body: @escaping @MainActor (Table) async throws -> Void
    ) throws {
        var options = ServerOptions()
        change(&options)
        try withLoop { [options] loop in
            let server = try MatchServer(on: loop, options)
            let running = Task { try await server.run() }
            let table = Table(loop: loop, server: server)
            let outcome: Result<Void, any Error>
            do { outcome = .success(try await body(table)) } catch { outcome = .failure(error) }
            running.cancel()
            _ = await running.result
            try outcome.get()
        }
    }

    /// Joins, and plays until the host ends it. The task's error says how.
    func join(_ name: String, code: String = "") async throws -> (player: BotPlayer, run: Task<Void, any Error>) {
        let player = try await BotPlayer.join(port: server.host.port, name: name, code: code, on: loop)
        return (player, Task { try await player.run() })
    }

    func wait(_ what: String, _ condition: @MainActor () async throws -> Bool) async throws {
        try await eventually(loop, what, condition)
    }
}

/// A web server at work beside a loop.
@MainActor func serve(
    _ service: (@escaping @Sendable (Int) async -> Void) -> WebService,
    _ body: @MainActor (UInt16) async throws -> Void
) async throws {
    let (ports, line) = AsyncStream.makeStream(of: Int.self)
    let service = service { line.yield($0) }
    let running = Task.detached {
        defer { line.finish() }
        try await service.run()
    }
    let outcome: Result<Void, any Error>
    var iterator = ports.makeAsyncIterator()
    if let port = await iterator.next() {
        do { outcome = .success(try await body(UInt16(port))) } catch { outcome = .failure(error) }
    } else {
        outcome = .failure(Missing(description: "the web server did not begin"))
    }
    running.cancel()
    _ = await running.result
    try outcome.get()
}

/// Sends `request` on a connection of its own; gives everything that comes back until the connection ends.
@MainActor func exchange(_ loop: GuestLoop, _ port: UInt16, _ request: String) async throws -> String {
    let stream = try await TCPStream.connect(to: .loopback(port: port), on: loop)
    defer { stream.close() }
    try? await stream.write(request)
    var answer: [UInt8] = []
    // A connection that is reset has ended, too.
    do { for try await chunk in stream.chunks() { answer += chunk } } catch is GuestError {}
    return String(decoding: answer, as: UTF8.self)
}

func request(_ line: String, _ fields: String = "", body: String = "") -> String {
    "\(line) HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\(fields)\r\n\(body)"
}

extension String {
    /// The body of an answer with a length.
    var content: String {
        guard let blank = range(of: "\r\n\r\n") else { return "" }
        return String(self[blank.upperBound...])
    }

    func decoded<Value: Decodable>(as type: Value.Type) throws -> Value {
        try JSONDecoder().decode(type, from: Data(utf8))
    }
}
