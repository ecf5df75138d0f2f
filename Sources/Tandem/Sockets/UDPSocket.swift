// SPDX-License-Identifier: Apache-2.0
// UDPSocket: sends and receives datagrams, one at a time.
// Idea:   a datagram arrives as a whole or not at all. It may be empty. If the buffer is too small it is cut, and the
//         result says so.
// Owner:  any thread; one task receives at a time.

import Glibc
import TandemCLinux

/// Sends and receives datagrams.
///
/// ```swift
/// let socket = try UDPSocket(on: loop, at: .any(.ipv4, port: 5000))
/// let datagram = try await socket.receive()
/// if let sender = datagram.sender { try await socket.send("pong", to: sender) }
/// ```
public struct UDPSocket: Sendable {
    /// The socket underneath.
    public let socket: GuestSocket
    /// This end's address, with the port that the kernel chose.
    public let localAddress: SocketAddress

    /// Binds to `address`; port 0 lets the kernel choose one.
    ///
    /// - Parameters:
    ///   - loop: The loop on which its datagrams are awaited.
    ///   - address: By default any address and port.
    ///   - reuseAddress: Several sockets may bind the address, as multicast receivers do. See
    ///     ``SocketOption/reuseAddress``.
    /// - Throws: `.addressFailed` for a Unix address, `.socketFailed` with what the kernel said.
    public init(
        on loop: GuestLoop, at address: SocketAddress = .any(.ipv4, port: 0), reuseAddress: Bool = false
    ) throws(GuestError) {
        socket = try Self.make(address, on: loop)
        if reuseAddress { try socket.set(.reuseAddress, to: true) }
        try socket.bind(address)
        localAddress = socket.localAddress ?? address
    }

    private init(_ socket: GuestSocket, localAddress: SocketAddress) {
        self.socket = socket
        self.localAddress = localAddress
    }

    /// Makes a socket that sends to `peer` only, and receives from `peer` only. Nothing is sent by this call.
    ///
    /// If no process has that port, a later operation throws `.socketFailed` with `ECONNREFUSED`, once for each
    /// datagram that was refused.
    public static func connected(to peer: SocketAddress, on loop: GuestLoop) throws(GuestError) -> UDPSocket {
        let socket = try make(peer, on: loop)
        let failure = try socket.attempt { fd in peer.withRaw { connect(fd, $0, $1) == 0 ? 0 : errno } }
        if failure != 0 { throw .socket("connect a datagram socket to", "\(peer)", failure) }
        return UDPSocket(socket, localAddress: socket.localAddress ?? .any(peer.family, port: 0))
    }

    private static func make(_ address: SocketAddress, on loop: GuestLoop) throws(GuestError) -> GuestSocket {
        guard address.family != .unix else {
            throw GuestError(.addressFailed, "\(address) is a Unix address; a UDPSocket takes IPv4 or IPv6")
        }
        let fd = tandem_socket(address.domain, Int32(SOCK_DGRAM.rawValue), 0)
        guard fd >= 0 else { throw .socket("make a datagram socket for", "\(address)", errno) }
        return GuestSocket(taking: fd, on: loop)
    }

    /// Closes the socket. A task in `receive(upTo:)` gets `.socketClosed`. Any thread; harmless when repeated.
    public func close() { socket.close() }
}

// MARK: - Receiving

extension UDPSocket {
    /// The properties of a datagram, without its bytes.
    public struct Arrival: Sendable, Hashable {
        /// How many of its bytes are in the buffer. 0 for an empty datagram, which is a datagram, too.
        public let count: Int
        /// How many bytes it had when it was sent.
        public let sentCount: Int
        /// Who sent it.
        public let sender: SocketAddress?
        /// Whether the buffer was too small. The rest of the datagram is lost.
        public var isTruncated: Bool { sentCount > count }
    }

