// SPDX-License-Identifier: Apache-2.0
// UnixSockets: streams between the processes of one machine, and within one.
// Owner:  any thread.

import Glibc
import SystemPackage
import TandemCLinux

/// A connection between two processes of this machine, or within one.
public struct UnixStream: SocketStream {
    /// The socket underneath.
    public let socket: GuestSocket

    /// A stream on a socket that is connected.
    public init(_ socket: GuestSocket) { self.socket = socket }

    /// Connects to the socket at `path`; `@name` is an abstract one. Waits while the listener's queue is full.
    ///
    /// - Throws: `.addressFailed`, `.socketFailed` (`ENOENT`, `ECONNREFUSED`), `CancellationError`: then nothing is
    ///   left behind.
    public static func connect(to path: String, on loop: GuestLoop) async throws -> UnixStream {
        UnixStream(try await ConnectRace([try .unix(path: path)], on: loop).run())
    }

    /// Two streams that are connected to each other.
    public static func pair(on loop: GuestLoop) throws(GuestError) -> (UnixStream, UnixStream) {
        var ends: [Int32] = [0, 0]
        guard tandem_socketpair(Int32(SOCK_STREAM.rawValue), &ends) == 0 else {
            throw .socket("make a pair of sockets", "", errno)
        }
        return (UnixStream(GuestSocket(taking: ends[0], on: loop)), UnixStream(GuestSocket(taking: ends[1], on: loop)))
    }

    /// The process at the other end, as it was when the connection was made; the kernel has checked it.
    public struct Peer: Sendable, Hashable {
        /// The process's number.
        public let process: Int
        /// Its user's number.
        public let user: Int
        /// Its group's number.
        public let group: Int
    }

    /// Who is at the other end.
    public func peer() throws(GuestError) -> Peer {
        var (process, user, group): (Int32, UInt32, UInt32) = (0, 0, 0)
        let failure = try socket.attempt { tandem_peer_credentials($0, &process, &user, &group) == 0 ? 0 : errno }
        if failure != 0 { throw .socket("ask who the peer is", "", failure) }
        return Peer(process: Int(process), user: Int(user), group: Int(group))
    }
}

/// Listens for Unix connections at a path, whose file it removes when it closes.
public struct UnixListener: Sendable {
    /// The socket underneath.
    public let socket: GuestSocket
    /// The path, or `@name`.
    public let path: String

    /// Binds and listens. If a file was left at `path` by a listener that has ended, it is replaced; that of a listener
    /// that still exists is not.
    ///
    /// - Throws: `.addressFailed` for a path that cannot be used, `.socketFailed` with the kernel's error
    ///   (`EADDRINUSE`, say).
    public init(on loop: GuestLoop, at path: String, backlog: Int = 512) throws(GuestError) {
        let address = try SocketAddress.unix(path: path)
        let fd = tandem_socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard fd >= 0 else { throw .socket("make a socket for", path, errno) }
        let mine = BoundFile(path: address.isAbstract ? nil : path)
        socket = GuestSocket(taking: fd, on: loop, onClosed: { mine.remove() })
        self.path = path
        do throws(GuestError) {
            try socket.bind(address)
        } catch  where error.errno == .addressInUse && !address.isAbstract && Self.removeDeserted(path) {
            try socket.bind(address)
        }
        mine.remember()
        try socket.listen(backlog: backlog)
    }

    /// Removes the file that a listener has left at `path`. `false` if the file has a listener, or is not that of a
    /// socket.
    ///
    /// The file is first renamed and then checked once more under its new name: another process may have removed it,
    /// too, and bound the path anew in the meantime.
    private static func removeDeserted(_ path: String) -> Bool {
        guard isDeserted(path) else { return false }
        // The new name is in the same directory, unique, and short, since an address holds only 107 bytes. If it is too
        // long nevertheless, only the first check is made.
        let directory = path.lastIndex(of: "/").map { path[...$0] } ?? ""
        let aside = directory + "." + String(tandem_thread_id(), radix: 36)
        guard rename(path, aside) == 0 else { return errno == ENOENT }
        let isStillDeserted = (try? SocketAddress.unix(path: aside)) == nil || isDeserted(aside)
        // The file of a listener that still exists is renamed back, unless another one has been made under the path.
        if !isStillDeserted { link(aside, path) }
        unlink(aside)
        return isStillDeserted
    }

    /// Whether no socket is bound to the file any more.
    ///
    /// How it is found out: a connect with a socket of the same type is refused by a listener that has ended, but also
    /// by one that has bound and does not listen yet. A connect with a socket of another type gets EPROTOTYPE if any
    /// socket is bound, and ECONNREFUSED if none is; and no listener gets a connection that nobody wants.
    private static func isDeserted(_ path: String) -> Bool {
        var status = stat()
        // A file that is not a socket also gives ECONNREFUSED, and must not be removed.
        guard let address = try? SocketAddress.unix(path: path), lstat(path, &status) == 0,
            status.st_mode & S_IFMT == S_IFSOCK
        else { return false }
        let fd = tandem_socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        guard fd >= 0 else { return false }
        defer { Glibc.close(fd) }
        return address.withRaw { Glibc.connect(fd, $0, $1) != 0 && errno == ECONNREFUSED }
    }

    /// Waits for the next connection. As `TCPListener.accept()`.
    public func accept(fileID: StaticString = #fileID, line: UInt = #line) async throws -> UnixStream {
        UnixStream(try await socket.accept(CallSite(fileID: fileID, line: line)))
    }

    /// Stops listening, and removes the file. A task in `accept()` gets `.socketClosed`.
    public func close() { socket.close() }
}

/// The file that this listener has made; another file that is at the path by now is not touched.
private final class BoundFile: @unchecked Sendable {
    // Safe: written before any other code has the listener, and read when its socket closes.
    private let path: String?
    private var inode: ino_t = 0

    init(path: String?) { self.path = path }

    private var present: ino_t {
        var status = stat()
        guard let path, lstat(path, &status) == 0 else { return 0 }
        return status.st_ino
    }

    func remember() {
        // For a moment the file may have another name, because another process that wants the path is checking whether
        // it has a listener.
        for _ in 0..<1000 where inode == 0 { inode = present }
    }

    func remove() {
        guard let path, inode != 0, present == inode else { return }
        unlink(path)
    }
}
