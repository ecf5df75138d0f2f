// SPDX-License-Identifier: Apache-2.0
// StreamSequences: connections, chunks and lines as sequences.
// Idea:   the consumer's `next` is the read: nothing is read ahead of it, so that a slow consumer slows its peer down and not this
//         machine's memory up.
// Owner:  the consumer. The bytes that a lines iterator has read beyond the last line are its own: go on with the same one.

import Glibc

extension TCPListener {
    /// The connections, one after the other, each accepted when the consumer asks for it; ends when the listener is closed.
    public var connections: Connections<TCPStream> { Connections(listener: socket) { TCPStream(accepted: $0) } }
}

extension UnixListener {
    /// As ``TCPListener/connections``.
    public var connections: Connections<UnixStream> { Connections(listener: socket) { UnixStream($0) } }
}

/// The connections of a listener. Throws what its `accept` throws, but for the listener's own close, which ends it.
public struct Connections<Stream: SocketStream>: AsyncSequence, Sendable {
    let listener: Socket
    let make: @Sendable (Socket) -> Stream

    /// Accepts from call to call.
    public struct Iterator: AsyncIteratorProtocol {
        let connections: Connections

        /// The next connection; `nil` once the listener is closed.
        public mutating func next(isolation: isolated (any Actor)?) async throws -> Stream? {
            do {
                return connections.make(try await connections.listener.accept(CallSite()))
            } catch let error as GuestError where error.code == .socketClosed {
                return nil
            }
        }
    }

    /// Begins with the next connection.
    public func makeAsyncIterator() -> Iterator { Iterator(connections: self) }
}

extension SocketStream {
    /// What arrives, as it arrives, in arrays of at most `limit` bytes; ends with the stream.
    public func chunks(upTo limit: Int = 65_536) -> Chunks<Self> { Chunks(stream: self, limit: limit) }

    /// The lines of text that arrive, without their ends (LF or CRLF); ends with the stream, after what came behind the last line's end.
    ///
    /// - Parameter maximumLength: A line of more bytes throws `.messageTooLong`, so that a peer cannot fill the memory.
    public func lines(maximumLength: Int = 65_536) -> Lines<Self> { Lines(stream: self, maximumLength: maximumLength) }

    /// As ``lines(maximumLength:)``, with at most 64 KiB a line.
    public var lines: Lines<Self> { lines() }

    /// As ``chunks(upTo:)``, with at most 64 KiB each.
    public var chunks: Chunks<Self> { chunks() }
}

/// The bytes of a stream, as they arrive.
public struct Chunks<Stream: SocketStream>: AsyncSequence, Sendable {
    let stream: Stream
    let limit: Int

    /// Reads from call to call.
    public struct Iterator: AsyncIteratorProtocol {
        let chunks: Chunks

        /// What has arrived; waits if that is nothing. Throws what the stream's reads throw.
        public mutating func next(isolation: isolated (any Actor)?) async throws -> [UInt8]? {
            let bytes = try await chunks.stream.read(upTo: chunks.limit)
            return bytes.isEmpty ? nil : bytes
        }
    }

    /// Begins with what has not been read.
    public func makeAsyncIterator() -> Iterator { Iterator(chunks: self) }
}

/// The lines of a stream.
public struct Lines<Stream: SocketStream>: AsyncSequence, Sendable {
    let stream: Stream
    let maximumLength: Int

    /// Reads from call to call, and keeps what it has read beyond the line's end.
    public struct Iterator: AsyncIteratorProtocol {
        let lines: Lines
        private var splitter: LineSplitter
        private var hasEnded = false

        init(_ lines: Lines) {
            self.lines = lines
            splitter = LineSplitter(maximumLength: lines.maximumLength)
        }

        /// The next line. Throws what the stream's reads throw, and `.messageTooLong`.
        public mutating func next(isolation: isolated (any Actor)?) async throws -> String? {
            while true {
                if let line = try splitter.next() { return line }
                if hasEnded { return splitter.rest() }
                let bytes = try await lines.stream.read(upTo: 65_536)
                if bytes.isEmpty { hasEnded = true } else { splitter.append(bytes) }
            }
        }
    }

    /// Begins with what has not been read.
    public func makeAsyncIterator() -> Iterator { Iterator(self) }
}

/// Cuts bytes into lines. Pure; each byte is looked at once.
struct LineSplitter {
    let maximumLength: Int
    private var bytes: [UInt8] = []
    /// Where the next line begins, and how far has been looked for its end.
    private var start = 0
    private var searched = 0

    init(maximumLength: Int) { self.maximumLength = maximumLength }

    mutating func append(_ more: [UInt8]) {
        if start == bytes.count {
            bytes = more
        } else {
            bytes.removeFirst(start)
            bytes += more
        }
        searched -= start
        start = 0
    }

    mutating func next() throws(GuestError) -> String? {
        let end = bytes[searched...].firstIndex(of: UInt8(ascii: "\n"))
        searched = end ?? bytes.count
        guard searched - start <= maximumLength + 1 else {
            throw GuestError(
                .messageTooLong,
                "a line has more than \(maximumLength) bytes; raise maximumLength, or end the connection with such a peer"
            )
        }
        guard let end else { return nil }
        defer {
            start = end + 1
            searched = start
        }
        return text(to: end)
    }

    /// What came after the last line's end; `nil` if that is nothing.
    mutating func rest() -> String? {
        guard start < bytes.count else { return nil }
        defer {
            start = bytes.count
            searched = start
        }
        return text(to: bytes.count)
    }

    private func text(to end: Int) -> String {
        let hasReturn = end > start && end < bytes.count && bytes[end - 1] == UInt8(ascii: "\r")
        return String(decoding: bytes[start..<(hasReturn ? end - 1 : end)], as: UTF8.self)
    }
}
