// SPDX-License-Identifier: Apache-2.0
// Accepting: accepts connections from a listening socket, also when the process has no free descriptors.
// Idea:   if `accept` fails, its connection stays in the kernel's queue and the listener stays readable, so that the
//         call would be tried again at once, for ever. So the listener pauses, longer each time, and logs that once;
//         the connection waits in the kernel's queue meanwhile. The last descriptors of the process are not used for
//         connections (`DescriptorReserve`). An error of the new connection itself removes it from the queue, so that
//         the next try comes at once. If such errors go on and on, nothing is being removed, and the listener pauses as
//         well. If there is an error though no connection is in the queue, the error is the listener's, and `accept`
//         throws it.
// Owner:  any thread.

import Glibc
import Logging
import SystemPackage
import TandemCLinux

extension GuestSocket {
    func listen(backlog: Int) throws(GuestError) {
        let failure = try attempt { Glibc.listen($0, Int32(clamping: backlog)) == 0 ? 0 : errno }
        if failure != 0 { throw .socket("listen on", localAddress.map { "\($0)" } ?? "", failure) }
    }

    /// The next connection. One task at a time.
    func accept(_ site: CallSite) async throws -> GuestSocket {
        try await begin(.readable)
        defer { end(.readable) }
        var failures = AcceptFailures()
        while true {
            switch try acceptNow(&failures) {
            case .connection(let socket): return socket
            case .nothingYet: try await wait(.readable, site)
            case .again: try await loop.checkpoint()
            case .pause(let pause):
                try await loop.sleep(until: loop.time.now.addingClamped(pause.nanosecondsRoundedUp), site)
            }
        }
    }

    /// What to do after a call of `accept`.
    private enum AcceptStep {
        case connection(GuestSocket)
        case nothingYet, again
        case pause(Duration)
    }

    /// The failures since the last connection.
    private struct AcceptFailures {
        static let shortestPause = Duration.milliseconds(5)

        /// How long the next pause is.
        private(set) var pause = shortestPause
        /// Connections in a row that failed by themselves, without an empty queue in between.
        var refusals = 0

        var havePaused: Bool { pause > Self.shortestPause }

        mutating func takePause() -> Duration {
            defer { pause = min(pause * 2, .milliseconds(320)) }
            return pause
        }
    }

    // Apart from the function that waits, whose code is there once for each of its waits.
    private func acceptNow(_ failures: inout AcceptFailures) throws(GuestError) -> AcceptStep {
        var address = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let (fd, number) = try attempt { listener -> (Int32, Int32) in
            // An empty queue needs no descriptor: the call waits for readability as usual.
            if DescriptorReserve.isNext(besides: listener) { return (-1, Self.isEmpty(listener) ? EAGAIN : EMFILE) }
            let fd = tandem_accept(listener, &address, &size)
            guard fd >= 0 else { return (fd, errno) }
            guard DescriptorReserve.contains(fd) else { return (fd, 0) }
            // Another thread has taken the other free descriptors in the meantime. The new connection is closed, so
            // that the reserve stays free.
            Glibc.close(fd)
            return (-1, EMFILE)
        }
        if fd >= 0 {
            noteFound()
            if failures.havePaused { loop.configuration.logger.notice("connections are accepted again") }
            return .connection(GuestSocket(taking: fd, peer: SocketAddress(address, size: size), on: loop))
        }
        switch number {
        case EAGAIN:
            failures.refusals = 0
            return .nothingYet
        case EINTR: return .again
        // On Linux `accept` also returns errors of the new connection itself, which concern its peer only.
        case ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, ENETUNREACH, EPERM:
            failures.refusals += 1
            guard failures.refusals > Self.failuresUntilPause else { return .again }
            if try attempt(Self.isEmpty) { throw acceptError(number) }
            fallthrough
        case EMFILE, ENFILE, ENOBUFS, ENOMEM:
            if !failures.havePaused {
                loop.configuration.logger.warning("\(acceptError(number)); trying again in growing pauses")
            }
            return .pause(failures.takePause())
        default: throw acceptError(number)
        }
    }

    /// After so many failures in a row, without an empty queue in between, the listener pauses before it tries again.
    private static let failuresUntilPause = 16

    private func acceptError(_ number: Int32) -> GuestError {
        .socket("accept a connection", localAddress.map { "on \($0)" } ?? "", number)
    }

    /// Whether the queue is empty. Then the error was not that of a connection.
    private static func isEmpty(_ listener: Int32) -> Bool { tandem_wait_readable(listener, -1, -1, -1, 0) == 0 }
}
