// SPDX-License-Identifier: Apache-2.0
// Inspector: a page that shows what a loop does, served from inside the process.
// Idea:   the page asks twice a second. Only then is anything looked up, by a post to the loop's thread; frames are noted for as long as somebody asks.
//         So a game whose page nobody has open pays for a listening socket.
// Owner:  the loop's thread; requests are answered on Swift's own.

import FlyingFox
import Foundation
public import Tandem
import TandemFlyingFox

public import struct Logging.Logger

/// A page about a loop: the frames' graph, what waits and since when, scenes, slow callbacks, and the loop's figures. On this machine alone.
///
/// ```swift
/// let inspector = try Inspector(guest.loop)
/// ```
///
/// The log says at which address. It answers requests whose `Host` is a name of this machine and whose `Origin`, if there is one, is the page's own, with a
/// page and the same in JSON (`/state.json`); it changes nothing. It lists slow callbacks if the loop has a `Watchdog`.
///
/// A page that is open counts as somebody who waits for frames: a game that draws on demand draws all the time then.
public final class Inspector: @unchecked Sendable {
    // Safe to send: every `var` is used on the loop's thread only, which `snapshot` and the handlers are sent to.

    /// Where the page is. Any thread.
    public let url: String

    private let loop: GuestLoop
    private var run: GuestRun<Void>?
    private let frames = FrameNotes()
    private let start = ContinuousClock.now

    /// Begins to listen. On the loop's thread. It ends with the loop, or when nobody has it any more: keep it.
    ///
    /// - Parameters:
    ///   - port: 0 for any free one.
    ///   - logger: is told the address.
    /// - Throws: `.socketFailed` if the port is taken, with its address.
    public init(
        _ loop: GuestLoop, port: UInt16 = 0, logger: Logger = Logger(label: "tandem.inspector")
    ) throws(GuestError) {
        self.loop = loop
        var limits = LocalHTTPServer.Limits()
        limits.connections = 8
        let answers = Answers()
        let server = try LocalHTTPServer(
            on: loop, at: .loopback(port: port), limits: limits, handler: answers.routes)
        url = "http://\(server.localAddress)/"
        answers.inspector = self
        run = loop.run {
            try await server.run()
        } onDone: { result in
            if case .failure(let error) = result, !(error is CancellationError) {
                logger.error("the inspector has ended: \(error)")
            }
        }
        logger.notice("the inspector is at \(url)")
    }

    deinit { run?.cancel() }

    /// Ends the page. On the loop's thread. Calling it again does nothing.
    public func close() {
        frames.end()
        run?.cancel()
    }

    /// What the loop does at the moment. Any thread.
    func snapshot() async throws -> Snapshot {
        try await withCheckedThrowingContinuation { continuation in
            // A post that was accepted runs.
            do { try loop.post { continuation.resume(returning: self.take()) } } catch {
                continuation.resume(throwing: error)
            }
        }
    }

    /// On the loop's thread.
    private func take() -> Snapshot {
        frames.begin(loop)
        return Snapshot(loop, frames.history, since: start)
    }
}

/// The last frames, noted for as long as somebody asks. Used on the loop's thread.
private final class FrameNotes {
    /// Without a request for that long, nobody asks any more.
    private static let interest = Duration.seconds(3)
    private(set) var history = FrameHistory(capacity: 240)
    private var handle: FrameHandle?
    private var lastRequest = ContinuousClock.now

    /// Somebody asks.
    func begin(_ loop: GuestLoop) {
        lastRequest = .now
        guard handle == nil else { return }
        history.pause()
        handle = loop.everyFrame(in: .draw) { [unowned loop, self] frame in
            history.note(loop.statistics, at: frame.time)
            if lastRequest.duration(to: .now) > Self.interest { end() }
        }
    }

    func end() {
        handle?.cancel()
        handle = nil
    }
}

/// What is served.
private final class Answers: @unchecked Sendable {
    // Safe to send: written once, before the server runs.
    weak var inspector: Inspector?

    var routes: RoutedHTTPHandler {
        var routes = RoutedHTTPHandler()
        routes.appendRoute("GET /") { _ in
            HTTPResponse(
                statusCode: .ok,
                headers: [
                    .contentType: "text/html; charset=utf-8",
                    HTTPHeader("Content-Security-Policy"):
                        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'",
                ], body: Data(inspectorPage.utf8))
        }
        routes.appendRoute("GET /state.json") { [self] _ in
            guard let inspector else { return HTTPResponse(statusCode: .serviceUnavailable) }
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            return HTTPResponse(
                statusCode: .ok, headers: [.contentType: "application/json", .cacheControl: "no-store"],
                body: try encoder.encode(try await inspector.snapshot()))
        }
        return routes
    }
}
