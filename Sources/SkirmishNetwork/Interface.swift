// SPDX-License-Identifier: Apache-2.0
// Interface: this machine's IPv4 networks that are up.

import Glibc

struct Interface {
    let address: String
    /// Where everybody on its network hears a datagram; `nil`: it has no such address.
    let broadcast: String?
    let isLoopback: Bool

    static var all: [Interface] {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0, let first = list else { return [] }
        defer { freeifaddrs(first) }
        // Safe: the list lives until the `defer`.
        let entries = sequence(first: first) {
            (entry: UnsafeMutablePointer<ifaddrs>) -> UnsafeMutablePointer<ifaddrs>? in entry.pointee.ifa_next
        }
        return entries.compactMap { entry in
            let flags = Int32(bitPattern: entry.pointee.ifa_flags)
            guard flags & Int32(IFF_UP) != 0, let address = text(entry.pointee.ifa_addr) else { return nil }
            let broadcast = flags & Int32(IFF_BROADCAST) != 0 ? text(entry.pointee.ifa_ifu.ifu_broadaddr) : nil
            return Interface(address: address, broadcast: broadcast, isLoopback: flags & Int32(IFF_LOOPBACK) != 0)
        }
    }

    /// `nil`: none, or not of IPv4.
    private static func text(_ raw: UnsafeMutablePointer<sockaddr>?) -> String? {
        guard let raw, raw.pointee.sa_family == sa_family_t(AF_INET) else { return nil }
        // Safe: an address of this family has this form.
        var address = raw.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { $0.pointee.sin_addr }
        var characters = [CChar](repeating: 0, count: Int(INET_ADDRSTRLEN))
        guard inet_ntop(AF_INET, &address, &characters, socklen_t(characters.count)) != nil else { return nil }
        return String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
