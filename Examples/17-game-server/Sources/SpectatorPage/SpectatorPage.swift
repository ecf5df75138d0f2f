// SPDX-License-Identifier: Apache-2.0
// SpectatorPage: what strangers may see of a game: a live view, and scores.
// Idea:   the game publishes, for which nobody is waited; spectators only watch, so that the live view is a stream of server-sent events and
//         nothing comes back.
// Owner:  any thread.

public import Hummingbird
import NIOCore
import Synchronization
import WebServing

/// The pages `/`, `/live` (server-sent events) and `/scores.json`.
public final class SpectatorPage: Sendable {
    private let audience: Audience
    private let scores = Mutex("{}")

    /// - Parameter spectators: so many live views at once; others are refused with 503.
    public init(spectators: Int = 128) { audience = Audience(limit: spectators) }

    /// How many look on.
    public var spectators: Int { audience.count }

    /// The views from now on, for somebody without a browser; `nil`: there are too many, or the page has closed.
    public func join() -> AsyncStream<String>? { audience.join() }

    /// Sends a view, which is JSON, to everybody who looks on. Waits for nobody.
    public func publish(view: String) { audience.publish(view) }

    /// The scores, as JSON, that are served from now on.
    public func publish(scores text: String) { scores.withLock { $0 = text } }

    /// Ends the live views, when what waits has been sent.
    public func close() { audience.close() }

    /// What a `WebService` serves.
    public var router: Router<BasicRequestContext> {
        let router = Router()
        router.get("/") { _, _ in page("text/html; charset=utf-8", spectatorHTML) }
        router.get("/spectator.js") { _, _ in page("text/javascript; charset=utf-8", spectatorScript) }
        router.get("/scores.json") { [self] _, _ in page("application/json", scores.withLock { $0 }) }
        router.get("/live") { [self] request, _ in
            try audience.liveView(for: request)
        }
        return router
    }
}

private func page(_ type: String, _ text: String) -> Response {
    Response(
        status: .ok,
        headers: [
            .contentType: type, .cacheControl: "no-store", .xContentTypeOptions: "nosniff",
            // Names come from players: whatever they are, nothing of the page's is run or fetched for them.
            .contentSecurityPolicy:
                "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; img-src data:",
        ],
        body: .init(byteBuffer: ByteBuffer(string: text)))
}
