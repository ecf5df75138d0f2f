// SPDX-License-Identifier: Apache-2.0
// Accepting: taking connections from a listening socket, also when descriptors run out.
// Idea:   a listener whose connections cannot be taken stays readable: without a pause it would be asked again at once, for ever.
//         The pause doubles, the log says it once, and the connection waits in the kernel's queue meanwhile. The process's last
//         descriptors count as none (`DescriptorReserve`). An error of a new connection's own takes it from the queue, so that the next
//         try comes at once; one that goes on and on takes nothing, and is paused for as well. One that still comes when no connection
//         is there is the listener's, and ends the call.
// Owner:  any thread.

import Glibc
import Logging
import SystemPackage
import TandemCLinux

extension Socket {
    func listen(backlog: Int) throws(GuestError) {
        let failure = try attempt { Glibc.listen($0, Int32(clamping: backlog)) == 0 ? 0 : errno }
        if failure != 0 { throw .socket("listen on", localAddress.map { "\($0)" } ?? "", failure) }
    }

    /// The next connection. One task at a time.
    func accept(_ site: CallSite) async throws -> Socket {
        try await begin(.readable)
        defer { end(.readable) }
        var pause = Duration.milliseconds(5)
        var refusals = 0
        while true {
            var address = sockaddr_storage()
            var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let (fd, number) = try attempt { listener -> (Int32, Int32) in
                // A queue that is empty needs no descriptor: it is waited for as ever.
                if DescriptorReserve.isNext(besides: listener) { return (-1, Self.isEmpty(listener) ? EAGAIN : EMFILE) }
                let fd = tandem_accept(listener, &address, &size)
                guard fd >= 0 else { return (fd, errno) }
                guard DescriptorReserve.contains(fd) else { return (fd, 0) }
                // Another thread has taken the last but these just now. The connection is lost, and the process is not.
                Glibc.close(fd)
                return (-1, EMFILE)
            }
            if fd >= 0 {
                if pause > .milliseconds(5) { loop.configuration.logger.notice("connections are accepted again") }
                return Socket(taking: fd, peer: SocketAddress(address, size: size), on: loop)
            }
            switch number {
            case EAGAIN:
                refusals = 0
                try await wait(.readable, site)
            case EINTR: try await loop.checkpoint()
            // Linux hands errors of the new connection to accept: they are the peer's affair.
            case ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, ENETUNREACH, EPERM:
                refusals += 1
                guard refusals > Self.patience else {
                    try await loop.checkpoint()
                    continue
                }
                if try attempt(Self.isEmpty) { throw acceptError(number) }
                fallthrough
            case EMFILE, ENFILE, ENOBUFS, ENOMEM:
                if pause == .milliseconds(5) {
                    loop.configuration.logger.warning(
                        "\(acceptError(number)); trying again in growing pauses")
                }
                try await loop.sleep(until: loop.time.now.addingClamped(pause.nanosecondsRoundedUp), site)
                pause = min(pause * 2, .milliseconds(320))
            default: throw acceptError(number)
            }
        }
    }

    /// So many refusals follow each other without the queue being found empty.
    private static let patience = 16

    private func acceptError(_ number: Int32) -> GuestError {
        .socket("accept a connection", localAddress.map { "on \($0)" } ?? "", number)
    }

    /// Is there no connection to accept? Then it was none that could not be accepted.
    private static func isEmpty(_ listener: Int32) -> Bool { tandem_wait_readable(listener, -1, -1, -1, 0) == 0 }
}
