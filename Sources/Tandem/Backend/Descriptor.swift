// SPDX-License-Identifier: Apache-2.0
// Descriptor: the one owner of a kernel descriptor; closing it is what happens when the owner goes.

import Glibc
import SystemPackage

struct Descriptor: ~Copyable, Sendable {
    let rawValue: Int32

    /// Takes over what a system call returned, or throws what it said.
    init(taking result: Int32, from call: String) throws(GuestError) {
        guard result >= 0 else {
            throw GuestError(
                .startFailed, errno: Errno(rawValue: errno),
                "\(call) gave no descriptor; close some, or raise the limit (ulimit -n)")
        }
        rawValue = result
    }

    deinit {
        close(rawValue)
    }

    /// Somebody else has closed it: the number is no longer ours, nor ours to close.
    consuming func forget() { discard self }
}
