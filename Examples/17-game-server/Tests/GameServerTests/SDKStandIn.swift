// SPDX-License-Identifier: Apache-2.0
// SDKStandIn: stands in for Agones' SDK server, as its published definition (sdk.proto, beta.proto) says that it answers.
// Idea:   it is stricter than the real one: an operation that does not exist, a body that is not what the operation takes, or an order that makes no sense is
//         written down, and a test that finds something there fails.

import Foundation
import Hummingbird
import NIOCore
import Synchronization
import WebServing

final class SDKStandIn: Sendable {
    struct State {
        var state = "Scheduled"
        var count = 0
        var capacity = 8
        var annotations: [String: String] = [:]
        var gamePort: UInt16?
        /// Operations in the order in which they came, without health.
        var calls: [String] = []
        var pings = 0
        var violations: [String] = []
        /// The next so many operations fail, as they do while it begins.
        var failures = 0
        var watchers: [AsyncStream<String>.Continuation] = []
    }

    private let kept = Mutex(State())

    var now: State { kept.withLock { $0 } }

    /// Changes the record, as the rest of Agones does, and tells who watches.
    func change(_ body: (inout State) -> Void) {
        kept.withLock { state in
            body(&state)
            let event = Self.event(state)
            for watcher in state.watchers { watcher.yield(event) }
        }
    }

    /// What an allocation does to a game server that is ready.
    func allocate(code: String, capacity: Int) {
        change { state in
            if state.state != "Ready" { state.violations.append("\(state.state) is not to be allocated") }
            (state.state, state.capacity) = ("Allocated", capacity)
            state.annotations["skirmish/code"] = code
        }
    }

    /// Answers at a port of its own while `body` runs.
    @MainActor func serve(_ body: @MainActor (UInt16) async throws -> Void) async throws {
        let (ports, line) = AsyncStream.makeStream(of: Int.self)
        let application = Application(
            responder: Responder(standIn: self), configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { line.yield($0.localAddress?.port ?? 0) })
        let running = Task.detached {
            defer { line.finish() }
            try await application.run()
        }
        var iterator = ports.makeAsyncIterator()
        let port = await iterator.next()
        let outcome: Result<Void, any Error>
        do { outcome = .success(try await body(UInt16(port ?? 0))) } catch { outcome = .failure(error) }
        for watcher in now.watchers { watcher.finish() }
        running.cancel()
        _ = await running.result
        try outcome.get()
    }

    // MARK: - Answers

    struct Responder: HTTPResponder {
        let standIn: SDKStandIn

        func respond(to request: Request, context: BasicRequestContext) async throws -> Response {
            let body = try await request.body.collect(upTo: 65_536)
            let type = request.headers[.contentType]
            return standIn.answer("\(request.method) \(request.uri.path)", type, Data(body.readableBytesView))
        }
    }

    private func answer(_ operation: String, _ type: String?, _ body: Data) -> Response {
        if kept.withLock({ state in
            defer { state.failures = max(0, state.failures - 1) }
            return state.failures > 0
        }) {
            return Self.failure(.serviceUnavailable, 14, "not yet")
        }
        switch operation {
        case "GET /gameserver": return kept.withLock { Self.response(Self.record($0)) }
        case "GET /watch/gameserver":
            let (events, watcher) = AsyncStream.makeStream(of: String.self)
            kept.withLock { state in
                watcher.yield(Self.event(state))
                state.watchers.append(watcher)
            }
            return Response(
                status: .ok, headers: [.contentType: "application/json"],
                body: .init(asyncSequence: events.map { ByteBuffer(string: $0 + "\n") }))
        default: break
        }
        guard let fields = Self.object(type, body) else {
            return violation(operation, .badRequest, 3, "the body is not an object of JSON, or does not say so")
        }
        if operation == "PATCH /v1beta1/counters/players" { return count(operation, fields) }
        guard fields.isEmpty else { return violation(operation, .badRequest, 3, "the message is empty by definition") }
        let (from, to): (Set<String>, String)
        switch operation {
        case "POST /ready": (from, to) = (["Scheduled", "Ready", "Allocated", "Reserved"], "Ready")
        case "POST /allocate": (from, to) = (["Ready", "Allocated", "Reserved"], "Allocated")
        case "POST /shutdown": (from, to) = (["Scheduled", "Ready", "Allocated", "Reserved"], "Shutdown")
        case "POST /health":
            return kept.withLock { state in
                state.pings += 1
                if state.state == "Shutdown" { state.violations.append("a ping after the shutdown") }
                return Self.response([:])
            }
        default: return violation(operation, .notFound, 5, "there is no such operation")
        }
        guard from.contains(now.state) else {
            return violation(operation, .badRequest, 9, "the game server is \(now.state)")
        }
        change { state in
            state.calls.append(operation)
            state.state = to
        }
        return Self.response([:])
    }

    private func count(_ operation: String, _ fields: [String: Any]) -> Response {
        guard Set(fields.keys) == ["count"], let text = fields["count"] as? String, let count = Int(text) else {
            return violation(operation, .badRequest, 3, "expected a count, as text")
        }
        guard (0...now.capacity).contains(count) else {
            return violation(operation, .badRequest, 11, "\(count) is not within 0 to \(now.capacity)")
        }
        change { state in
            state.calls.append("count \(count)")
            state.count = count
        }
        return Self.response(["name": "players", "count": text, "capacity": "\(now.capacity)"])
    }

    private func violation(_ operation: String, _ status: HTTPResponse.Status, _ code: Int, _ why: String) -> Response {
        kept.withLock { $0.violations.append("\(operation): \(why)") }
        return Self.failure(status, code, why)
    }

    // MARK: - JSON

    private static func object(_ type: String?, _ body: Data) -> [String: Any]? {
        guard type?.hasPrefix("application/json") == true else { return nil }
        return (try? JSONSerialization.jsonObject(with: body)) as? [String: Any]
    }

    private static func record(_ state: State) -> [String: Any] {
        var ports: [[String: Any]] = [["name": "page", "port": 7001]]
        if let port = state.gamePort {
            ports += [["name": "game-tcp", "port": Int(port)], ["name": "game-udp", "port": Int(port)]]
        }
        // 64-bit numbers are text.
        return [
            "object_meta": ["name": "skirmish-1", "namespace": "default", "annotations": state.annotations],
            "spec": ["health": ["period_seconds": 5, "failure_threshold": 3, "initial_delay_seconds": 5]],
            "status": [
                "state": state.state, "address": "127.0.0.1", "ports": ports,
                "counters": ["players": ["count": "\(state.count)", "capacity": "\(state.capacity)"]],
            ],
        ]
    }

    private static func event(_ state: State) -> String { text(["result": record(state)]) }

    private static func text(_ object: [String: Any]) -> String {
        // Safe to force: it is made of text, numbers, lists and dictionaries above.
        String(decoding: try! JSONSerialization.data(withJSONObject: object), as: UTF8.self)
    }

    private static func response(_ object: [String: Any], _ status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(string: text(object))))
    }

    private static func failure(_ status: HTTPResponse.Status, _ code: Int, _ message: String) -> Response {
        response(["code": code, "message": message, "details": [String]()], status)
    }
}
