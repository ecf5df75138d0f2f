// SPDX-License-Identifier: Apache-2.0
// SocketStream: reading and writing bytes, the same for TCP and Unix sockets.
// Idea:   bytes go from and to buffers of the caller; a read or write that need not wait is one system call and allocates nothing.
// Owner:  any thread; from the UI thread nothing leaves it.

import Glibc
import TandemCLinux

/// A connection that carries bytes both ways. One task may read while another writes.
public protocol SocketStream: SocketBacked {}

extension SocketStream {
    /// The other end.
    public var peerAddress: SocketAddress? { socket.peerAddress }
    /// This end; `nil` once closed.
    public var localAddress: SocketAddress? { socket.localAddress }

    /// Reads what is there, at most what fits; waits only if nothing is there.
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
        precondition(limit > 0, "read(upTo:) was given \(limit); expected 1 or more")
        return try await socket.read(upTo: limit, CallSite(fileID: fileID, line: line))
    }

    /// Reads exactly `count` bytes. Memory is taken for what has arrived, not for what is expected.
    ///
    /// - Parameters:
    ///   - count: How many; zero reads nothing.
    ///   - limit: The longest message that this program is ready to take, where `count` comes from the peer.
    ///   - fileID: The caller's file, for reports.
    ///   - line: The caller's line, for reports.
    /// - Throws: `.messageTooLong`, before anything is read, if `count` is negative or more than `limit`; `.socketFailed` if the stream ends
    ///   before; otherwise as `read(into:)`. Whatever it throws, the bytes that have come stay in the stream for the next read.
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

    /// Writes all of `bytes`, in as many pieces as the kernel takes; returns when it has taken the last.
    ///
    /// - Throws: `.socketFailed` (`EPIPE`, `ECONNRESET`; never a signal), `.socketClosed`, `.alreadyRegistered` if another task is writing,
    ///   `CancellationError`. A part may have been written then; the connection is of no use any more unless the protocol can tell.
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

    /// Half-close: the peer's reads end, this end still reads. What was written before still arrives.
    ///
    /// - Throws: `.socketFailed` (`ENOTCONN` if the peer is gone), `.socketClosed`.
    public func closeWrite() throws(GuestError) {
        try socket.closeForWriting()
    }

    /// Closes both ways. Tasks that wait on the stream get `.socketClosed`. Any thread; harmless when repeated.
    public func close() { socket.close() }
}

extension Socket {
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
            // A peer on this machine may fill the kernel's buffer as fast as it is read.
            try await loop.checkpoint()
        }
    }

    /// Reads some bytes and drops them: how many, 0 at the stream's end, `nil` for "not now".
    func discard() throws(GuestError) -> Int? {
        try withUnsafeTemporaryAllocation(byteCount: 16_384, alignment: 1) { buffer throws(GuestError) in
            try receive(into: buffer)
        }
    }

    /// Fills the beginning of `buffer` from what was read ahead, else from the kernel; `nil` for "not now".
    func receive(into buffer: UnsafeMutableRawBufferPointer) throws(GuestError) -> Int? {
        guard buffer.count > 0 else { return 0 }
        guard readAhead.isEmpty else {
            if isClosed { throw closedError }
            return readAhead.move(into: buffer)
        }
        return try receiveFromKernel(into: buffer)
    }

    /// The same in a new array.
    func receive(upTo limit: Int) throws(GuestError) -> [UInt8]? {
        readAhead.isEmpty ? try receiveFromKernel(upTo: limit) : try takeReadAhead(upTo: limit)
    }

    /// Adds what the kernel has to what was read ahead: how many bytes, 0 at the stream's end, `nil` for "not now".
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
        try attempt("read on the connection") { recv($0, buffer.baseAddress, buffer.count, 0) }
    }

    /// The array is made once there is something, and as large as that: thousands of idle connections need no thousands of buffers.
    private func receiveFromKernel(upTo limit: Int) throws(GuestError) -> [UInt8]? {
        var result: Int?
        let bytes = try [UInt8](unsafeUninitializedCapacity: min(limit, unreadHint(limit))) {
            buffer, count throws(GuestError) in
            result = try receiveFromKernel(into: UnsafeMutableRawBufferPointer(buffer))
            count = result ?? 0
        }
        return result == nil ? nil : bytes
    }

    /// How much an array has to hold for a read: what is there, at least a little.
    private func unreadHint(_ limit: Int) -> Int {
        guard limit > 4096 else { return limit }
        return max(512, Int((try? attempt { tandem_unread_bytes($0) }) ?? 0))
    }
}

extension Socket {
    func closeForWriting() throws(GuestError) {
        _ = try attempt("close for writing the connection") { shutdown($0, Int32(SHUT_WR)) }
    }

    func send(_ bytes: UnsafeRawBufferPointer) throws(GuestError) -> Int? {
        try attempt("write on the connection") { Glibc.send($0, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL)) }
    }
}
