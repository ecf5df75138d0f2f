// SPDX-License-Identifier: Apache-2.0
// Connecting: connects to a name or an address.
// Owner:  any thread. For a call on the UI thread only the resolver's call runs on another thread.

import Glibc

extension TCPStream {
    /// Resolves `host` and connects to the first of its addresses that answers, as RFC 8305 ("happy eyeballs") says:
    /// the two families alternate, a further attempt starts after a quarter of a second, or at once when one fails.
    ///
    /// - Throws: `.addressFailed` if the name has no address, `.socketFailed` if none of them answers,
    ///   `CancellationError`. Nothing is left open then. The only time limit is the system's: see
    ///   ``withTimeout(_:clock:fileID:line:isolation:_:)``.
    public static func connect(to host: String, port: UInt16, on loop: GuestLoop) async throws -> TCPStream {
        let addresses = try await SocketAddress.resolve(host: host, port: port, on: loop)
        return TCPStream(accepted: try await ConnectRace(addresses, on: loop).run())
    }

    /// Connects to `address`. Errors as ``connect(to:port:on:)``.
    public static func connect(to address: SocketAddress, on loop: GuestLoop) async throws -> TCPStream {
        guard address.family != .unix else {
            throw GuestError(.addressFailed, "\(address) is a Unix address; use UnixStream")
        }
        return TCPStream(accepted: try await ConnectRace([address], on: loop).run())
    }
}

extension SocketAddress {
    /// The addresses of a name, in the system's order of preference. An address in figures is returned as it is. Names
    /// are looked up by the C library, on a thread of a pool for names only, so that a name that does not resolve
    /// delays no other blocking work.
    ///
    /// - Throws: `.addressFailed` with the resolver's message; `CancellationError` at once, while the lookup goes on
    ///   unseen until it ends.
    public static func resolve(
        host: String, port: UInt16, on loop: GuestLoop, fileID: StaticString = #fileID, line: UInt = #line
    ) async throws -> [SocketAddress] {
        if let address = try? SocketAddress(host: host, port: port) { return [address] }
        return try await loop.offload(
            on: .names, abandonsOnCancel: true, CallSite(fileID: fileID, line: line)
        ) { try lookUp(host, port) }
    }

    private static func lookUp(_ host: String, _ port: UInt16) throws(GuestError) -> [SocketAddress] {
        guard !host.isEmpty, !host.utf8.contains(0), host.utf8.count <= longestHost else {
            throw GuestError(
                .addressFailed, "\(quoted(host)) is no host's name; expected a name or an address in figures")
        }
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let failure = getaddrinfo(host, "\(port)", &hints, &list)
        guard failure == 0 else {
            throw GuestError(
                .addressFailed,
                "\(quoted(host)) could not be resolved: \(String(cString: gai_strerror(failure))); is the name right, and the network there?"
            )
        }
        defer { freeaddrinfo(list) }
        return sequence(first: list!) { $0.pointee.ai_next }.compactMap { entry in
            // Safe: the resolver's list is freed in the `defer`, and each address has the length that its entry gives.
            guard let raw = UnsafeRawPointer(entry.pointee.ai_addr) else { return nil }
            var storage = sockaddr_storage()
            let size = Int(entry.pointee.ai_addrlen)
            withUnsafeMutableBytes(of: &storage) {
                $0.copyMemory(from: UnsafeRawBufferPointer(start: raw, count: min(size, $0.count)))
            }
            return SocketAddress(storage, size: socklen_t(size))
        }
    }
}
