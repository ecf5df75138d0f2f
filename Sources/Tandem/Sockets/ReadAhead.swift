// SPDX-License-Identifier: Apache-2.0
// ReadAhead: bytes that were read from the kernel and that the program has not asked for yet.
// Idea:   a line, or a message of a given length, may need several reads, and one read may bring more than one line.
//         The bytes that are left over belong to the stream, and not to an iterator or a call, so that the next reader
//         gets them, however the last one ended.
// Owner:  the one task that reads from the socket, between `begin(.readable)` and `end(.readable)`.
// Breaks: bytes held by an iterator would be lost at `break`, and the next read would wait for bytes that have come
//         already.

import Glibc

/// Bytes in the order in which they arrived, which can be taken as bytes or as lines. Pure. Each byte is searched only
/// once for the end of a line.
struct ReadAhead {
    private var bytes: [UInt8] = []
    /// The index of the next byte, and the index up to which the end of a line has been searched for.
    private var start = 0
    private var searched = 0

    var isEmpty: Bool { start == bytes.count }
    var count: Int { bytes.count - start }

    mutating func append(_ more: [UInt8]) {
        if isEmpty {
            bytes = more
            searched = 0
        } else {
            bytes.removeFirst(start)
            bytes += more
            searched -= start
        }
        start = 0
    }

    /// Takes up to `limit` bytes. If the whole array is taken, it is not copied.
    mutating func take(upTo limit: Int) -> [UInt8] {
        guard start > 0 || limit < bytes.count else {
            defer { removeAll() }
            return bytes
        }
        let end = start + min(limit, count)
        defer { advance(to: end) }
        return Array(bytes[start..<end])
    }

    /// The number that the next `count` bytes encode, the most significant byte first. The caller has checked that they
    /// are there. They are not removed.
    func number(ofBytes count: Int) -> Int { bytes[start..<start + count].reduce(0) { $0 << 8 | Int($1) } }

    /// Removes `skipped` bytes, then takes `length` bytes. The caller has checked that all of them are there.
    mutating func take(_ length: Int, after skipped: Int) -> [UInt8] {
        let end = start + skipped + length
        defer { advance(to: end) }
        return Array(bytes[start + skipped..<end])
    }

    /// Moves as many bytes as fit to the beginning of `buffer`; returns how many.
    mutating func move(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let moved = min(buffer.count, count)
        bytes[start..<start + moved].withUnsafeBytes { buffer.copyMemory(from: $0) }
        advance(to: start + moved)
        return moved
    }

    /// Takes the next line, without its end (LF or CRLF). `nil` if the end of the line has not arrived.
    mutating func line(maximumLength: Int) throws(GuestError) -> String? {
        let end = bytes.withUnsafeBytes { bytes -> Int? in
            guard let first = bytes.baseAddress, searched < bytes.count else { return nil }
            return memchr(first + searched, Int32(UInt8(ascii: "\n")), bytes.count - searched)
                .map { UnsafeRawPointer($0) - first }
        }
        searched = end ?? bytes.count
        // A carriage return at the end of the bytes may be the first half of CRLF.
        let hasReturn = searched > start && bytes[searched - 1] == UInt8(ascii: "\r")
        let text = start..<(hasReturn ? searched - 1 : searched)
        if text.count > maximumLength { throw Self.tooLong(maximumLength) }
        guard let end else { return nil }
        defer { advance(to: end + 1) }
        return String(decoding: bytes[text], as: UTF8.self)
    }

    /// Takes the bytes after the end of the last line, when no more will come; `nil` if there are none.
    mutating func rest(maximumLength: Int) throws(GuestError) -> String? {
        if isEmpty { return nil }
        if count > maximumLength { throw Self.tooLong(maximumLength) }
        defer { removeAll() }
        return String(decoding: bytes[start...], as: UTF8.self)
    }

    /// Memory that is no longer needed is released at once, because most connections are idle most of the time.
    private mutating func advance(to end: Int) {
        if end == bytes.count { return removeAll() }
        start = end
        searched = max(searched, end)
    }

    private mutating func removeAll() { self = ReadAhead() }

    private static func tooLong(_ maximumLength: Int) -> GuestError {
        GuestError(
            .messageTooLong,
            "a line has more than \(maximumLength) bytes; raise maximumLength, or end the connection with such a peer")
    }
}
