// SPDX-License-Identifier: Apache-2.0
// StreamSequences: connections, chunks and lines as sequences.
// Idea:   each `next` of the consumer is a read from the kernel, and no task reads ahead of it. So a slow consumer
//         slows its peer down, and no memory fills up here. Iterators hold no bytes: what a read has brought after the
//         last line belongs to the stream (`ReadAhead`), where the next iterator or read finds it.
// Owner:  the consumer.

extension TCPListener {
    /// The connections, one after the other. Each is accepted when the consumer asks for it. The sequence ends when the
    /// listener is closed.
    public func connections(fileID: StaticString = #fileID, line: UInt = #line) -> Connections<TCPStream> {
        Connections(listener: socket, site: CallSite(fileID: fileID, line: line)) { TCPStream(accepted: $0) }
    }

    /// As ``connections(fileID:line:)``, without a place in reports: a property cannot ask who reads it.
    public var connections: Connections<TCPStream> {
        Connections(listener: socket, site: .unknown) { TCPStream(accepted: $0) }
    }
}

extension UnixListener {
    /// As ``TCPListener/connections(fileID:line:)``.
    public func connections(fileID: StaticString = #fileID, line: UInt = #line) -> Connections<UnixStream> {
        Connections(listener: socket, site: CallSite(fileID: fileID, line: line)) { UnixStream($0) }
    }

    /// As ``connections(fileID:line:)``, without a place in reports: a property cannot ask who reads it.
    public var connections: Connections<UnixStream> { Connections(listener: socket, site: .unknown) { UnixStream($0) } }
}

/// The connections of a listener. It throws what `accept` throws, except that closing the listener ends it.
public struct Connections<Stream: SocketStream>: AsyncSequence, Sendable {
    let listener: GuestSocket
    let site: CallSite
    let make: @Sendable (GuestSocket) -> Stream

    /// Accepts one connection at each call.
    public struct Iterator: AsyncIteratorProtocol {
        let connections: Connections

        /// The next connection; `nil` once the listener is closed.
        public mutating func next(isolation: isolated (any Actor)?) async throws -> Stream? {
            do {
                return connections.make(try await connections.listener.accept(connections.site))
            } catch let error as GuestError where error.code == .socketClosed {
                return nil
            }
        }
    }

    /// Begins with the next connection.
    public func makeAsyncIterator() -> Iterator { Iterator(connections: self) }
}

extension SocketStream {
    /// The bytes as they arrive, in arrays of at most `limit` bytes. The sequence ends when the stream ends.
    public func chunks(
        upTo limit: Int = 65_536, fileID: StaticString = #fileID, line: UInt = #line
    ) -> Chunks<Self> { Chunks(stream: self, limit: limit, site: CallSite(fileID: fileID, line: line)) }

    /// The lines of text that arrive, without their ends (LF or CRLF). When the stream ends, bytes after the end of the
    /// last line are the last element, and the sequence ends.
    ///
    /// The loop may be left at any time: the next line, or the bytes after the last one, are there for the next
    /// iterator, ``chunks(upTo:fileID:line:)`` or `read`. But these bytes are no longer in the kernel: code that waits
    /// for the descriptor itself, instead of reading the stream, gets no event for them.
    ///
    /// - Parameters:
    ///   - maximumLength: A longer line (its end is not counted) throws `.messageTooLong`, so that a peer cannot fill
    ///     the memory. Its bytes stay in the stream.
    ///   - fileID: The caller's file, for reports.
    ///   - line: The caller's line, for reports.
    public func lines(
        maximumLength: Int = 65_536, fileID: StaticString = #fileID, line: UInt = #line
    ) -> Lines<Self> {
        Lines(stream: self, maximumLength: maximumLength, site: CallSite(fileID: fileID, line: line))
    }

    /// Reads one line, as ``lines(maximumLength:fileID:line:)`` does; `nil` at the stream's end.
    public func readLine(
        maximumLength: Int = 65_536, fileID: StaticString = #fileID, line: UInt = #line
    ) async throws -> String? {
        try await socket.nextLine(maximumLength: maximumLength, CallSite(fileID: fileID, line: line))
    }

    /// As ``lines(maximumLength:fileID:line:)``, with at most 64 KiB a line, and without a place in reports: a property
    /// cannot ask who reads it.
    public var lines: Lines<Self> { Lines(stream: self, maximumLength: 65_536, site: .unknown) }

    /// As ``chunks(upTo:fileID:line:)``, with at most 64 KiB each, and without a place in reports: a property cannot
    /// ask who reads it.
    public var chunks: Chunks<Self> { Chunks(stream: self, limit: 65_536, site: .unknown) }
}

/// The bytes of a stream, as they arrive, in arrays.
public struct Chunks<Stream: SocketStream>: AsyncSequence, Sendable {
    let stream: Stream
    let limit: Int
    let site: CallSite

    /// Reads from call to call.
    public struct Iterator: AsyncIteratorProtocol {
        let chunks: Chunks

        /// The bytes that have arrived. Waits if there are none. Throws what the stream's reads throw.
        public mutating func next(isolation: isolated (any Actor)?) async throws -> [UInt8]? {
            let bytes = try await chunks.stream.socket.read(upTo: chunks.limit, chunks.site)
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
    let site: CallSite

    /// Reads from call to call. Keeps nothing of the stream.
    public struct Iterator: AsyncIteratorProtocol {
        let lines: Lines

        /// The next line. Throws what the stream's reads throw, and `.messageTooLong`.
        public mutating func next(isolation: isolated (any Actor)?) async throws -> String? {
            let socket = lines.stream.socket
            if let line = try socket.lineAtHand(maximumLength: lines.maximumLength) { return line }
            return try await socket.nextLine(maximumLength: lines.maximumLength, lines.site)
        }
    }

    /// Begins with what has not been read.
    public func makeAsyncIterator() -> Iterator { Iterator(lines: self) }
}

extension GuestSocket {
    /// Returns a line that needs no read, without the cost of an await. `nil`: call `nextLine`, which reads, and throws
    /// what there is to throw.
    fileprivate func lineAtHand(maximumLength: Int) throws(GuestError) -> String? {
        guard loop.takeUnit(), !Task.isCancelled, !isClosed, tryBegin(.readable) else { return nil }
        defer { end(.readable) }
        return readAhead.isEmpty ? nil : try readAhead.line(maximumLength: maximumLength)
    }

    fileprivate func nextLine(maximumLength: Int, _ site: CallSite) async throws -> String? {
        try await begin(.readable)
        defer { end(.readable) }
        while true {
            if isClosed { throw closedError }
            if let line = try readAhead.line(maximumLength: maximumLength) { return line }
            switch try readMore(upTo: 65_536) {
            case nil: try await wait(.readable, site)
            case 0: return try readAhead.rest(maximumLength: maximumLength)
            // A long line needs several reads, and each of them may be ready at once, so each takes a unit of the
            // task's budget.
            default: try await loop.checkpoint()
            }
        }
    }
}