    /// A datagram with its bytes.
    public struct Datagram: Sendable, Hashable {
        /// Its bytes, as many as fitted.
        public let bytes: [UInt8]
        /// Who sent it.
        public let sender: SocketAddress?
        /// Whether it was longer than the limit. The rest of it is lost.
        public let isTruncated: Bool
    }

    /// Waits for a datagram, and puts it into the beginning of `buffer`. Allocates nothing if one is there.
    ///
    /// - Throws: `.socketFailed`, `.socketClosed`, `.alreadyRegistered` if another task is receiving,
    ///   `CancellationError`: then no datagram was taken.
    public func receive(
        into buffer: inout MutableRawSpan, fileID: StaticString = #fileID, line: UInt = #line
    ) async throws -> Arrival {
        try await socket.begin(.readable)
        defer { socket.end(.readable) }
        while true {
            let arrival = try buffer.withUnsafeMutableBytes { bytes throws(GuestError) in try take(into: bytes) }
            if let arrival { return arrival }
            try await socket.wait(.readable, CallSite(fileID: fileID, line: line))
        }
    }

    /// Waits for a datagram of up to `limit` bytes; a longer one is cut. Errors as `receive(into:)`.
    public func receive(
        upTo limit: Int = 65_535, fileID: StaticString = #fileID, line: UInt = #line
    ) async throws -> Datagram {
        require(limit >= 0, "receive(upTo:) was given \(limit); expected 0 or more")
        return try await receive(upTo: limit, CallSite(fileID: fileID, line: line))
    }

    func receive(upTo limit: Int, _ site: CallSite) async throws -> Datagram {
        try await socket.begin(.readable)
        defer { socket.end(.readable) }
        while true {
            if let datagram = try take(upTo: min(limit, Self.largest)) { return datagram }
            try await socket.wait(.readable, site)
        }
    }

    /// More bytes than any datagram has, except for the jumbograms of IPv6.
    private static let largest = 65_535

    /// Receives into a temporary buffer that has room for every datagram, and copies from it. A buffer of the size of
    /// the next datagram, as the kernel gives it, could be too small: another datagram may be the next one by the time
    /// of the call. The temporary buffer is freed at once; the copy is as large as the datagram.
    private func take(upTo limit: Int) throws(GuestError) -> Datagram? {
        try withUnsafeTemporaryAllocation(byteCount: limit, alignment: 1) { buffer throws(GuestError) in
            guard let arrival = try take(into: buffer) else { return nil }
            return Datagram(
                bytes: Array(buffer[..<arrival.count]), sender: arrival.sender, isTruncated: arrival.isTruncated)
        }
    }

    private func take(into buffer: UnsafeMutableRawBufferPointer) throws(GuestError) -> Arrival? {
        var from = sockaddr_storage()
        var size: UInt32 = 0
        var isTruncated = false
        let count = try socket.attemptToRead("receive a datagram") {
            tandem_receive_datagram($0, buffer.baseAddress, buffer.count, &from, &size, &isTruncated)
        }
        guard let count else { return nil }
        return Arrival(
            count: min(count, buffer.count), sentCount: count, sender: SocketAddress(from, size: size))
    }
}

// MARK: - Sending

extension UDPSocket {
    /// Sends one datagram; waits only while the kernel's buffer is full.
    ///
    /// - Parameters:
    ///   - bytes: The datagram.
    ///   - peer: The receiver. `nil` for a socket that was made by ``connected(to:on:)``.
    ///   - fileID: The caller's file, for reports.
    ///   - line: The caller's line, for reports.
    /// - Throws: `.socketFailed` (`EMSGSIZE` for more bytes than the network path allows, 65,507 at most),
    ///   `.socketClosed`, `CancellationError`. Nothing was sent then.
    public func send(
        _ bytes: RawSpan, to peer: SocketAddress? = nil, fileID: StaticString = #fileID, line: UInt = #line
    ) async throws {
        try await socket.loop.checkpointInline()
        while try bytes.withUnsafeBytes({ bytes throws(GuestError) in try push(bytes, to: peer) }) == nil {
            try await socket.wait(.writable, CallSite(fileID: fileID, line: line))
        }
    }

