// SPDX-License-Identifier: Apache-2.0
// SocketAddress: the address of a socket, in the kernel's form.
// Idea:   the kernel's own form is kept, so that a datagram's sender costs no conversion until somebody prints it.
// Owner:  a value.

import Glibc
import TandemCLinux

/// The address of a socket: IPv4, IPv6 (with its scope) or Unix.
public struct SocketAddress: Sendable {
    /// The kind of an address.
    public enum Family: Sendable, Hashable {
        /// IPv4.
        case ipv4
        /// IPv6.
        case ipv6
        /// A path or an abstract name on this machine.
        case unix
    }

    private(set) var storage: sockaddr_storage
    private(set) var size: socklen_t

    /// The address that a system call has written; `nil` if its family is none of these.
    init?(_ storage: sockaddr_storage, size: socklen_t) {
        guard size >= MemoryLayout<sa_family_t>.size, [AF_INET, AF_INET6, AF_UNIX].contains(Int32(storage.ss_family))
        else { return nil }
        self.storage = storage
        self.size = size
    }

    private init<Raw>(_ raw: Raw, size: Int = MemoryLayout<Raw>.size) {
        storage = sockaddr_storage()
        self.size = socklen_t(size)
        withUnsafeMutableBytes(of: &storage) { target in
            withUnsafeBytes(of: raw) { target.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0.prefix(size))) }
        }
    }

    func withRaw<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        // Safe: sockaddr_storage may be read as an address of any of these families.
        withUnsafePointer(to: storage) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, size) } }
    }

    private func read<Raw>(_: Raw.Type) -> Raw {
        // Safe: the family was checked, and the storage is larger than each of its forms and aligned for it.
        withUnsafeBytes(of: storage) { $0.load(as: Raw.self) }
    }

    /// The address's kind.
    public var family: Family {
        switch Int32(storage.ss_family) {
        case AF_INET: .ipv4
        case AF_INET6: .ipv6
        default: .unix
        }
    }

    var domain: Int32 { Int32(storage.ss_family) }
}

// MARK: - Internet addresses

extension SocketAddress {
    /// An IPv4 or IPv6 address in figures: `127.0.0.1`, `::1`, `fe80::1%eth0`, `[::1]`. Names are for
    /// ``resolve(host:port:on:fileID:line:)``.
    ///
    /// - Throws: `.addressFailed` if the text is no such address, or if the interface after `%` does not exist.
    public init(host: String, port: UInt16) throws(GuestError) {
        let bare = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
        // The C library's functions stop reading at a zero byte, and would take "127.0.0.1\0.example" for 127.0.0.1.
        guard !host.utf8.contains(0), host.utf8.count <= Self.longestHost else {
            throw GuestError(
                .addressFailed,
                "\(Self.quoted(host)) is no host: it has \(host.utf8.count) bytes; expected at most \(Self.longestHost), none of them zero"
            )
        }
        var ipv4 = sockaddr_in()
        if inet_pton(AF_INET, bare, &ipv4.sin_addr) == 1 {
            ipv4.sin_family = sa_family_t(AF_INET)
            ipv4.sin_port = port.bigEndian
            self.init(ipv4)
            return
        }
        let parts = bare.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
        var ipv6 = sockaddr_in6()
        guard inet_pton(AF_INET6, String(parts[0]), &ipv6.sin6_addr) == 1 else {
            throw GuestError(
                .addressFailed,
                "\(Self.quoted(host)) is no IPv4 or IPv6 address in figures; resolve a name with SocketAddress.resolve")
        }
        ipv6.sin6_family = sa_family_t(AF_INET6)
        ipv6.sin6_port = port.bigEndian
        if parts.count == 2 {
            let interface = String(parts[1])
            // Only digits are accepted: the initialiser of `UInt32` would accept a sign, too.
            let isNumber = interface.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            ipv6.sin6_scope_id = (isNumber ? UInt32(interface) : nil) ?? if_nametoindex(interface)
            guard ipv6.sin6_scope_id != 0 else {
                throw GuestError(
                    .addressFailed,
                    "\(Self.quoted(host)) names the interface \(Self.quoted(interface)), which this machine has not")
            }
        }
        self.init(ipv6)
    }

    /// The longest name that the domain name system has, and two for brackets. An address in figures with its interface
    /// is shorter.
    static let longestHost = 255
    /// How many characters of a text from outside an error message shows.
    private static let shownLength = 100

    /// A text from outside, made safe for an error message: in quotes, without control characters, and shortened.
    static func quoted(_ text: String) -> String {
        let shown = text.unicodeScalars.prefix(shownLength).map {
            $0.properties.generalCategory == .control ? "\u{FFFD}" : "\($0)"
        }
        return "\"\(shown.joined())\(text.unicodeScalars.count > shownLength ? "…" : "")\""
    }

    /// This machine only: 127.0.0.1, or ::1. Port 0 lets the kernel choose one.
    public static func loopback(_ family: Family = .ipv4, port: UInt16) -> SocketAddress {
        inet(family, any: INADDR_LOOPBACK, in6addr_loopback, port)
    }

