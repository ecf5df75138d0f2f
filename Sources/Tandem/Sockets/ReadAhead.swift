// SPDX-License-Identifier: Apache-2.0
// ReadAhead: bytes that were read from the kernel and not yet given to the program.
// Idea:   lines and messages of a given length need several reads, and a read brings more than one line. What is left over belongs to the
//         stream and not to an iterator or a call, so that whoever reads next gets it, however the last one ended.
// Owner:  the socket's one reader, between `begin(.readable)` and `end(.readable)`.
// Breaks: bytes that only an iterator knows are lost at `break`, and the next read waits for bytes that have come already.

import Glibc

/// Bytes in the order in which they arrived, to be taken as bytes or as lines. Pure; each byte is searched once for a line's end.
struct ReadAhead {
    private var bytes: [UInt8] = []
    /// Where the next byte is, and how far has been searched for a line's end.
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

    /// Takes up to `limit` bytes; without a copy if that is all, as it came.
    mutating func take(upTo limit: Int) -> [UInt8] {
        guard start > 0 || limit < bytes.count else {
            defer { removeAll() }
            return bytes
        }
        let end = start + min(limit, count)
        defer { advance(to: end) }
        return Array(bytes[start..<end])
    }

    /// The number that the next `count` bytes make, the most significant one first. They are there, and stay.
    func number(ofBytes count: Int) -> Int { bytes[start..<start + count].reduce(0) { $0 << 8 | Int($1) } }

    /// Takes `length` bytes after `skipped` others, which go. All of them are there.
    mutating func take(_ length: Int, after skipped: Int) -> [UInt8] {
        let end = start + skipped + length
        defer { advance(to: end) }
        return Array(bytes[start + skipped..<end])
    }

    /// Moves as much as fits to the beginning of `buffer`; returns how much.
    mutating func move(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let moved = min(buffer.count, count)
        bytes[start..<start + moved].withUnsafeBytes { buffer.copyMemory(from: $0) }
        advance(to: start + moved)
        return moved
    }

    /// Takes the next line, without its end (LF or CRLF); `nil` if its end has not come.
    mutating func line(maximumLength: Int) throws(GuestError) -> String? {
        let end = bytes.withUnsafeBytes { bytes -> Int? in
            guard let first = bytes.baseAddress, searched < bytes.count else { return nil }
            return memchr(first + searched, Int32(UInt8(ascii: "\n")), bytes.count - searched)
                .map { UnsafeRawPointer($0) - first }
        }
        searched = end ?? bytes.count
        // A return that came last may be the first half of the end.
        let hasReturn = searched > start && bytes[searched - 1] == UInt8(ascii: "\r")
        let text = start..<(hasReturn ? searched - 1 : searched)
        if text.count > maximumLength { throw Self.tooLong(maximumLength) }
        guard let end else { return nil }
        defer { advance(to: end + 1) }
        return String(decoding: bytes[text], as: UTF8.self)
    }

    /// Takes what came behind the last line's end, once no more will come; `nil` if that is nothing.
    mutating func rest(maximumLength: Int) throws(GuestError) -> String? {
        if isEmpty { return nil }
        if count > maximumLength { throw Self.tooLong(maximumLength) }
        defer { removeAll() }
        return String(decoding: bytes[start...], as: UTF8.self)
    }

    /// Memory that nobody needs goes at once: most connections are idle.
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
