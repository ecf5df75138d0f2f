// SPDX-License-Identifier: Apache-2.0
// PageTests: what spectators see, and what strangers can do.

import Foundation
import SkirmishNetwork
import SkirmishServer
import SpectatorPage
import Tandem
import Testing
import WebServing

/// A view, as far as a test looks at it.
struct Seen: Decodable {
    let step: Int
    let standing: Standing
}

extension MainLoop {
    @Suite @MainActor struct PageTests {
        private func serve(
            _ page: SpectatorPage, _ limits: WebLimits = WebLimits(), _ body: @MainActor (UInt16) async throws -> Void
        ) async throws {
            try await GameServerTests.serve(
                { listening in
                    WebService(page.router, limits: limits, onShutdown: { page.close() }, onListening: listening)
                }, body)
        }

        /// The views of a live page, one after the other; `nil` when it has ended.
        private func watch(_ loop: GuestLoop, _ port: UInt16) async throws -> TCPStream {
            let stream = try await TCPStream.connect(to: .loopback(port: port), on: loop)
            try await stream.write(request("GET /live"))
            return stream
        }

        private func status(_ loop: GuestLoop, _ port: UInt16, _ text: String) async throws -> String? {
            let stream = try await TCPStream.connect(to: .loopback(port: port), on: loop)
            defer { stream.close() }
            try await stream.write(text)
            return try await stream.readLine()
        }

        @Test func theLiveViewAndTheScoresFollowTheMatch() throws {
            try Table.open({ $0.hasExhibition = true }) { table in
                try await serve(table.server.page) { port in
                    let stream = try await watch(table.loop, port)
                    defer { stream.close() }
                    var steps: [Int] = []
                    for try await line in stream.lines where line.hasPrefix("data: ") {
                        let seen = try line.dropFirst("data: ".count).description.decoded(as: Seen.self)
                        if seen.standing.phase == "playing" { steps.append(seen.step) }
                        if steps.count == 20 { break }
                    }
                    #expect(steps == steps.sorted() && Set(steps).count == 20)
                    let answer = try await exchange(table.loop, port, request("GET /scores.json"))
                    let standing = try answer.content.decoded(as: Standing.self)
                    #expect(standing.match == 1)
                    #expect(standing.players.map(\.name) == ["Bot 0", "Bot 1"])
                    #expect(try await exchange(table.loop, port, request("GET /")).contains("<canvas"))
                    #expect(try await exchange(table.loop, port, request("GET /spectator.js")).contains("EventSource"))
                }
            }
        }

        @Test func aSlowSpectatorMissesTheOldestViews() async {
            let audience = Audience(limit: 2)
            let slow = audience.join()!
            for number in 0..<100 { audience.publish("\(number)") }
            audience.close()
            var seen: [String] = []
            for await view in slow { seen.append(view) }
            #expect(seen == (92..<100).map(String.init))
            #expect(audience.count == 0)
            #expect(audience.join() == nil)
        }

        @Test func oneSpectatorTooManyIsRefusedUntilAnotherLeaves() throws {
            try withLoop { loop in
                let page = SpectatorPage(spectators: 1)
                try await serve(page) { port in
                    let first = try await watch(loop, port)
                    #expect(try await first.readLine() == "HTTP/1.1 200 OK")
                    #expect(try await status(loop, port, request("GET /live")) == "HTTP/1.1 503 Service Unavailable")
                    // Nothing is published, so that no write fails by which one would notice that it has left.
                    first.close()
                    try await eventually(loop, "the place") { page.spectators == 0 }
                }
            }
        }

        @Test func aSpectatorThatNeverReadsIsClosed() throws {
            try withLoop { loop in
                var limits = WebLimits()
                limits.patience = .milliseconds(300)
                let page = SpectatorPage()
                try await serve(page, limits) { port in
                    let stream = try await watch(loop, port)
                    defer { stream.close() }
                    try await eventually(loop, "the spectator") { page.spectators == 1 }
                    let view = String(repeating: "x", count: 100_000)
                    // This end stays open.
                    try await eventually(loop, "its end") {
                        page.publish(view: view)
                        return page.spectators == 0
                    }
                }
            }
        }

        /// Nothing but the limits of length can end these connections; the requests never end.
        @Test(arguments: [
            "GET /scores.json HTTP/1.1\r\nHost: test\r\nX-Long: " + String(repeating: "x", count: 100_000),
            "GET /scores.json HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\n"
                + String(repeating: "x", count: 2000),
        ])
        func aHeadOrABodyThatIsTooLongEndsTheConnection(beginning: String) throws {
            try withLoop { loop in
                var limits = WebLimits()
                limits.idle = .seconds(3600)
                limits.patience = .seconds(3600)
                try await serve(SpectatorPage(), limits) { port in _ = try await exchange(loop, port, beginning) }
            }
        }

        /// One that says nothing, one that stops in its head, one that stops in the body: each is closed by the server.
        @Test(arguments: ["", "GET /sc", "GET /scores.json HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nabc"])
        func whoeverTakesTooLongIsClosed(beginning: String) throws {
            try withLoop { loop in
                var limits = WebLimits()
                limits.idle = .milliseconds(300)
                limits.patience = .milliseconds(300)
                try await serve(SpectatorPage(), limits) { port in _ = try await exchange(loop, port, beginning) }
            }
        }

        /// Each byte of a head comes in time, and the head never ends; likewise a body.
        @Test(arguments: [
            "GET /scores.json HTTP/1.1\r\nX-Long: ",
            "GET /scores.json HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000\r\n\r\n",
        ])
        func whoeverSendsByteByByteIsClosed(beginning: String) throws {
            try withLoop { loop in
                var limits = WebLimits()
                limits.idle = .milliseconds(300)
                limits.patience = .milliseconds(300)
                limits.bodyBytes = 1_000_000
                limits.headBytes = 1_000_000
                try await serve(SpectatorPage(), limits) { port in
                    let stream = try await TCPStream.connect(to: .loopback(port: port), on: loop)
                    let drip = Task {
                        try await stream.write(beginning)
                        while true {
                            try await stream.write("x")
                            try await loop.sleep(for: .milliseconds(20))
                        }
                    }
                    do { for try await _ in stream.chunks() {} } catch is GuestError {}
                    stream.close()
                    drip.cancel()
                    _ = await drip.result
                }
            }
        }

        @Test func beyondTheLimitConnectionsWaitUntilOthersLeave() throws {
            try withLoop { loop in
                var limits = WebLimits()
                limits.connections = 1
                try await serve(SpectatorPage(), limits) { port in
                    let question = "GET /scores.json HTTP/1.1\r\nHost: test\r\n\r\n"
                    let first = try await TCPStream.connect(to: .loopback(port: port), on: loop)
                    try await first.write(question)
                    #expect(try await first.readLine() == "HTTP/1.1 200 OK")
                    let second = try await TCPStream.connect(to: .loopback(port: port), on: loop)
                    defer { second.close() }
                    try await second.write(question)
                    // Twenty answers to somebody else later it has none.
                    for _ in 0..<20 {
                        try await first.write(question)
                        // The body before it has no end of line.
                        while try await first.readLine()?.hasSuffix("HTTP/1.1 200 OK") == false {}
                    }
                    await #expect(throws: TimeoutError.self) {
                        try await loop.withTimeout(.milliseconds(1)) { try await second.readLine() }
                    }
                    first.close()
                    #expect(try await second.readLine() == "HTTP/1.1 200 OK")
                }
            }
        }
    }
}
