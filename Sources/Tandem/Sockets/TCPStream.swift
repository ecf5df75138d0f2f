// SPDX-License-Identifier: Apache-2.0
// TCPStream: a TCP connection.
// Owner:  any thread.

import Glibc

/// A TCP connection. Small messages are sent at once (``SocketOption/noDelay``).
///
/// ```swift
/// let stream = try await TCPStream.connect(to: "localhost", port: 4000, on: loop)
/// try await stream.write("hello\n")
/// let answer = try await stream.read(upTo: 1024)
/// ```
public struct TCPStream: SocketStream {
    /// The socket underneath.
    public let socket: GuestSocket

    /// A stream on a socket that is connected.
    public init(_ socket: GuestSocket) { self.socket = socket }

    init(accepted socket: GuestSocket) {
        self.socket = socket
        // This fails only if the connection has ended already, which the first read reports better.
        try? socket.set(.noDelay, to: true)
    }

    /// Ends the connection with a reset: bytes that are not yet delivered are dropped, and the peer's calls fail with
    /// `ECONNRESET`.
    public func abort() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        _ = try? socket.attempt { setsockopt($0, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size)) }
        socket.close()
    }
}