    /// Every address of this machine: 0.0.0.0, or :: (both families, unless ``SocketOption/ipv6Only`` is set).
    public static func any(_ family: Family = .ipv6, port: UInt16) -> SocketAddress {
        inet(family, any: INADDR_ANY, in6addr_any, port)
    }

    private static func inet(_ family: Family, any: UInt32, _ any6: in6_addr, _ port: UInt16) -> SocketAddress {
        switch family {
        case .ipv4:
            var raw = sockaddr_in()
            raw.sin_family = sa_family_t(AF_INET)
            raw.sin_port = port.bigEndian
            raw.sin_addr.s_addr = any.bigEndian
            return SocketAddress(raw)
        case .ipv6:
            var raw = sockaddr_in6()
            raw.sin6_family = sa_family_t(AF_INET6)
            raw.sin6_port = port.bigEndian
            raw.sin6_addr = any6
            return SocketAddress(raw)
        case .unix: fatalError("a Unix address has no loopback; use SocketAddress.unix(path:)")
        }
    }

    /// The port, in the machine's byte order; `nil` for a Unix address.
    public var port: UInt16? {
        switch family {
        case .ipv4: UInt16(bigEndian: read(sockaddr_in.self).sin_port)
        case .ipv6: UInt16(bigEndian: read(sockaddr_in6.self).sin6_port)
        case .unix: nil
        }
    }

    /// The number of the interface to which an IPv6 link-local address belongs; 0 for none.
    public var scopeID: UInt32 { family == .ipv6 ? read(sockaddr_in6.self).sin6_scope_id : 0 }

    /// The address in figures, without its port; a Unix address's path. Allocates.
    public var host: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        switch family {
        case .ipv4:
            var address = read(sockaddr_in.self).sin_addr
            inet_ntop(AF_INET, &address, &text, socklen_t(text.count))
        case .ipv6:
            var address = read(sockaddr_in6.self).sin6_addr
            inet_ntop(AF_INET6, &address, &text, socklen_t(text.count))
        case .unix: return path ?? ""
        }
        let host = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return scopeID == 0 ? host : "\(host)%\(Self.interface(scopeID))"
    }

    private static func interface(_ index: UInt32) -> String {
        var name = [CChar](repeating: 0, count: Int(IF_NAMESIZE))
        guard if_indextoname(index, &name) != nil else { return "\(index)" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

// MARK: - Unix addresses

extension SocketAddress {
    private static let pathOffset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path)!
    /// How many bytes a path may have.
    private static let longestPath = MemoryLayout<sockaddr_un>.size - pathOffset - 1

    /// The address of a Unix socket. A path that begins with `@` is an abstract name: it is in no directory, and
    /// disappears with its socket.
    ///
    /// - Throws: `.addressFailed` if the path is empty, contains a zero byte, or is longer than 107 bytes.
    public static func unix(path: String) throws(GuestError) -> SocketAddress {
        let isAbstract = path.hasPrefix("@")
        let bytes = Array(path.utf8)
        guard !bytes.isEmpty, bytes.count <= longestPath, !bytes.contains(0) else {
            throw GuestError(
                .addressFailed,
                "the Unix socket's path has \(bytes.count) bytes; expected 1 to \(longestPath), none of them zero: \(path.prefix(40))"
            )
        }
        var raw = sockaddr_un()
        raw.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &raw.sun_path) { target in
            target.copyBytes(from: bytes)
            if isAbstract { target[0] = 0 }
        }
        // The length of an abstract name is given by the size; a path ends with a zero byte.
        return SocketAddress(raw, size: pathOffset + bytes.count + (isAbstract ? 0 : 1))
    }

    /// A Unix socket's path, abstract ones with `@`; `nil` for other families and for unnamed sockets.
    public var path: String? {
        guard family == .unix, Int(size) > Self.pathOffset else { return nil }
        return withUnsafeBytes(of: storage) { bytes in
            let name = bytes[Self.pathOffset..<Int(size)]
            guard name.first == 0 else { return String(decoding: name.prefix { $0 != 0 }, as: UTF8.self) }
            return "@" + String(decoding: name.dropFirst(), as: UTF8.self)
        }
    }

    var isAbstract: Bool { path?.hasPrefix("@") ?? false }
}

extension SocketAddress: Hashable, CustomStringConvertible {
    /// Two addresses are equal if their kernel forms are.
    public static func == (one: SocketAddress, other: SocketAddress) -> Bool {
        one.size == other.size
            && withUnsafeBytes(of: one.storage) { left in
                withUnsafeBytes(of: other.storage) {
                    left.prefix(Int(one.size)).elementsEqual($0.prefix(Int(one.size)))
                }
            }
    }

    /// Hashes the kernel's form.
    public func hash(into hasher: inout Hasher) {
        withUnsafeBytes(of: storage) { hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: $0.prefix(Int(size)))) }
    }

    /// `127.0.0.1:80`, `[fe80::1%eth0]:80`, a path, or `unnamed`.
    public var description: String {
        switch family {
        case .ipv4: "\(host):\(port!)"
        case .ipv6: "[\(host)]:\(port!)"
        case .unix: path ?? "unnamed"
        }
    }
}
