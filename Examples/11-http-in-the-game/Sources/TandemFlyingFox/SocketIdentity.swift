// SPDX-License-Identifier: Apache-2.0
// SocketIdentity: one socket, told from the one that had its number before.

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
}
