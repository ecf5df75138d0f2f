// SPDX-License-Identifier: Apache-2.0
// Registration: one descriptor in the epoll set, with its reader and its writer, in 24 bytes.
// Idea:   the kernel hands back 64 bits: the number and a generation. A number that was closed and used again has another
//         generation, so that a report about the old file never reaches the new one's handler.
// Owner:  the UI thread. The table keeps it and speaks with the kernel.

import CLinux
import Glibc

/// What epoll is asked for.
struct Interest: OptionSet {
    let rawValue: UInt8

    static let readable = Interest(rawValue: 1)
    static let writable = Interest(rawValue: 2)
    /// One report, then silence.
    static let once = Interest(rawValue: 4)

    /// In the kernel's bits.
    var events: UInt32 {
        (contains(.readable) ? EPOLLIN.rawValue : 0) | (contains(.writable) ? EPOLLOUT.rawValue : 0)
            | (contains(.once) ? EPOLLONESHOT.rawValue : 0)
    }
}

struct Registration {
    var reader: IOHandle?
    var writer: IOHandle?
    let generation: UInt32
    /// What the kernel was told last; empty once a one-shot entry has reported.
    var armed: Interest = []
    /// Taken out of the epoll set for a while; see `UnattendedReadiness`.
    var isPaused = false

    /// False in a place of the table where nothing is registered.
    let exists: Bool

    static var none: Registration { Registration(generation: 0, exists: false) }

    init(generation: UInt32, exists: Bool = true) {
        self.generation = generation
        self.exists = exists
    }

    var wanted: Interest {
        var wanted: Interest = []
        if reader != nil { wanted.insert(.readable) }
        if writer != nil { wanted.insert(.writable) }
        if !wanted.isEmpty, reader?.isOneShot ?? true, writer?.isOneShot ?? true { wanted.insert(.once) }
        return wanted
    }

    subscript(direction: IOHandle.Direction) -> IOHandle? {
        get { direction == .readable ? reader : writer }
        set { if direction == .readable { reader = newValue } else { writer = newValue } }
    }

    /// What the kernel hands back for the descriptor `fd`.
    func data(_ fd: Int32) -> UInt64 { UInt64(generation) << 32 | UInt64(UInt32(bitPattern: fd)) }
}
