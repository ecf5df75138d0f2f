// SPDX-License-Identifier: Apache-2.0
// SocketErrors: what an errno of a socket call means, and what can be done about it.

import Glibc
import SystemPackage

extension GuestError {
    /// The error of a call on a socket: the operation, the address, the number and advice.
    static func socket(_ operation: StaticString, _ place: String, _ number: Int32) -> GuestError {
        socket(String(describing: operation), place, number)
    }

    static func socket(_ operation: String, _ place: String, _ number: Int32) -> GuestError {
        let place = place.isEmpty || place.hasPrefix(" ") ? place : " " + place
        return GuestError(
            .socketFailed, errno: Errno(rawValue: number), "could not \(operation)\(place): \(advice(number))")
    }

    private static func advice(_ number: Int32) -> String {
        switch number {
        case ECONNRESET: "the peer has ended the connection with data on its way; connect again"
        case EPIPE: "the peer reads no more, or this end was closed for writing; stop writing, or connect again"
        case ECONNREFUSED: "nobody listens there; is the server running, and the port right?"
        case ETIMEDOUT: "the peer has not answered for too long; connect again"
        case EADDRINUSE: "the address is taken; choose another port (0: any), or end who has it"
        case EADDRNOTAVAIL: "no interface of this machine has this address"
        case EACCES, EPERM: "the system does not allow it; ports below 1024 and broadcasts need permission or an option"
        case EMFILE, ENFILE: "no descriptor is left; close some, or raise the limit (ulimit -n)"
        case ENETUNREACH, EHOSTUNREACH: "there is no way to that network; is the machine connected?"
        case EMSGSIZE: "the datagram is larger than the way there allows; send less at a time"
        case EINVAL:
            "the system does not accept these values; does the address fit the socket, and has it a scope if link-local?"
        case ENOTCONN: "the socket is not connected"
        case EISCONN: "the socket is connected already; send without an address"
        case EDESTADDRREQ: "the socket is not connected; name an address"
        case EAFNOSUPPORT: "the address's family does not fit the socket's"
        case ENOENT: "there is no such socket file; is the server running?"
        case ENOBUFS, ENOMEM: "the kernel is out of memory for sockets; try again later"
        default: "the system refused"
        }
    }
}
