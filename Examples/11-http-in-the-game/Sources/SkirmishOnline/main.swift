// SPDX-License-Identifier: Apache-2.0
// SkirmishOnline: the sample game's match without a window, for whoever speaks HTTP or WebSocket.
// Idea: one thread plays: it sleeps until a step is due or a socket is ready. Onlookers get each third step; who sends an order steers. For
// whoever is on this machine; strangers get a server with limits of its own (Examples/16-public-page).
//
//     curl localhost:8081/state
//     curl -d '{"x": 1, "fires": true}' localhost:8081/order
//     python3 -m websockets ws://localhost:8081/live
//
// --port N     listens there; 0 for any free one (default 8081)
// --seconds N  ends after that time; else Ctrl-C, SIGTERM or the end of the match does
// --seed N     another match (default 1)

import FlyingFox
import Foundation
import SkirmishMatch
import Tandem
import TandemFlyingFox

func option(_ name: String) -> Int? {
    CommandLine.arguments.firstIndex(of: name).flatMap { Int(CommandLine.arguments[$0 + 1]) }
}

/// Everybody who looks on.
@MainActor final class Audience {
    private var watchers: [UUID: AsyncStream<WSMessage>.Continuation] = [:]
    var isEmpty: Bool { watchers.isEmpty }

    func send(_ message: WSMessage) { for watcher in watchers.values { watcher.yield(message) } }

    /// Messages for one onlooker; who is slow misses the oldest ones.
    func join() -> (stream: AsyncStream<WSMessage>, continuation: AsyncStream<WSMessage>.Continuation) {
        let id = UUID()
        let line = AsyncStream.makeStream(of: WSMessage.self, bufferingPolicy: .bufferingNewest(8))
        watchers[id] = line.continuation
        line.continuation.onTermination = { _ in Task { @MainActor in self.watchers[id] = nil } }
        return line
    }

    func close() { for watcher in watchers.values { watcher.finish() } }
}

struct Live: WSMessageHandler {
    let match: HostedMatch
    let audience: Audience

    func makeMessages(for client: AsyncStream<WSMessage>) async throws -> AsyncStream<WSMessage> {
        let line = await audience.join()
        Task { @MainActor in
            // They may come faster than the match can take them: then they take turns with it.
            for await case .text(let text) in client.cooperative(on: host.loop) {
                do { match.steer(try decodeOrder(Data(text.utf8))) } catch {
                    line.continuation.yield(
                        .text(#"{"error": "expected an order such as {\"x\": 1, \"fires\": true}"}"#))
                }
            }
            line.continuation.finish()
        }
        return line.stream
    }
}

// The server's threads read and decode; what is decoded goes to the match.

/// What is far too long for an order is not decoded: that takes time, which is the match's.
nonisolated func decodeOrder(_ data: Data) throws -> MatchOrder {
    guard data.count <= 1024 else { throw CocoaError(.fileReadTooLarge) }
    return try JSONDecoder().decode(MatchOrder.self, from: data)
}

/// The body, and no more of it than an order can have.
nonisolated func orderBody(_ request: HTTPRequest) async throws -> Data {
    var data = Data()
    for try await piece in request.bodySequence where data.count <= 1024 { data.append(piece) }
    return data
}

@MainActor func json(_ match: HostedMatch) -> Data { (try? JSONEncoder().encode(match.state)) ?? Data() }

/// The match, with a message for each third step.
@MainActor func play() async throws {
    var steps = 0
    try await match.play {
        steps += 1
        if steps % 3 == 0, !audience.isEmpty { audience.send(.text(String(decoding: json(match), as: UTF8.self))) }
    }
}

let host = try HeadlessHost()
try host.loop.adoptMainActor()
let match = HostedMatch(on: host.loop, seed: UInt64(option("--seed") ?? 1), bots: 3)
let audience = Audience()
var exitCode: Int32 = 0
var routes = RoutedHTTPHandler()
routes.appendRoute("GET /state") { _ in
    await HTTPResponse(statusCode: .ok, headers: [.contentType: "application/json"], body: json(match))
}
routes.appendRoute("POST /order") { request in
    guard let order = try? decodeOrder(try await orderBody(request)) else {
        return HTTPResponse(statusCode: .badRequest, body: Data("expected {\"x\": 1, \"fires\": true}\n".utf8))
    }
    await match.steer(order)
    return HTTPResponse(statusCode: .noContent)
}
routes.appendRoute("GET /live", to: .webSocket(Live(match: match, audience: audience)))
let port = UInt16(clamping: option("--port") ?? 8081)
let server: LocalHTTPServer
do { server = try LocalHTTPServer(on: host.loop, at: .loopback(port: port), handler: routes) } catch {
    print("the server did not start: \(error)")
    exit(1)
}
try FileHandle.standardOutput.write(contentsOf: Data("listening on \(server.localAddress.port ?? 0)\n".utf8))

host.loop.run {
    try await server.run()
} onDone: { result in
    if case .failure(let error) = result, !(error is CancellationError) {
        print("the server ended: \(error)")
        exitCode = 1
    }
    host.stop()
}
host.loop.run {
    try await play()
} onDone: { _ in
    host.stop()
}
host.loop.run {
    for try await _ in try host.loop.signals(.interrupt, .terminate) { break }
} onDone: { _ in
    host.stop()
}
if let seconds = option("--seconds") { host.loop.callLater(.seconds(seconds)) { host.stop() } }

host.run()
print("step \(match.state.step), wave \(match.state.wave), \(match.state.score) points")
audience.close()
host.close()
// Whoever started this for its port is to know that it was not to be had.
exit(exitCode)
