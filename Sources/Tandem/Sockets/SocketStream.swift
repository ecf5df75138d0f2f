// SPDX-License-Identifier: Apache-2.0
// SocketStream: reading and writing bytes, the same for TCP and Unix sockets.
// Idea:   bytes are read into, and written from, the caller's buffers. A read or write that need not wait is one system
//         call and allocates nothing.
// Owner:  any thread. A call on the UI thread stays on it.

import Glibc
import TandemCLinux

/// A connection that carries bytes both ways. One task may read while another writes.
public protocol SocketStream: SocketBacked {}

extension SocketStream {
    /// The other end.
    public var peerAddress: SocketAddress? { socket.peerAddress }
    /// This end; `nil` once closed.
    public var localAddress: SocketAddress? { socket.localAddress }

    /// Reads the bytes that are there, at most as many as fit. Waits only if there are none.
    ///
    /// - Returns: How many bytes were added to `buffer`; 0 at the stream's end, or if the buffer was full.
    /// - Throws: `.socketFailed` (`ECONNRESET`, say), `.socketClosed`, `.alreadyRegistered` if another task is reading,
    ///   `CancellationError`: then nothing was read.
    public func read(
        into buffer: inout OutputRawSpan, fileID: StaticString = #fileID, line: UInt = #line
    ) async throws -> Int {
        try await socket.begin(.readable)
        defer { socket.end(.readable) }
        while true {
            let count = try buffer.withUnsafeMutableBytes { bytes, initializedCount throws(GuestError) in
                let free = UnsafeMutableRawBufferPointer(rebasing: bytes[initializedCount...])
                let count = try socket.receive(into: free)
                initializedCount += count ?? 0
                return count
            }
            if let count { return count }
            try await socket.wait(.readable, CallSite(fileID: fileID, line: line))
        }
    }

    /// Reads into the beginning of `buffer`. As `read(into:)`.
    public func read(
        into buffer: inout MutableRawSpan, fileID: StaticString = #fileID, line: UInt = #line
    ) async throws -> Int {
        try await socket.begin(.readable)
        defer { socket.end(.readable) }
        while true {
            let count = try buffer.withUnsafeMutableBytes { bytes throws(GuestError) in try socket.receive(into: bytes)
            }
            if let count { return count }
            try await socket.wait(.readable, CallSite(fileID: fileID, line: line))
        }
    }

    /// Reads into the beginning of `buffer`, which stays allocated until this returns. As `read(into:)`.
    public func read(
        into buffer: UnsafeMutableRawBufferPointer, fileID: StaticString = #fileID, line: UInt = #line
    ) async throws -> Int {
        try await socket.begin(.readable)
        defer { socket.end(.readable) }
        while true {
            if let count = try socket.receive(into: buffer) { return count }
            try await socket.wait(.readable, CallSite(fileID: fileID, line: line))
        }
    }

    /// Reads what is there, at most `limit` bytes, into a new array; empty at the stream's end.
    public func read(
        upTo limit: Int = 65_536, fileID: StaticString = #fileID, line: UInt = #line
    ) async throws -> [UInt8] {
        require(limit > 0, "read(upTo:) was given \(limit); expected 1 or more")
        return try await socket.read(upTo: limit, CallSite(fileID: fileID, line: line))
    }

    /// Reads exactly `count` bytes. Memory is allocated for bytes that have arrived, not for those that are expected.
    ///
    /// - Parameters:
    ///   - count: How many; zero reads nothing.
    ///   - limit: The longest message that this program accepts, if `count` comes from the peer.
    ///   - fileID: The caller's file, for reports.
    ///   - line: The caller's line, for reports.
    /// - Throws: `.messageTooLong`, before anything is read, if `count` is negative or more than `limit`;
    ///   `.socketFailed` if the stream ends before; otherwise as `read(into:)`. Whatever it throws, the bytes that have
    ///   come stay in the stream for the next read.
    public func read(
        exactly count: Int, limit: Int = .max, fileID: StaticString = #fileID, line: UInt = #line
    ) async throws -> [UInt8] {
        guard count >= 0, count <= limit else {
            throw GuestError(
                .messageTooLong,
                "read(exactly:) was asked for \(count) bytes; expected 0 to \(limit). Raise the limit, or end the connection with such a peer"
            )
        }
        try await socket.begin(.readable)
        defer { socket.end(.readable) }
        try await socket.readAhead(count, atMost: count, CallSite(fileID: fileID, line: line))
        return try socket.takeReadAhead(upTo: count)
    }

    /// Writes all of `bytes`, in as many system calls as needed; returns when the kernel has taken the last byte.
    ///
    /// - Throws: `.socketFailed` (`EPIPE`, `ECONNRESET`; never a signal), `.socketClosed`, `.alreadyRegistered` if
    ///   another task is writing, `CancellationError`. A part may have been written then, and unless the protocol can
    ///   tell how much, the connection cannot be used any more.
    public func write(_ bytes: RawSpan, fileID: StaticString = #fileID, line: UInt = #line) async throws {
        try await socket.begin(.writable)
        defer { socket.end(.writable) }
        var rest = bytes
        while !rest.isEmpty {
            let count = try rest.withUnsafeBytes { bytes throws(GuestError) in try socket.send(bytes) }
            if let count {
                rest = rest.extracting(droppingFirst: count)
            } else {
                try await socket.wait(.writable, CallSite(fileID: fileID, line: line))
            }
        }
    }

    /// Writes all of `bytes`, which stay allocated until this returns. As `write(_:)`.
    public func write(
        _ bytes: UnsafeRawBufferPointer, fileID: StaticString = #fileID, line: UInt = #line
    ) async throws {
        try await write(bytes.bytes, fileID: fileID, line: line)
    }

