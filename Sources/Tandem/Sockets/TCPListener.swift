// SPDX-License-Identifier: Apache-2.0
// TCPListener: accepts TCP connections on a port.
// Owner:  any thread.

import Glibc

/// Listens for TCP connections.
///
/// ```swift
/// let listener = try TCPListener(on: loop, at: .loopback(port: 4000))
/// for try await stream in listener.connections() { serve(stream) }
/// ```
public struct TCPListener: Sendable {
    /// The socket underneath.
    public let socket: GuestSocket
    /// The address on which this listens. If port 0 was asked for, with the port that the kernel has chosen.
    public let localAddress: SocketAddress

    /// Binds and listens.
    ///
    /// - Parameters:
    ///   - loop: The loop on which its connections are awaited.
    ///   - address: Port 0 lets the kernel choose one; see ``localAddress``.
    ///   - backlog: How many connections the kernel keeps for `accept()`.
    ///   - reusePort: See ``SocketOption/reusePort``.
    ///   - ipv6Only: See ``SocketOption/ipv6Only``.
    /// - Throws: `.socketFailed` with the address and the kernel's error (`EADDRINUSE`, say).
    public init(
        on loop: GuestLoop, at address: SocketAddress, backlog: Int = 512, reusePort: Bool = false,
        ipv6Only: Bool = false
    ) throws(GuestError) {
        guard address.family != .unix else {
            throw GuestError(.addressFailed, "\(address) is a Unix address; use UnixListener")
        }
        socket = try GuestSocket(address.family, SOCK_STREAM, on: loop)
        try socket.set(.reuseAddress, to: true)
        if reusePort { try socket.set(.reusePort, to: true) }
        if address.family == .ipv6 { try socket.set(.ipv6Only, to: ipv6Only) }
        try socket.bind(address)
        try socket.listen(backlog: backlog)
        localAddress = socket.localAddress ?? address
    }

    /// Waits for the next connection. One task at a time.
    ///
    /// If no more than eight descriptors are free, which are reserved for the rest of the process, it tries again after
    /// growing pauses, and logs that.
    ///
    /// - Throws: `.socketClosed`, `.alreadyRegistered` if another task is accepting, `CancellationError`. In none of
    ///   these cases a connection is lost.
    public func accept(fileID: StaticString = #fileID, line: UInt = #line) async throws -> TCPStream {
        TCPStream(accepted: try await socket.accept(CallSite(fileID: fileID, line: line)))
    }

    /// Stops listening. A task in `accept()` gets `.socketClosed`. Accepted connections are not affected.
    public func close() { socket.close() }
}
