// SPDX-License-Identifier: Apache-2.0
// GuardedConnection: one client's connection, and the one to FlyingFox behind it.
// Idea:   one task reads what the client sends, judges it, and passes it on; another passes on what is answered. Neither reads before the other side
//         has taken what was read, so that a connection holds a bounded number of bytes, whoever does not read. FlyingFox is told of a client
//         with its first request.
// Owner:  an actor on the loop's thread.
// Breaks: a byte that is passed on unread: then FlyingFox's limits hold, and it has none.

import Tandem

actor GuardedConnection {
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private let loop: GuestLoop
    private let limits: LocalHTTPServer.Limits
    private let client: TCPStream
    private let path: String
    /// Whether FlyingFox's first answer is that the WebSocket is open. Later answers do not count, and are not kept.
    private let upgrade = AsyncStream.makeStream(of: Bool.self, bufferingPolicy: .bufferingOldest(1))
    private var lastAnswer: ContinuousClock.Instant

    init(_ client: TCPStream, on loop: GuestLoop, _ limits: LocalHTTPServer.Limits, to path: String) {
        self.loop = loop
        self.limits = limits
        self.client = client
        self.path = path
        lastAnswer = loop.now
        client.silenceLimit = limits.idle
    }

    /// Serves until either side has ended, and closes both. `onConnect` is called when FlyingFox is told of it.
    func serve(onConnect: @Sendable () async -> Void) async {
        guard let outbox = try? Outbox(client, capacity: 65_536, stallLimit: limits.stall) else {
            return client.close()
        }
        do {
            if let first = try await readHead() {
                let server = try await connect()
                defer { server.close() }
                await onConnect()
                try await relay(first, server, outbox)
            }
        } catch let refusal as Refusal {
            outbox.send(
                "HTTP/1.1 \(refusal.status)\r\nContent-Type: text/plain\r\nContent-Length: \(refusal.text.utf8.count + 1)\r\n"
                    + "Connection: close\r\n\r\n\(refusal.text)\n")
        } catch {
            // The client has gone, or has been silent for too long: there is nobody to tell.
        }
        // It closes the connection when the client has read the last answer; until that is written, it counts.
        outbox.finish()
        try? await outbox.flush()
    }

    private func connect() async throws -> UnixStream {
        do { return try await UnixStream.connect(to: path, on: loop) } catch let error as GuestError {
            guard error.errno == .connectionRefused else { throw error }
            throw Refusal(status: "503 Service Unavailable", text: "the server is starting again")
        }
    }

    private func relay(_ first: RequestHead, _ server: UnixStream, _ outbox: Outbox) async throws {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask { [self] in
                try await passRequests(first, to: server)
                return false
            }
            group.addTask { [self] in
                try await passAnswers(from: server, to: outbox)
                return true
            }
            defer { group.cancelAll() }
            // When the client has said its last, what it is answered still goes on.
            while let isOver = try await group.next(), !isOver {}
        }
    }

    private func passAnswers(from server: UnixStream, to outbox: Outbox) async throws {
        defer { upgrade.continuation.finish() }
        for try await bytes in server.chunks(upTo: 16_384) {
            upgrade.continuation.yield(bytes.starts(with: "HTTP/1.1 101".utf8))
            outbox.send(bytes)
            try await outbox.flush()
            lastAnswer = loop.now
        }
    }

    private func passRequests(_ first: RequestHead, to server: UnixStream) async throws {
        var next: RequestHead? = first
        var isFirst = true
        while let head = next {
            guard !head.isUpgrade || isFirst else {
                throw Refusal.malformed("a WebSocket is asked for by a connection's first request")
            }
            try await server.write(head.text)
            if head.isUpgrade {
                var answers = upgrade.stream.makeAsyncIterator()
                if await answers.next() == true { try await passFrames(to: server) }
                break
            }
            if head.bodyLength > 0 { try await server.write(try await readBody(head.bodyLength)) }
            next = try await readHead()
            isFirst = false
        }
        try server.closeWrite()
    }

    /// The next request's head; `nil` if the client has ended.
    private func readHead() async throws -> RequestHead? {
        guard let first = try await firstByte() else { return nil }
        return try await loop.withTimeout(limits.arrival) { [self] in
            guard let line = try await readLine() else {
                throw Refusal.malformed("the request ended in its first line")
            }
            var head = try RequestHead(String(decoding: [first], as: UTF8.self) + line, limits)
            while let line = try await readLine() {
                guard !line.isEmpty else {
                    try head.finish()
                    return head
                }
                try head.add(line)
            }
            throw Refusal.malformed("the request ended in its head")
        }
    }

    /// Waits for it for as long as the client says something, or is sent something, now and then.
    private func firstByte() async throws -> UInt8? {
        while true {
            do { return try await client.read(upTo: 1).first } catch let error as GuestError
                where error.code == .peerUnresponsive && loop.now - lastAnswer < limits.idle
            {}
        }
    }

    private func readLine() async throws -> String? {
        do { return try await client.readLine(maximumLength: limits.lineBytes) } catch let error as GuestError
            where error.code == .messageTooLong
        { throw Refusal.tooLong }
    }

    private func readBody(_ length: Int) async throws -> [UInt8] {
        try await loop.withTimeout(limits.arrival) { [self] in
            try await client.read(exactly: length, limit: limits.bodyBytes)
        }
    }

    /// WebSocket frames (RFC 6455, 5.2). Throws when the client has ended, or one is not as it should be: what is answered has no end of its own.
    private func passFrames(to server: UnixStream) async throws -> Never {
        // Whoever only watches says nothing; whoever has gone takes nothing.
        client.silenceLimit = nil
        var second = (start: loop.now, frames: 0)
        var message = 0
        while true {
            var frame = try await client.read(exactly: 2)
            let now = loop.now
            second = now - second.start < .seconds(1) ? (second.start, second.frames + 1) : (now, 1)
            // A client's frames are masked.
            guard frame[1] & 0x80 != 0, second.frames <= limits.framesPerSecond else { throw ForbiddenFrame() }
            var length = UInt64(frame[1] & 0x7F)
            if length >= 126 {
                let bytes = try await client.read(exactly: length == 126 ? 2 : 8)
                length = bytes.reduce(0) { $0 << 8 | UInt64($1) }
                frame += bytes
            }
            guard length <= limits.messageBytes else { throw ForbiddenFrame() }
            // A frame of control stands between those of a message, and is none of its own.
            if frame[0] & 0x08 == 0 {
                message += Int(length)
                guard message <= limits.messageBytes else { throw ForbiddenFrame() }
                if frame[0] & 0x80 != 0 { message = 0 }
            }
            frame += try await client.read(exactly: 4 + Int(length))
            try await server.write(frame)
        }
    }
}

/// Too long, too many, or not as a client may send it. There is no answer for it.
private struct ForbiddenFrame: Error {}
