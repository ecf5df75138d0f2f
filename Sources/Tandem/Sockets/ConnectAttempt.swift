// SPDX-License-Identifier: Apache-2.0
// ConnectAttempt: one `connect` to one address, with callbacks.
// Facts:  a TCP connect returns EINPROGRESS; the socket becomes writable when it is done, and SO_ERROR is its outcome.
//         A Unix connect never waits: if the listener's queue is full it returns EAGAIN, and no poll reports when there
//         is room, so that it is tried again after growing pauses. A TCP connect to a port of this machine on which
//         nobody listens may connect to itself, if the kernel chooses the same port for this end. That is treated as a
//         refusal.
// Owner:  the UI thread.

import Glibc
import TandemCLinux

enum ConnectAttempt {
    /// Starts the attempt, and returns how to cancel it. `done` receives the connected socket, and owns it from then
    /// on.
    static func start(
        _ address: SocketAddress, on loop: GuestLoop, _ done: @escaping (Result<GuestSocket, GuestError>) -> Void
    ) -> (() -> Void) {
        let fd = tandem_socket(address.domain, Int32(SOCK_STREAM.rawValue), 0)
        guard fd >= 0 else {
            done(.failure(.socket("make a socket for", "\(address)", errno)))
            return {}
        }
        let socket = GuestSocket(taking: fd, peer: address, on: loop)
        return proceed(socket, address, pause: .milliseconds(1), done)
    }

    private static func proceed(
        _ socket: GuestSocket, _ address: SocketAddress, pause: Duration,
        _ done: @escaping (Result<GuestSocket, GuestError>) -> Void
    ) -> (() -> Void) {
        let fd = socket.descriptor.rawValue
        let number = address.withRaw { connect(fd, $0, $1) == 0 ? 0 : errno }
        switch number {
        case 0: done(outcome(socket, address))
        case EINPROGRESS, EINTR: return waitForOutcome(socket, address, done)
        case EAGAIN where address.family == .unix:
            var cancelled = {}
            let timer = socket.loop.callLater(pause) {
                cancelled = proceed(socket, address, pause: min(pause * 2, .milliseconds(64)), done)
            }
            return {
                timer.cancel()
                cancelled()
                socket.close()
            }
        default:
            socket.close()
            done(.failure(.socket("connect to", "\(address)", number)))
        }
        return {}
    }

    private static func waitForOutcome(
        _ socket: GuestSocket, _ address: SocketAddress, _ done: @escaping (Result<GuestSocket, GuestError>) -> Void
    ) -> (() -> Void) {
        var watch: IOHandle?
        do throws(GuestError) {
            watch = try socket.loop.whenWritable(socket.descriptor) {
                watch?.cancel()
                watch = nil
                done(outcome(socket, address))
            }
        } catch {
            socket.close()
            done(.failure(error))
        }
        return {
            watch?.cancel()
            watch = nil
            socket.close()
        }
    }

    private static func outcome(_ socket: GuestSocket, _ address: SocketAddress) -> Result<GuestSocket, GuestError> {
        do throws(GuestError) {
            var number = try socket.takeError()
            if number == 0, address.family != .unix, socket.localAddress == address { number = ECONNREFUSED }
            if number == 0 { return .success(socket) }
            throw .socket("connect to", "\(address)", number)
        } catch {
            socket.close()
            return .failure(error)
        }
    }
}
