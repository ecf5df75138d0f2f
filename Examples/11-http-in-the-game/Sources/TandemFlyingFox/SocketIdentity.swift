// SPDX-License-Identifier: Apache-2.0
// SocketIdentity: one socket, told from the one that had its number before; and what the kernel has counted of it.

import Glibc

/// A descriptor with its inode.
struct SocketIdentity: Hashable {
    let descriptor: Int32
    private let inode: UInt

    /// `nil` if the descriptor is not open.
    init?(_ descriptor: Int32) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return nil }
        self.descriptor = descriptor
        inode = UInt(status.st_ino)
    }

    var isStillThere: Bool { SocketIdentity(descriptor) == self }

    var isListening: Bool {
        var value: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) == 0 && value != 0
    }

    /// Ends the connection, and drops what it has received. Whoever reads or writes it is told so, and closes it.
    func cut() {
        let own = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        guard own >= 0 else { return }
        defer { close(own) }
        guard let duplicate = SocketIdentity(own), duplicate.inode == inode else { return }
        shutdown(own, Int32(SHUT_RDWR))
        withUnsafeTemporaryAllocation(byteCount: 65_536, alignment: 1) { buffer in
            while recv(own, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT)) > 0 {}
        }
    }

    /// The process's descriptors.
    static func openDescriptors() -> [Int32] {
        guard let folder = opendir("/proc/self/fd") else { return [] }
        defer { closedir(folder) }
        var found: [Int32] = []
        while let entry = readdir(folder) {
            // Safe: the kernel ends each name with a zero.
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(cString: $0.bindMemory(to: CChar.self).baseAddress!)
            }
            if let number = Int32(name) { found.append(number) }
        }
        return found
    }
}

/// What a connection has received and sent, from Linux's `tcp_info`, of which the C library's header has only the first half.
struct ConnectionCounts {
    let received: UInt64
    let sent: UInt64
    /// Since it last received or sent anything.
    let silence: Duration

    /// `nil` if the descriptor is no TCP connection.
    init?(_ descriptor: Int32) {
        let count = 232
        var bytes = [UInt8](repeating: 0, count: count)
        var size = socklen_t(count)
        guard getsockopt(descriptor, Int32(IPPROTO_TCP), TCP_INFO, &bytes, &size) == 0, size >= 208 else { return nil }
        let listening: UInt8 = 10
        guard bytes[0] != listening else { return nil }
        func read<Number: BitwiseCopyable>(_ offset: Int, as: Number.Type) -> Number {
            bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: Number.self) }
        }
        // Offsets of the kernel's interface: tcpi_last_data_sent, tcpi_last_data_recv, tcpi_bytes_received, tcpi_bytes_sent.
        silence = .milliseconds(min(read(44, as: UInt32.self), read(52, as: UInt32.self)))
        received = read(128, as: UInt64.self)
        sent = read(200, as: UInt64.self)
    }
}
