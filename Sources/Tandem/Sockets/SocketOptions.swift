// SPDX-License-Identifier: Apache-2.0
// SocketOptions: the options of a socket, as values of one type.
// Owner:  any thread; one system call each.

import Glibc
import SystemPackage
import TandemCLinux

/// A socket option whose value is a number or a yes or no. Others can be made from their level and name.
public struct SocketOption<Value: Sendable>: Sendable {
    let level: Int32
    let name: Int32
    let label: String
    let encode: @Sendable (Value) -> Int32
    let decode: @Sendable (Int32) -> Value
}

extension SocketOption where Value == Bool {
    /// An option that is on or off.
    public init(flag name: Int32, level: Int32, label: String) {
        self.init(level: level, name: name, label: label, encode: { $0 ? 1 : 0 }, decode: { $0 != 0 })
    }

    /// Small writes go out at once instead of being collected (Nagle). On for every ``TCPStream``: games send small
    /// messages.
    public static var noDelay: Self { Self(flag: TCP_NODELAY, level: Int32(IPPROTO_TCP), label: "noDelay") }
    /// A port may be bound again although old connections of it have not ended in the kernel. On for every
    /// ``TCPListener``.
    public static var reuseAddress: Self { Self(flag: SO_REUSEADDR, level: SOL_SOCKET, label: "reuseAddress") }
    /// Several sockets may bind the same port; the kernel distributes the connections among them.
    public static var reusePort: Self { Self(flag: SO_REUSEPORT, level: SOL_SOCKET, label: "reusePort") }
    /// The kernel asks now and then whether a silent peer is still there.
    public static var keepAlive: Self { Self(flag: SO_KEEPALIVE, level: SOL_SOCKET, label: "keepAlive") }
    /// Datagrams may go to broadcast addresses.
    public static var broadcast: Self { Self(flag: SO_BROADCAST, level: SOL_SOCKET, label: "broadcast") }
    /// An IPv6 socket accepts no IPv4 peers. Has to be set before binding.
    public static var ipv6Only: Self { Self(flag: IPV6_V6ONLY, level: Int32(IPPROTO_IPV6), label: "ipv6Only") }
    /// This machine's own multicast datagrams come back to it (IPv4). On unless switched off.
    public static var multicastLoop: Self {
        Self(flag: IP_MULTICAST_LOOP, level: Int32(IPPROTO_IP), label: "multicastLoop")
    }
}

extension SocketOption where Value == Int {
    /// An option with a number.
    public init(number name: Int32, level: Int32, label: String) {
        self.init(level: level, name: name, label: label, encode: { Int32(clamping: $0) }, decode: { Int($0) })
    }

    /// The size of the kernel's buffer for bytes to be sent. The kernel reserves twice what is asked for, and returns
    /// the double when read.
    public static var sendBufferSize: Self { Self(number: SO_SNDBUF, level: SOL_SOCKET, label: "sendBufferSize") }
    /// The size of the kernel's buffer for received bytes; doubled like ``sendBufferSize``.
    public static var receiveBufferSize: Self { Self(number: SO_RCVBUF, level: SOL_SOCKET, label: "receiveBufferSize") }
    /// How many routers an IPv4 multicast datagram may pass; 1 (this network only) unless set.
    public static var multicastTimeToLive: Self {
        Self(number: IP_MULTICAST_TTL, level: Int32(IPPROTO_IP), label: "multicastTimeToLive")
    }
}

extension GuestSocket {
    /// Sets an option.
    ///
    /// - Throws: `.socketFailed` with what the kernel said, `.socketClosed`.
    public func set<Value>(_ option: SocketOption<Value>, to value: Value) throws(GuestError) {
        var raw = option.encode(value)
        let size = socklen_t(MemoryLayout<Int32>.size)
        let failure = try attempt { setsockopt($0, option.level, option.name, &raw, size) == 0 ? 0 : errno }
        if failure != 0 { throw .socket("set \(option.label) to \(value) on the socket", "", failure) }
    }

    /// Reads an option. Errors as ``set(_:to:)``.
    public func get<Value>(_ option: SocketOption<Value>) throws(GuestError) -> Value {
        var raw: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        let failure = try attempt { getsockopt($0, option.level, option.name, &raw, &size) == 0 ? 0 : errno }
        if failure != 0 { throw .socket("read \(option.label) of the socket", "", failure) }
        return option.decode(raw)
    }

    /// Reads and clears the error that the kernel has stored for this socket; 0 for none.
    func takeError() throws(GuestError) -> Int32 {
        try get(SocketOption<Int>(number: SO_ERROR, level: SOL_SOCKET, label: "the pending error")).number
    }

    func bind(_ address: SocketAddress) throws(GuestError) {
        let failure = try attempt { fd in address.withRaw { Glibc.bind(fd, $0, $1) == 0 ? 0 : errno } }
        if failure != 0 { throw .socket("bind a socket to", "\(address)", failure) }
    }
}

extension Int {
    fileprivate var number: Int32 { Int32(self) }
}