    /// Sends one datagram. As `send(_:to:)`.
    public func send(
        _ bytes: [UInt8], to peer: SocketAddress? = nil, fileID: StaticString = #fileID, line: UInt = #line
    ) async throws {
        try await send(bytes.span.bytes, to: peer, fileID: fileID, line: line)
    }

    /// Sends `text` as UTF-8 in one datagram. As `send(_:to:)`.
    public func send(
        _ text: String, to peer: SocketAddress? = nil, fileID: StaticString = #fileID, line: UInt = #line
    ) async throws {
        try await send(text.utf8.span.bytes, to: peer, fileID: fileID, line: line)
    }

    /// Sends one datagram now or not at all. It never waits, so that it works in a cancelled task and in code that is
    /// not async: for the last message of a game that ends.
    ///
    /// - Returns: `false` if the kernel's buffer is full.
    /// - Throws: `.socketFailed`, `.socketClosed`: then nothing was sent.
    @discardableResult
    public func sendNow(_ bytes: RawSpan, to peer: SocketAddress? = nil) throws(GuestError) -> Bool {
        try bytes.withUnsafeBytes { bytes throws(GuestError) in try push(bytes, to: peer) } != nil
    }

    /// Sends one datagram now or not at all. As `sendNow(_:to:)`.
    @discardableResult
    public func sendNow(_ bytes: [UInt8], to peer: SocketAddress? = nil) throws(GuestError) -> Bool {
        try sendNow(bytes.span.bytes, to: peer)
    }

    /// Sends `text` as UTF-8 in one datagram, now or not at all. As `sendNow(_:to:)`.
    @discardableResult
    public func sendNow(_ text: String, to peer: SocketAddress? = nil) throws(GuestError) -> Bool {
        try sendNow(text.utf8.span.bytes, to: peer)
    }

    private func push(_ bytes: UnsafeRawBufferPointer, to peer: SocketAddress?) throws(GuestError) -> Int? {
        let flags = Int32(MSG_NOSIGNAL)
        do throws(GuestError) {
            return try socket.attempt("send a datagram") { fd in
                guard let peer else { return Glibc.send(fd, bytes.baseAddress, bytes.count, flags) }
                return peer.withRaw { sendto(fd, bytes.baseAddress, bytes.count, flags, $0, $1) }
            }
        } catch {
            guard let number = error.errno else { throw error }
            throw .socket("send a datagram of \(bytes.count) bytes", peer.map { "to \($0)" } ?? "", number.rawValue)
        }
    }
}

// MARK: - Multicast

extension UDPSocket {
    /// Joins a multicast group, on the interface with the given number (0: the kernel chooses), until
    /// ``leave(_:interface:)`` or the end of the socket.
    ///
    /// - Throws: `.socketFailed`; with `EINVAL` if the address is not that of a group.
    public func join(_ group: SocketAddress, interface: UInt32 = 0) throws(GuestError) {
        try multicast(group, interface, joins: true)
    }

    /// Leaves a multicast group. As ``join(_:interface:)``.
    public func leave(_ group: SocketAddress, interface: UInt32 = 0) throws(GuestError) {
        try multicast(group, interface, joins: false)
    }

    private func multicast(_ group: SocketAddress, _ interface: UInt32, joins: Bool) throws(GuestError) {
        let failure = try socket.attempt { fd in
            group.withRaw { raw, _ in tandem_multicast(fd, raw, interface, joins) == 0 ? 0 : errno }
        }
        if failure != 0 { throw .socket("\(joins ? "join" : "leave") the multicast group", group.host, failure) }
    }

    /// The number of a network interface, for multicast and IPv6 scopes. `nil` if there is no interface of that name.
    public static func interface(named name: String) -> UInt32? {
        let index = if_nametoindex(name)
        return index == 0 ? nil : index
    }
}
