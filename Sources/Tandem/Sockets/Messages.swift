// SPDX-License-Identifier: Apache-2.0
// Messages: messages of bytes on a stream, each with its length before it.
// Idea:   a stream has no boundaries; the length says where a message ends, so that it may hold any bytes. It comes from the peer: it is looked at
//         before any memory is taken for it.
// Owner:  the consumer.

/// How many bytes say how long a message is; the most significant one comes first ("network order").
public enum LengthPrefix: Int, Sendable, Hashable, CaseIterable {
    /// Messages of up to 255 bytes.
    case oneByte = 1
    /// Messages of up to 65,535 bytes.
    case twoBytes = 2
    /// Messages of up to 4,294,967,295 bytes.
    case fourBytes = 4

    /// The longest message whose length can be told.
    public var largestMessage: Int { 1 << (8 * rawValue) - 1 }

    /// `length` as it goes over the network; `nil` if it does not fit.
    func bytes(for length: Int) -> [UInt8]? {
        guard length <= largestMessage else { return nil }
        return (0..<rawValue).reversed().map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }
    }
}

extension SocketStream {
    /// The messages that arrive, each with its length before it; ends with the stream, between two messages.
    ///
    /// ```swift
    /// for try await message in stream.messages(prefix: .twoBytes, maximumLength: 2000) { handle(message) }
    /// ```
    ///
    /// Leave it whenever you like: the stream keeps what has come beyond the last message.
    ///
    /// - Parameters:
    ///   - prefix: How the length is told.
    ///   - maximumLength: A longer message throws `.messageTooLong` before any memory is taken for it. Its length and its bytes stay in the stream: a
    ///     sequence with a larger limit goes on with it.
    ///   - fileID: The caller's file, for reports.
    ///   - line: The caller's line, for reports.
    public func messages(
        prefix: LengthPrefix = .fourBytes, maximumLength: Int = 65_536, fileID: StaticString = #fileID,
        line: UInt = #line
    ) -> Messages<Self> {
        precondition(
            maximumLength >= 0, "messages(maximumLength:) was given \(maximumLength); expected 0 or more")
        return Messages(
            stream: self, prefix: prefix, maximumLength: maximumLength, site: CallSite(fileID: fileID, line: line))
    }

    /// Reads one message, as ``messages(prefix:maximumLength:fileID:line:)`` does; `nil` at the stream's end.
    public func readMessage(
        prefix: LengthPrefix = .fourBytes, maximumLength: Int = 65_536, fileID: StaticString = #fileID,
        line: UInt = #line
    ) async throws -> [UInt8]? {
        precondition(
            maximumLength >= 0, "readMessage(maximumLength:) was given \(maximumLength); expected 0 or more")
        return try await socket.nextMessage(prefix, maximumLength, CallSite(fileID: fileID, line: line))
    }

    /// Writes `message` with its length before it. As `write(_:)`.
    ///
    /// - Throws: `.messageTooLong`, before anything is written, if the prefix cannot tell its length; otherwise as `write(_:)`.
    public func write(
        message: [UInt8], prefix: LengthPrefix = .fourBytes, fileID: StaticString = #fileID, line: UInt = #line
    ) async throws {
        guard let head = prefix.bytes(for: message.count) else {
            throw GuestError(
                .messageTooLong,
                "a message of \(message.count) bytes was given a prefix that tells at most \(prefix.largestMessage); take a longer prefix"
            )
        }
        try await write(head + message, fileID: fileID, line: line)
    }
}

/// The messages of a stream. Made by ``SocketStream/messages(prefix:maximumLength:fileID:line:)``.
public struct Messages<Stream: SocketStream>: AsyncSequence, Sendable {
    let stream: Stream
    let prefix: LengthPrefix
    let maximumLength: Int
    let site: CallSite

    /// Reads from call to call. Keeps nothing of the stream.
    public struct Iterator: AsyncIteratorProtocol {
        let messages: Messages

        /// The next message, which may be empty; `nil` at the stream's end. Throws what the stream's reads throw, `.messageTooLong`, and
        /// `.socketFailed` if the stream ends within a message.
        public mutating func next(isolation: isolated (any Actor)?) async throws -> [UInt8]? {
            try await messages.stream.socket.nextMessage(messages.prefix, messages.maximumLength, messages.site)
        }
    }

    /// Begins with what has not been read.
    public func makeAsyncIterator() -> Iterator { Iterator(messages: self) }
}

extension Socket {
    fileprivate func nextMessage(
        _ prefix: LengthPrefix, _ maximumLength: Int, _ site: CallSite
    ) async throws -> [UInt8]? {
        try await begin(.readable)
        defer { end(.readable) }
        if isClosed { throw closedError }
        while readAhead.isEmpty {
            switch try readMore(upTo: 65_536) {
            case nil: try await wait(.readable, site)
            case 0: return nil
            default: break
            }
        }
        try await readAhead(prefix.rawValue, atMost: prefix.rawValue + maximumLength, site)
        let length = readAhead.number(ofBytes: prefix.rawValue)
        guard length <= maximumLength else {
            throw GuestError(
                .messageTooLong,
                "a message\(peerAddress.map { " from \($0)" } ?? "") has \(length) bytes; expected at most \(maximumLength). Raise maximumLength, or end the connection with such a peer"
            )
        }
        let size = prefix.rawValue + length
        try await readAhead(size, atMost: max(size, 65_536), site)
        if isClosed { throw closedError }
        return readAhead.take(length, after: prefix.rawValue)
    }
}
