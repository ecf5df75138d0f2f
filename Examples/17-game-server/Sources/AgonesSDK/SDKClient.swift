// SPDX-License-Identifier: Apache-2.0
// SDKClient: the REST interface of Agones' SDK server, which runs beside the game server on the same machine.
// Idea:   one function for each operation; nothing is tried again here, since only the caller knows what is still true by then.
// Owner:  any thread. The network's threads are the client's.

public import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

/// Speaks with the SDK server at `http://127.0.0.1:PORT`.
public struct SDKClient: Sendable {
    /// The SDK server's answer was another one than 200, or not what its interface says.
    public struct Failure: Error, Sendable, Hashable, CustomStringConvertible {
        /// What was asked, and what came back.
        public let description: String
    }

    private let base: String
    private let http: HTTPClient
    private static let patience: TimeAmount = .seconds(5)
    /// No record, and no answer, is longer.
    private static let mostBytes = 1 << 20

    /// - Parameter port: what the environment's `AGONES_SDK_HTTP_PORT` says.
    public init(port: UInt16, http: HTTPClient = .shared) {
        base = "http://127.0.0.1:\(port)"
        self.http = http
    }

    /// Players can be sent here.
    public func ready() async throws { try await send(.POST, "/ready", "{}") }

    /// The game server is well. To be said again within the period of its health settings.
    public func health() async throws { try await send(.POST, "/health", "{}") }

    /// It is in use, and must not be taken away.
    public func allocate() async throws { try await send(.POST, "/allocate", "{}") }

    /// It has ended, and can be taken away.
    public func shutdown() async throws { try await send(.POST, "/shutdown", "{}") }

    /// Sets the count of a counter that the fleet's template declares.
    public func setCount(_ count: Int, of counter: String) async throws {
        try await send(.PATCH, "/v1beta1/counters/\(counter)", #"{"count":"\#(count)"}"#)
    }

    /// The record as it is now.
    public func record() async throws -> GameServerRecord {
        let bytes = try await send(.GET, "/gameserver")
        return try Self.decode(GameServerRecord.self, Data(bytes.readableBytesView))
    }

    /// Calls `body` with the record as it is, and at each of its changes, until the connection ends or nothing has come for the client's read time-out.
    public func watch(_ body: (GameServerRecord) async -> Void) async throws {
        struct Event: Decodable { let result: GameServerRecord }
        // Without a deadline: a record may stay as it is for hours.
        let response = try await http.execute(
            HTTPClientRequest(url: base + "/watch/gameserver"), deadline: .distantFuture)
        guard response.status == .ok else { throw Failure(description: "/watch/gameserver: \(response.status)") }
        var rest: [UInt8] = []
        do {
            for try await piece in response.body {
                rest += piece.readableBytesView
                while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                    let line = Data(rest[..<end])
                    rest.removeSubrange(...end)
                    if !line.isEmpty { await body(try Self.decode(Event.self, line).result) }
                }
                guard rest.count <= Self.mostBytes else {
                    throw Failure(description: "/watch/gameserver: a record has more than \(Self.mostBytes) bytes")
                }
            }
        } catch let error as HTTPClientError where error == .readTimeout {}
    }

    @discardableResult
    private func send(_ method: HTTPMethod, _ path: String, _ body: String? = nil) async throws -> ByteBuffer {
        var request = HTTPClientRequest(url: base + path)
        request.method = method
        if let body {
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(ByteBuffer(string: body))
        }
        let response = try await http.execute(request, timeout: Self.patience)
        let answer = try await response.body.collect(upTo: Self.mostBytes)
        guard response.status == .ok else {
            throw Failure(description: "\(method) \(path): \(response.status): \(String(buffer: answer).prefix(200))")
        }
        return answer
    }

    private static func decode<Value: Decodable>(_ type: Value.Type, _ bytes: Data) throws -> Value {
        do { return try JSONDecoder().decode(type, from: bytes) } catch {
            throw Failure(description: "the record is not as expected: \(error)")
        }
    }
}
