// SPDX-License-Identifier: Apache-2.0
// TCPListener: a port that takes TCP connections.
// Owner:  any thread.

import Glibc

/// Listens for TCP connections.
///
/// ```swift
/// let listener = try TCPListener(on: loop, at: .loopback(port: 4000))
/// for try await stream in listener.connections { serve(stream) }
/// ```
public struct TCPListener: Sendable {
    /// The socket underneath.
    public let socket: Socket
    /// Where this listens; with the port that the kernel chose, if it was asked to.
    public let localAddress: SocketAddress

    /// Binds and listens.
    ///
    /// - Parameters:
    ///   - loop: The loop on which its connections are awaited.
    ///   - address: Port 0 lets the kernel choose one; see ``localAddress``.
    ///   - backlog: How many connections the kernel keeps for `accept()`.
    ///   - reusePort: See ``SocketOption/reusePort``.
    ///   - ipv6Only: See ``SocketOption/ipv6Only``.
    /// - Throws: `.socketFailed` with the address and what the kernel said (`EADDRINUSE`, say).
    public init(
        on loop: GuestLoop, at address: SocketAddress, backlog: Int = 512, reusePort: Bool = false,
        ipv6Only: Bool = false
    ) throws(GuestError) {
        guard address.family != .unix else {
            throw GuestError(.addressFailed, "\(address) is a Unix address; use UnixListener")
        }
        socket = try Socket(address.family, SOCK_STREAM, on: loop)
        try socket.set(.reuseAddress, to: true)
        if reusePort { try socket.set(.reusePort, to: true) }
        if address.family == .ipv6 { try socket.set(.ipv6Only, to: ipv6Only) }
        try socket.bind(address)
        try socket.listen(backlog: backlog)
        localAddress = socket.localAddress ?? address
    }

    /// Waits for the next connection. One task at a time.
    ///
    /// When no more than eight descriptors are left, which are for the rest of the process, it tries again in growing pauses, and the log says so.
    ///
    /// - Throws: `.socketClosed`, `.alreadyRegistered` if another task is accepting, `CancellationError`. No connection is lost by these.
    public func accept(fileID: StaticString = #fileID, line: UInt = #line) async throws -> TCPStream {
        TCPStream(accepted: try await socket.accept(CallSite(fileID: fileID, line: line)))
    }

    /// Stops listening. A task in `accept()` gets `.socketClosed`; connections that were accepted stay.
    public func close() { socket.close() }
}
