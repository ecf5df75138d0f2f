// SPDX-License-Identifier: Apache-2.0
// PublicPage: a page of the game for strangers.
// Idea:   the server has its own threads and its own limits, and whatever is sent to it costs them and not the frame. It meets the game in two places: the
//         game publishes its state, for which nobody is waited; and what onlookers send is posted to the loop, of which at most 64 posts
//         may be under way. Onlookers only look, so that the live view is a stream of server-sent events and no WebSocket.
// Owner:  any thread.

import Hummingbird
import NIOCore
import Synchronization
public import Tandem
public import WebServing

/// Serves a game's state to whoever asks: `GET /`, `GET /state`, `GET /live` (server-sent events), `POST /cheer`.
public final class PublicPage: Sendable {
    /// What a stranger can take of the page.
    public struct Limits: Sendable {
        /// Of its server, and of each connection.
        public var web = WebLimits()
        /// Live views; others are refused with 503.
        public var onlookers = 128

        /// The limits above.
        public init() {}
    }

    private let loop: GuestLoop
    private let limits: Limits
    private let audience: Audience
    private let latest = Mutex("{}")
    private let cheersUnderWay = Atomic<Int>(0)
    private let cheer: @MainActor @Sendable (String) -> Void

    /// - Parameter cheer: called on the loop's thread, in a tick, with what somebody has sent.
    public init(
        on loop: GuestLoop, limits: Limits = Limits(), cheer: @escaping @MainActor @Sendable (_ text: String) -> Void
    ) {
        self.loop = loop
        self.limits = limits
        self.cheer = cheer
        audience = Audience(limit: limits.onlookers)
    }

    /// The state, as JSON, that is served from now on. Waits for nobody; once a frame, say.
    public func publish(_ state: String) {
        latest.withLock { $0 = state }
        audience.publish(state)
    }

    /// Serves until the task is cancelled, or its group of services shuts down. Live views end then, and requests that are under way are answered.
    ///
    /// - Parameters:
    ///   - host: `127.0.0.1` for this machine, `0.0.0.0` for every interface of IPv4, `::` for both families.
    ///   - onListening: called with the port, on one of the server's threads.
    /// - Throws: what the system says, if the address is not to be had; `CancellationError` after a cancellation.
    public func run(
        host: String = "127.0.0.1", port: Int, onListening: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
    ) async throws {
        let service = WebService(
            routes(), address: host, port: port, limits: limits.web, farewell: nil,
            onShutdown: { [audience] in audience.close() }, onListening: onListening)
        try await service.run()
    }

    private func routes() -> Router<BasicRequestContext> {
        let router = Router()
        router.get("/") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "text/html; charset=utf-8"],
                body: .init(byteBuffer: .init(string: page)))
        }
        router.get("/state") { [self] _, _ in
            Response(
                status: .ok, headers: [.contentType: "application/json"],
                body: .init(byteBuffer: .init(string: latest.withLock { $0 })))
        }
        router.get("/live") { [self] request, _ in
            try audience.liveView(for: request)
        }
        router.post("/cheer") { [self] request, _ in try await take(request) }
        return router
    }

    private func take(_ request: Request) async throws -> HTTPResponse.Status {
        let length = request.headers[.contentLength].flatMap { Int($0) }
        guard let length else { throw HTTPError(.lengthRequired) }
        guard length <= limits.web.bodyBytes else { throw HTTPError(.contentTooLarge) }
        let text = String(buffer: try await request.body.collect(upTo: limits.web.bodyBytes))
        try pass(text)
        return .accepted
    }

    /// Posts `text` to the loop. Any thread.
    ///
    /// - Throws: `HTTPError`, if the game is slow or strangers are many: better refused than queued without end; or if it has ended.
    func pass(_ text: String) throws(HTTPError) {
        guard cheersUnderWay.add(1, ordering: .relaxed).newValue <= 64 else {
            cheersUnderWay.subtract(1, ordering: .relaxed)
            throw HTTPError(.tooManyRequests)
        }
        do {
            try loop.post { [self] in
                cheersUnderWay.subtract(1, ordering: .relaxed)
                MainActor.assumeIsolated { cheer(text) }
            }
        } catch {
            throw HTTPError(.serviceUnavailable)
        }
    }
}

private let page = """
    <!doctype html><meta charset="utf-8"><title>The game, live</title><pre id="state"></pre>
    <script>new EventSource("live").onmessage = event => { document.getElementById("state").textContent = event.data }</script>
    """
