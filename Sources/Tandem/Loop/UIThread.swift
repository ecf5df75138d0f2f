// SPDX-License-Identifier: Apache-2.0
// UIThread: the thread to which a loop belongs, and the traps for calls on another thread.

import Glibc
import TandemCLinux

/// The thread on which a loop was made. Comparing the calling thread with it needs no system call.
struct UIThread: Sendable {
    private let thread: pthread_t
    let ownKey: UInt
    private let kernelID: Int32
    private let forkDepth: Int32
    /// Whether it is the process's first thread.
    let isMain: Bool

    /// The calling thread.
    init() {
        thread = pthread_self()
        ownKey = tandem_thread_key()
        kernelID = tandem_thread_id()
        forkDepth = tandem_fork_depth()
        isMain = tandem_is_main_thread()
    }

    var key: UInt { UInt(thread) }

    var isCurrent: Bool { tandem_thread_key() == ownKey }

    /// True in a child of `fork`. The loop's memory exists there, but not its backend thread, and the kernel objects
    /// are shared with the parent.
    var isForkedChild: Bool { tandem_fork_depth() != forkDepth }

    /// Traps unless this is the loop's thread, in the process that made it.
    @inline(__always) func check(_ call: StaticString) {
        if !isCurrent { trapWrongThread(call) }
        if isForkedChild { trapForked(call) }
    }

    @inline(never) private func trapWrongThread(_ call: StaticString) -> Never {
        fatalError(
            """
            \(call) was called on thread \(tandem_thread_id()) "\(Self.name(of: pthread_self()))", but the loop belongs to \
            thread \(kernelID) "\(Self.name(of: thread))". Use GuestLoop.post from other threads.
            """)
    }

    @inline(never) private func trapForked(_ call: StaticString) -> Never {
        fatalError(
            """
            \(call) was called in a forked child. The loop's backend thread stayed in the parent, and so does the loop: \
            call exec after fork, use posix_spawn, or make a new loop in the child.
            """)
    }

    private static func name(of thread: pthread_t) -> String {
        var buffer = [CChar](repeating: 0, count: 16)
        guard tandem_thread_name(thread, &buffer, buffer.count) == 0 else { return "?" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
