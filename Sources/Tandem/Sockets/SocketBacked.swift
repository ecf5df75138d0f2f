// SPDX-License-Identifier: Apache-2.0
// SocketBacked: what everything with a socket in it has in common.
// Owner:  any thread.

/// A value around a ``Socket``: a stream, a listener, a datagram socket.
public protocol SocketBacked: Sendable {
    /// The socket underneath.
    var socket: Socket { get }
}

extension SocketBacked {
    /// Sets an option of the socket's.
    ///
    /// ```swift
    /// try udp.set(.broadcast, to: true)
    /// ```
    ///
    /// - Throws: `.socketFailed` with what the kernel said, `.socketClosed`.
    public func set<Value>(_ option: SocketOption<Value>, to value: Value) throws(GuestError) {
        try socket.set(option, to: value)
    }

    /// Reads an option of the socket's. Errors as ``set(_:to:)``.
    public func get<Value>(_ option: SocketOption<Value>) throws(GuestError) -> Value { try socket.get(option) }

    /// True once the socket was closed by this program.
    public var isClosed: Bool { socket.isClosed }
}

extension TCPListener: SocketBacked {
    /// The port that this listens at: the one that the kernel chose, if it was asked to.
    public var port: UInt16 { localAddress.port! }
}

extension UDPSocket: SocketBacked {
    /// This end's port: the one that the kernel chose, if it was asked to.
    public var port: UInt16 { localAddress.port! }
}

extension UnixListener: SocketBacked {}
