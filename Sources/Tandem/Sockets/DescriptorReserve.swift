// SPDX-License-Identifier: Apache-2.0
// DescriptorReserve: the last eight descriptor numbers of the process are not used for connections.
// Idea:   the number of descriptors that a listener uses is decided by its peers. A process without a free descriptor
//         not only cannot accept: libdispatch opens files in /proc to watch its threads, and ends the process when it
//         cannot. So accepting stops shortly before the limit. The kernel gives out the lowest free number: if that is
//         one of the last eight, at most eight are free. The number of an existing descriptor says nothing about that,
//         since lower numbers may be free. So the kernel is asked before each connection is accepted, which costs two
//         short system calls.
// Owner:  any thread.
// Breaks: if peers can take the last number, the process dies within seconds, by SIGILL. (In a test without the
//         reserve, 3 to 7 of 10 runs died; with it, none.)

import Glibc

enum DescriptorReserve {
    /// How many numbers are kept free.
    static let count: Int32 = 8

    /// Whether `fd` is one of the last numbers below the limit. The limit may change at any time, so it is read each
    /// time.
    static func contains(_ fd: Int32) -> Bool {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(7), &limit) == 0 else { return false }  // RLIMIT_NOFILE
        return fd >= Int32(clamping: limit.rlim_cur) - count
    }

    /// Whether the next new descriptor would be one of the last numbers. Asked before a connection is accepted, so that
    /// the connection can wait in the kernel's queue.
    ///
    /// - Parameter fd: Any descriptor that is open.
    static func isNext(besides fd: Int32) -> Bool {
        let next = fcntl(fd, F_DUPFD_CLOEXEC, 0)
        guard next >= 0 else { return errno == EMFILE }
        close(next)
        return contains(next)
    }
}
