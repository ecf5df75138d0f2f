// SPDX-License-Identifier: Apache-2.0
// PublicPageTests: what strangers can do, and what they cannot.

import Foundation
import Hummingbird
import Synchronization
import Tandem
import Testing
import WebServing

@testable import PublicPage

@MainActor private final class Heard { var texts: [String] = [] }
private final class Flag: Sendable { let isSet = Atomic(false) }

@Suite(.serialized) @MainActor struct PublicPageTests {
    /// Serves the page on a loop of this thread, and runs `body` there as a client's side.
    private func serve(
        _ limits: PublicPage.Limits = .init(), cheer: @escaping @MainActor @Sendable (String) -> Void = { _ in },
        _ body: @escaping @MainActor (GuestLoop, PublicPage, UInt16) async throws -> Void
    ) throws {
        let host = try HeadlessHost()
        defer { host.close() }
        let loop = host.loop
        try loop.adoptMainActor()
        let page = PublicPage(on: loop, limits: limits, cheer: cheer)
        let ports = AsyncStream.makeStream(of: Int.self)
        let hasEnded = Flag()
        let server = Task.detached {
            defer {
                hasEnded.isSet.store(true, ordering: .releasing)
                try? loop.post {}
            }
            try await page.run(port: 0) { ports.continuation.yield($0) }
        }
        var outcome: Result<Void, any Error>?
        let run = loop.run {
            for await port in ports.stream { return try await body(loop, page, UInt16(port)) }
        } onDone: {
            outcome = $0
        }
        if !host.run(within: .seconds(60), until: { outcome != nil }) { run.cancel() }
        server.cancel()
        // Whoever is still connected.
        #expect(host.run(within: .seconds(20), until: { hasEnded.isSet.load(ordering: .acquiring) }))
        try #require(outcome).get()
    }

    /// Sends `request` on a connection of its own; gives everything that comes back until the connection ends or `limit` has passed.
    private func exchange(_ loop: GuestLoop, _ port: UInt16, _ request: String) async throws -> String {
        let stream = try await TCPStream.connect(to: .loopback(port: port), on: loop)
        defer { stream.close() }
        try? await stream.write(request)
        var answer: [UInt8] = []
        // A connection that is reset has ended, too.
        do { for try await chunk in stream.chunks() { answer += chunk } } catch is GuestError {}
        return String(decoding: answer, as: UTF8.self)
    }

    private func firstLine(_ loop: GuestLoop, _ port: UInt16, _ request: String) async throws -> String? {
        let stream = try await TCPStream.connect(to: .loopback(port: port), on: loop)
        defer { stream.close() }
        try await stream.write(request)
        for try await line in stream.lines { return line }
        return nil
    }

    private func request(_ line: String, _ fields: String = "", body: String = "") -> String {
        "\(line) HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\(fields)\r\n\(body)"
    }

