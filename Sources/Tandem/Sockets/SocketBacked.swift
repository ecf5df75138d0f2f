// SPDX-License-Identifier: Apache-2.0
// SocketBacked: what all types that hold a socket have in common.
// Owner:  any thread.

/// A value that holds a ``GuestSocket``: a stream, a listener, a datagram socket.
public protocol SocketBacked: Sendable {
    /// The socket underneath.
    var socket: GuestSocket { get }
}

extension SocketBacked {
    /// Sets an option of the socket's.
    ///
    /// ```swift
    /// try udp.set(.broadcast, to: true)
    /// ```
    ///
    /// - Throws: `.socketFailed` with the kernel's error, `.socketClosed`.
    public func set<Value>(_ option: SocketOption<Value>, to value: Value) throws(GuestError) {
        try socket.set(option, to: value)
    }

    /// Reads an option of the socket's. Errors as ``set(_:to:)``.
    public func get<Value>(_ option: SocketOption<Value>) throws(GuestError) -> Value { try socket.get(option) }

    /// True once the socket was closed by this program.
    public var isClosed: Bool { socket.isClosed }
}

extension TCPListener: SocketBacked {
    /// The port on which this listens; if 0 was asked for, the one that the kernel has chosen.
    public var port: UInt16 { localAddress.port! }
}

extension UDPSocket: SocketBacked {
    /// The port of this end; if 0 was asked for, the one that the kernel has chosen.
    public var port: UInt16 { localAddress.port! }
}

extension UnixListener: SocketBacked {}
