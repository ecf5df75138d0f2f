// SPDX-License-Identifier: Apache-2.0
// Descriptor: the only owner of a file descriptor, which is closed when the owner is destroyed.

import Glibc
import SystemPackage

struct Descriptor: ~Copyable, Sendable {
    let rawValue: Int32

    /// Takes over the descriptor that a system call has returned, or throws the call's error.
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

    /// Other code has closed the descriptor: the number does not belong to us any more, and must not be closed.
    consuming func forget() { discard self }
}