    /// Writes all of `bytes`. As `write(_:)`.
    public func write(_ bytes: [UInt8], fileID: StaticString = #fileID, line: UInt = #line) async throws {
        try await write(bytes.span.bytes, fileID: fileID, line: line)
    }

    /// Writes `text` as UTF-8. As `write(_:)`.
    public func write(_ text: String, fileID: StaticString = #fileID, line: UInt = #line) async throws {
        try await write(text.utf8.span.bytes, fileID: fileID, line: line)
    }

    /// Writes what the kernel takes now, and waits only if it takes nothing.
    ///
    /// - Returns: How many bytes were written, at least 1 unless `bytes` is empty.
    public func writeSome(
        _ bytes: RawSpan, fileID: StaticString = #fileID, line: UInt = #line
    ) async throws -> Int {
        try await socket.begin(.writable)
        defer { socket.end(.writable) }
        while !bytes.isEmpty {
            let count = try bytes.withUnsafeBytes { bytes throws(GuestError) in try socket.send(bytes) }
            if let count { return count }
            try await socket.wait(.writable, CallSite(fileID: fileID, line: line))
        }
        return 0
    }

    /// Closes this end for writing: the peer's reads end, and this end can still read. What was written before still
    /// arrives.
    ///
    /// - Throws: `.socketFailed` (`ENOTCONN` if the peer is gone), `.socketClosed`.
    public func closeWrite() throws(GuestError) {
        try socket.closeForWriting()
    }

    /// Closes both ways. Tasks that wait on the stream get `.socketClosed`. Any thread; harmless when repeated.
    public func close() { socket.close() }
}

extension GuestSocket {
    // MARK: For the one task that reads, between `begin(.readable)` and `end(.readable)`

    func read(upTo limit: Int, _ site: CallSite) async throws -> [UInt8] {
        try await begin(.readable)
        defer { end(.readable) }
        while true {
            if let bytes = try receive(upTo: limit) { return bytes }
            try await wait(.readable, site)
        }
    }

    /// Reads until `count` bytes have been read ahead, `most` at the most.
    ///
    /// - Throws: `.socketFailed` if the stream ends before.
    func readAhead(_ count: Int, atMost most: Int, _ site: CallSite) async throws {
        while readAhead.count < count {
            guard let more = try readMore(upTo: most - readAhead.count) else {
                try await wait(.readable, site)
                continue
            }
            guard more > 0 else {
                throw GuestError(
                    .socketFailed,
                    "the stream ended after \(readAhead.count) bytes of \(count); the peer closed it early")
            }
            // A peer on this machine may fill the kernel's buffer as fast as it is read, so the loop takes units of the
            // task's budget.
            try await loop.checkpoint()
        }
    }

    /// Reads some bytes and drops them. Returns how many; 0 at the stream's end, `nil` if it would block.
    func discard() throws(GuestError) -> Int? {
        try withUnsafeTemporaryAllocation(byteCount: 16_384, alignment: 1) { buffer throws(GuestError) in
            try receive(into: buffer)
        }
    }

    /// Fills the beginning of `buffer` with bytes that were read ahead, or else from the kernel. `nil` if it would
    /// block.
    func receive(into buffer: UnsafeMutableRawBufferPointer) throws(GuestError) -> Int? {
        guard buffer.count > 0 else { return 0 }
        guard readAhead.isEmpty else {
            if isClosed { throw closedError }
            return readAhead.move(into: buffer)
        }
        return try receiveFromKernel(into: buffer)
    }

    /// As above, into a new array.
    func receive(upTo limit: Int) throws(GuestError) -> [UInt8]? {
        readAhead.isEmpty ? try receiveFromKernel(upTo: limit) : try takeReadAhead(upTo: limit)
    }

    /// Reads from the kernel and adds that to the bytes that were read ahead. Returns how many; 0 at the stream's end,
    /// `nil` if it would block.
    func readMore(upTo limit: Int) throws(GuestError) -> Int? {
        guard let bytes = try receiveFromKernel(upTo: limit) else { return nil }
        if !bytes.isEmpty { readAhead.append(bytes) }
        return bytes.count
    }

    func takeReadAhead(upTo limit: Int) throws(GuestError) -> [UInt8] {
        if isClosed { throw closedError }
        return readAhead.take(upTo: limit)
    }

    private func receiveFromKernel(into buffer: UnsafeMutableRawBufferPointer) throws(GuestError) -> Int? {
        try attemptToRead("read on the connection") { recv($0, buffer.baseAddress, buffer.count, 0) }
    }

    /// The array is allocated when there is something to read, and as large as that: thousands of idle connections need
    /// no buffers.
    private func receiveFromKernel(upTo limit: Int) throws(GuestError) -> [UInt8]? {
        var result: Int?
        let bytes = try [UInt8](unsafeUninitializedCapacity: min(limit, unreadHint(limit))) {
            buffer, count throws(GuestError) in
            result = try receiveFromKernel(into: UnsafeMutableRawBufferPointer(buffer))
            count = result ?? 0
        }
        return result == nil ? nil : bytes
    }

    /// The size of the array for a read: as many bytes as the kernel has, but not fewer than a small minimum.
    private func unreadHint(_ limit: Int) -> Int {
        guard limit > 4096 else { return limit }
        return max(512, Int((try? attempt { tandem_unread_bytes($0) }) ?? 0))
    }
}

extension GuestSocket {
    func closeForWriting() throws(GuestError) {
        _ = try attempt("close for writing the connection") { shutdown($0, Int32(SHUT_WR)) }
    }

    func send(_ bytes: UnsafeRawBufferPointer) throws(GuestError) -> Int? {
        try attempt("write on the connection") { Glibc.send($0, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL)) }
    }
}
