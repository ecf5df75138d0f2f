// SPDX-License-Identifier: Apache-2.0
// Accepting: taking connections from a listening socket, also when descriptors run out.
// Idea:   a listener whose connections cannot be taken stays readable: without a pause it would be asked again at once, for ever.
//         The pause doubles, the log says it once, and the connection waits in the kernel's queue meanwhile.
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
        while true {
            var address = sockaddr_storage()
            var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let (fd, number) = try attempt { listener in
                let fd = tandem_accept(listener, &address, &size)
                return (fd, fd < 0 ? errno : 0)
            }
            if fd >= 0 {
                if pause > .milliseconds(5) { loop.configuration.logger.notice("connections are accepted again") }
                return Socket(taking: fd, peer: SocketAddress(address, size: size), on: loop)
            }
            switch number {
            case EAGAIN: try await wait(.readable, site)
            case EMFILE, ENFILE, ENOBUFS, ENOMEM:
                if pause == .milliseconds(5) {
                    loop.configuration.logger.warning(
                        "\(GuestError.socket("accept a connection", localAddress.map { "on \($0)" } ?? "", number)); trying again in growing pauses"
                    )
                }
                try await loop.sleep(for: pause)
                pause = min(pause * 2, .milliseconds(320))
            // Linux hands errors of the new connection to accept: they are the peer's affair.
            case EINTR, ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, ENETUNREACH,
                EPERM:
                try await loop.checkpoint()
            default: throw GuestError.socket("accept a connection", localAddress.map { "on \($0)" } ?? "", number)
            }
        }
    }
}