    @Test func theStateIsServedAsItWasPublished() throws {
        try serve { loop, page, port in
            page.publish(#"{"frame": 7}"#)
            let answer = try await exchange(loop, port, request("GET /state"))
            #expect(answer.hasPrefix("HTTP/1.1 200"))
            #expect(answer.hasSuffix(#"{"frame": 7}"#))
            #expect(try await exchange(loop, port, request("GET /")).contains("EventSource"))
        }
    }

    @Test func aCheerArrivesOnTheLoopsThread() throws {
        let heard = Heard()
        let thread = pthread_self()
        try serve(cheer: {
            #expect(pthread_self() == thread)
            heard.texts.append($0)
        }) { loop, _, port in
            let answer = try await exchange(loop, port, request("POST /cheer", "Content-Length: 3\r\n", body: "bra"))
            #expect(answer.hasPrefix("HTTP/1.1 202"))
            while heard.texts.isEmpty { try await loop.sleep(for: .milliseconds(1)) }
        }
        #expect(heard.texts == ["bra"])
    }

    @Test func theLiveViewFollowsThePublishedStates() throws {
        try serve { loop, page, port in
            let stream = try await TCPStream.connect(to: .loopback(port: port), on: loop)
            defer { stream.close() }
            try await stream.write(request("GET /live"))
            let publishing = loop.run {
                for number in 1... {
                    page.publish("\(number)")
                    try await loop.sleep(for: .milliseconds(2))
                }
            }
            var numbers: [Int] = []
            for try await line in stream.lines where line.hasPrefix("data: ") {
                numbers.append(try #require(Int(line.dropFirst("data: ".count))))
                if numbers.count == 20 { break }
            }
            publishing.cancel()
            #expect(numbers == numbers.sorted())
            #expect(Set(numbers).count == 20)
        }
    }

    @Test func aSlowOnlookerMissesTheOldestStates() async {
        let audience = Audience(limit: 2)
        let slow = audience.join()!
        for number in 0..<100 { audience.publish("\(number)") }
        audience.close()
        var seen: [String] = []
        for await state in slow { seen.append(state) }
        #expect(seen == (92..<100).map(String.init))
        #expect(audience.count == 0)
    }

    /// A task that is cancelled leaves under a lock of Swift's runtime, which a task that is resumed needs as well.
    @Test func theGamesThreadAndOnlookersWhoAreCutOffDoNotWaitForEachOther() async throws {
        let audience = Audience(limit: 8)
        let (isOver, isDone) = (Flag(), Flag())
        Thread { while !isOver.isSet.load(ordering: .acquiring) { audience.publish("state") } }.start()
        Task.detached {
            for round in 0..<5000 {
                guard let states = audience.join() else { continue }
                let onlooker = Task { for await _ in states {} }
                if round % 2 == 0 { await Task.yield() }
                onlooker.cancel()
                await onlooker.value
            }
            isDone.isSet.store(true, ordering: .releasing)
        }
        let end = ContinuousClock.now + .seconds(60)
        while !isDone.isSet.load(ordering: .acquiring), .now < end { try await Task.sleep(for: .milliseconds(2)) }
        isOver.isSet.store(true, ordering: .releasing)
        let hasEnded = isDone.isSet.load(ordering: .acquiring)
        #expect(hasEnded)
    }

    @Test func oneOnlookerTooManyIsRefusedUntilAnotherLeaves() async {
        let audience = Audience(limit: 2)
        let first = Mutex(audience.join())
        let second = audience.join()
        #expect(audience.join() == nil)
        // An onlooker who is gone.
        first.withLock { $0 = nil }
        #expect(audience.join() != nil)
        _ = second
    }

    /// A game that stands still publishes nothing, so that no write fails by which one would notice.
    @Test func whoeverLeavesTheLiveViewFreesThePlaceAtOnce() throws {
        var limits = PublicPage.Limits()
        limits.onlookers = 1
        try serve(limits) { loop, _, port in
            for _ in 0..<5 {
                while try await firstLine(loop, port, request("GET /live")) != "HTTP/1.1 200 OK" {
                    try await loop.sleep(for: .milliseconds(2))
                }
            }
        }
    }

    @Test func theServerEndsWithItsTaskAlsoWhileSomebodyIsConnected() throws {
        let open = Mutex<[TCPStream]>([])
        try serve { loop, page, port in
            for beginning in ["", "GET /st", request("GET /live")] {
                let stream = try await TCPStream.connect(to: .loopback(port: port), on: loop)
                try await stream.write(beginning)
                open.withLock { $0.append(stream) }
            }
            page.publish("{}")
            // By now the server knows all of them.
            #expect(try await exchange(loop, port, request("GET /state")).contains("200"))
        }
        open.withLock { for stream in $0 { stream.close() } }
    }

    @Test func beyondTheLimitConnectionsWaitUntilOthersLeave() throws {
        var limits = PublicPage.Limits()
        limits.web.connections = 2
        try serve(limits) { loop, _, port in
            let question = "GET /state HTTP/1.1\r\nHost: test\r\n\r\n"
            var streams: [TCPStream] = []
            defer { for stream in streams { stream.close() } }
            for _ in 0..<3 {
                let stream = try await TCPStream.connect(to: .loopback(port: port), on: loop)
                streams.append(stream)
                try await stream.write(question)
                if streams.count < 3 { #expect(try await stream.readLine() == "HTTP/1.1 200 OK") }
            }
            // A hundred answers to somebody else later the third one has none.
            for _ in 0..<100 {
                try await streams[0].write(question)
                // A body has no end of line: the next answer follows it.
                while try await streams[0].readLine()?.hasSuffix("HTTP/1.1 200 OK") == false {}
            }
            let late = streams[2]
            await #expect(throws: TimeoutError.self) {
                try await loop.withTimeout(.milliseconds(1)) { try await late.readLine() }
            }
            streams[0].close()
            #expect(try await late.readLine() == "HTTP/1.1 200 OK")
        }
    }

    @Test func moreCheersThanTheGameCanTakeAreRefused() throws {
        let heard = Heard()
        try serve(cheer: { heard.texts.append($0) }) { loop, page, _ in
            for round in 1...2 {
                // The loop's thread is here, and takes nothing meanwhile.
                for number in 0..<64 { try page.pass("\(number)") }
                #expect(throws: HTTPError.self) { try page.pass("one too many") }
                while heard.texts.count < 64 * round { try await loop.sleep(for: .milliseconds(1)) }
            }
            #expect(!heard.texts.contains("one too many"))
        }
    }

    @Test func aHeadThatIsTooLongEndsTheConnection() throws {
        try serve { loop, _, port in
            let long = String(repeating: "x", count: 100_000)
            let answer = try await exchange(loop, port, "GET /state HTTP/1.1\r\nHost: test\r\nX-Long: \(long)\r\n\r\n")
            #expect(!answer.contains("200 OK"))
            #expect(try await exchange(loop, port, request("GET /state")).contains("200"))
        }
    }

    @Test func aBodyThatIsTooLongIsRefused() throws {
        try serve(cheer: { _ in Issue.record("it was taken") }) { loop, _, port in
            let long = String(repeating: "x", count: 2000)
            let told = try await exchange(loop, port, request("POST /cheer", "Content-Length: 2000\r\n", body: long))
            #expect(told.hasPrefix("HTTP/1.1 413") || told.isEmpty)
            // Who does not tell the length is asked to.
            let chunked = request("POST /cheer", "Transfer-Encoding: chunked\r\n", body: "3\r\nbra\r\n0\r\n\r\n")
            #expect(try await exchange(loop, port, chunked).hasPrefix("HTTP/1.1 411"))
        }
    }

    /// One that says nothing, one that says its head too slowly, one that stops in the body: each is closed by the server.
    @Test(arguments: ["", "GET /st", "POST /cheer HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nabc"])
    func whoeverTakesTooLongIsClosed(beginning: String) throws {
        var limits = PublicPage.Limits()
        limits.web.idle = .milliseconds(300)
        limits.web.patience = .milliseconds(300)
        try serve(limits) { loop, _, port in
            let answer = try await exchange(loop, port, beginning)
            #expect(!answer.contains("202"))
        }
    }

    /// A byte now and then is no head.
    @Test func aHeadThatTricklesIsClosed() throws {
        var limits = PublicPage.Limits()
        limits.web.idle = .milliseconds(300)
        try serve(limits) { loop, _, port in
            let stream = try await TCPStream.connect(to: .loopback(port: port), on: loop)
            defer { stream.close() }
            try await stream.write("GET /state HTTP/1.1\r\nX-Slow: ")
            await #expect(throws: GuestError.self) {
                while true {
                    try await stream.write("x")
                    try await loop.sleep(for: .milliseconds(20))
                }
            }
        }
    }

    @Test func anOnlookerThatNeverReadsIsClosed() throws {
        var limits = PublicPage.Limits()
        limits.web.patience = .milliseconds(300)
        limits.onlookers = 1
        try serve(limits) { loop, page, port in
            let stream = try await TCPStream.connect(to: .loopback(port: port), on: loop)
            defer { stream.close() }
            try await stream.write(request("GET /live"))
            let state = String(repeating: "x", count: 100_000)
            let publishing = loop.run {
                while true {
                    page.publish(state)
                    try await loop.sleep(for: .milliseconds(1))
                }
            }
            defer { publishing.cancel() }
            // The only place is free again, although this one has not closed its end.
            while try await firstLine(loop, port, request("GET /live")) != "HTTP/1.1 200 OK" {
                try await loop.sleep(for: .milliseconds(20))
            }
        }
    }
}
