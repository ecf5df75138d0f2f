// SPDX-License-Identifier: Apache-2.0
// DescriptorReserve: the last descriptor numbers of the process are not for connections.
// Idea:   whoever can connect decides how many descriptors a listener takes. A process without any is not only unable to accept: libdispatch,
//         which opens files of /proc to watch its threads, ends the process when it cannot. So accepting stops a little before the limit. The
//         kernel gives out the lowest free number: if that is one of the last, they are all that is left. No other number tells that, since a
//         hole may be anywhere; so the kernel is asked each time, which is two short calls beside the accepting of a connection.
// Owner:  any thread.
// Breaks: a process that lets peers take the last number dies within seconds, by SIGILL.

import Glibc

enum DescriptorReserve {
    /// How many numbers stay free.
    static let count: Int32 = 8

    /// Is `fd` one of the last numbers? The limit may change at any time.
    static func contains(_ fd: Int32) -> Bool {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(7), &limit) == 0 else { return false }  // RLIMIT_NOFILE
        return fd >= Int32(clamping: limit.rlim_cur) - count
    }

    /// Would the next descriptor be one of the last? Asked before a connection is accepted, so that it can wait in the kernel's queue.
    ///
    /// - Parameter fd: Any descriptor that is open.
    static func isNext(besides fd: Int32) -> Bool {
        let next = fcntl(fd, F_DUPFD_CLOEXEC, 0)
        guard next >= 0 else { return errno == EMFILE }
        close(next)
        return contains(next)
    }
}
