// SPDX-License-Identifier: Apache-2.0
// Messages: messages on a stream, each preceded by its length.
// Idea:   a stream of bytes has no boundaries. The length in front says where a message ends, so that it may contain
//         any bytes. The length comes from the peer, so it is checked before any memory is allocated.
// Owner:  the consumer.

/// How many bytes the length of a message has. The most significant byte comes first ("network order").
public enum LengthPrefix: Int, Sendable, Hashable, CaseIterable {
    /// Messages of up to 255 bytes.
    case oneByte = 1
    /// Messages of up to 65,535 bytes.
    case twoBytes = 2
    /// Messages of up to 4,294,967,295 bytes.
    case fourBytes = 4

    /// The length of the longest possible message.
    public var largestMessage: Int { 1 << (8 * rawValue) - 1 }

    /// `length` as the bytes that are sent; `nil` if it does not fit.
    func bytes(for length: Int) -> [UInt8]? {
        guard length <= largestMessage else { return nil }
        return (0..<rawValue).reversed().map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }
    }
}

extension SocketStream {
    /// The messages that arrive, each preceded by its length. The sequence ends when the stream ends between two
    /// messages.
    ///
    /// ```swift
    /// for try await message in stream.messages(prefix: .twoBytes, maximumLength: 2000) { handle(message) }
    /// ```
    ///
    /// The loop may be left at any time: bytes that have come after the last message stay in the stream.
    ///
    /// - Parameters:
    ///   - prefix: How many bytes the length has.
    ///   - maximumLength: A longer message throws `.messageTooLong` before any memory is allocated for it. Its length
    ///     and its bytes stay in the stream, so that a sequence with a larger limit can read it.
    ///   - fileID: The caller's file, for reports.
    ///   - line: The caller's line, for reports.
    public func messages(
        prefix: LengthPrefix = .fourBytes, maximumLength: Int = 65_536, fileID: StaticString = #fileID,
        line: UInt = #line
    ) -> Messages<Self> {
        require(
            maximumLength >= 0, "messages(maximumLength:) was given \(maximumLength); expected 0 or more")
        return Messages(
            stream: self, prefix: prefix, maximumLength: maximumLength, site: CallSite(fileID: fileID, line: line))
    }

    /// Reads one message, as ``messages(prefix:maximumLength:fileID:line:)`` does; `nil` at the stream's end.
    public func readMessage(
        prefix: LengthPrefix = .fourBytes, maximumLength: Int = 65_536, fileID: StaticString = #fileID,
        line: UInt = #line
    ) async throws -> [UInt8]? {
        require(
            maximumLength >= 0, "readMessage(maximumLength:) was given \(maximumLength); expected 0 or more")
        return try await socket.nextMessage(prefix, maximumLength, CallSite(fileID: fileID, line: line))
    }

    /// Writes `message` with its length before it. As `write(_:)`.
    ///
    /// - Throws: `.messageTooLong`, before anything is written, if the length does not fit into the prefix; otherwise
    ///   as `write(_:)`.
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

    /// Reads one message at each call. It holds no bytes of the stream.
    public struct Iterator: AsyncIteratorProtocol {
        let messages: Messages

        /// The next message, which may be empty; `nil` at the stream's end. Throws what the stream's reads throw,
        /// `.messageTooLong`, and `.socketFailed` if the stream ends within a message.
        public mutating func next(isolation: isolated (any Actor)?) async throws -> [UInt8]? {
            try await messages.stream.socket.nextMessage(messages.prefix, messages.maximumLength, messages.site)
        }
    }

    /// The iterator begins with the first byte that has not been read.
    public func makeAsyncIterator() -> Iterator { Iterator(messages: self) }
}

extension GuestSocket {
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
