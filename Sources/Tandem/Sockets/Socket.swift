// SPDX-License-Identifier: Apache-2.0
// Socket: the one owner of one socket.
// Idea:   every operation tries its system call at once and waits for readiness only where the kernel says EAGAIN. The word
//         `uses` counts whoever is inside a system call; closing forbids new ones, and whoever is last closes the descriptor:
//         once, and never under somebody's feet.
// Owner:  any thread may call; waits stand on the UI thread.
// Breaks: closing the number before its entry leaves the epoll set would hand the next socket somebody else's reports.
//
// A class and not a `~Copyable` struct: one task reads while another writes, and a noncopyable value cannot be lent to both.

import Glibc
import Synchronization
public import SystemPackage
import TandemCLinux

/// A socket and the loop that it waits on. ``TCPStream``, ``UDPSocket`` and the others are thin values around one; copies share it.
///
/// It is closed by ``close()``, or when the last value around it goes.
public final class Socket: Sendable {
    /// The loop whose waits this socket uses. The socket keeps it alive.
    public let loop: GuestLoop
    /// The other end, where the socket was connected or accepted.
    public let peerAddress: SocketAddress?
    private let rawValue: Int32
    /// Done after the descriptor was closed.
    private let onClosed: (@Sendable () -> Void)?

    /// 1 while open-ended use is forbidden (closed), plus 2 for each user, the owner among them.
    private let uses = Atomic<UInt32>(2)
    /// 1 while a task reads, 2 while one writes: two would tear each other's bytes apart.
    private let directions = Atomic<UInt32>(0)
    /// How long a read waits for the peer, in nanoseconds; 0: for ever.
    let silence = Atomic<Int64>(0)
    /// What was read and not given out. Datagrams and connections are taken one at a time and leave nothing here.
    // Safe: touched by the one task that reads, between `begin` and `end`, which order it by acquiring and releasing.
    @exclusivity(unchecked) nonisolated(unsafe) var readAhead = ReadAhead()

    /// Takes over `rawValue`, which is non-blocking.
    init(
        taking rawValue: Int32, peer: SocketAddress? = nil, on loop: GuestLoop, onClosed: (@Sendable () -> Void)? = nil
    ) {
        self.rawValue = rawValue
        self.loop = loop
        self.onClosed = onClosed
        peerAddress = peer
    }

    /// Takes over a socket that was made elsewhere, which becomes non-blocking and close-on-exec.
    ///
    /// - Throws: `.badDescriptor` if it is not open; then nothing was taken over.
    public convenience init(adopting descriptor: FileDescriptor, on loop: GuestLoop) throws(GuestError) {
        let fd = descriptor.rawValue
        let flags = fcntl(fd, F_GETFL)
        guard flags >= 0, fcntl(fd, F_SETFL, flags | O_NONBLOCK) >= 0, fcntl(fd, F_SETFD, FD_CLOEXEC) >= 0 else {
            throw GuestError(
                .badDescriptor, errno: Errno(rawValue: errno), "descriptor \(fd) cannot be adopted; is it open?")
        }
        self.init(taking: fd, peer: Self.name(of: fd, getpeername), on: loop)
    }

    deinit {
        if uses.load(ordering: .acquiring) & 1 == 0 { Self.retire(rawValue, on: loop, closing: true, then: onClosed) }
    }

    /// A new socket.
    convenience init(_ family: SocketAddress.Family, _ type: __socket_type, on loop: GuestLoop) throws(GuestError) {
        let domain = [.ipv4: AF_INET, .ipv6: AF_INET6, .unix: AF_UNIX][family]!
        let fd = tandem_socket(domain, Int32(type.rawValue), 0)
        guard fd >= 0 else { throw .socket("make a socket", "of family \(family)", errno) }
        self.init(taking: fd, on: loop)
    }

    /// The descriptor, for calls that are not here. It stays this object's; do not close it.
    public var descriptor: FileDescriptor { FileDescriptor(rawValue: rawValue) }

    /// This end's address; `nil` once closed. One system call.
    public var localAddress: SocketAddress? { (try? attempt { Self.name(of: $0, getsockname) }) ?? nil }

    private typealias NameCall = (Int32, UnsafeMutablePointer<sockaddr>?, UnsafeMutablePointer<socklen_t>?) -> Int32

    private static func name(of fd: Int32, _ call: NameCall) -> SocketAddress? {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) {
            // Safe: sockaddr_storage is made to be written as any address.
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { call(fd, $0, &size) }
        }
        return result == 0 ? SocketAddress(storage, size: size) : nil
    }
}

// MARK: - Closing

extension Socket {
    /// True once ``close()`` was called.
    public var isClosed: Bool { uses.load(ordering: .acquiring) & 1 != 0 }

    /// Closes the socket. Tasks that wait on it get `.socketClosed`. Any thread; harmless when repeated.
    public func close() {
        var old = uses.load(ordering: .relaxed)
        repeat {
            if old & 1 != 0 { return }
        } while !exchange(&old, old | 1)
        Self.retire(rawValue, on: loop, closing: false) { self.release() }
    }

    /// Ends what waits for the descriptor, on the UI thread, then closes it or leaves that to `then`. A loop that is closing has resumed whoever
    /// waited, or will, and polls no more.
    private static func retire(
        _ fd: Int32, on loop: GuestLoop, closing: Bool, then: (@Sendable () -> Void)?
    ) {
        @Sendable func finish() {
            if closing { Glibc.close(fd) }
            then?()
        }
        if loop.thread.isCurrent {
            loop.retire(fd)
            finish()
        } else if !loop.postInternally({
            loop.retire(fd)
            finish()
        }) {
            finish()
        }
    }

    private func exchange(_ old: inout UInt32, _ new: UInt32) -> Bool {
        let (isExchanged, original) = uses.weakCompareExchange(
            expected: old, desired: new, ordering: .acquiringAndReleasing)
        old = original
        return isExchanged
    }

    private func acquire() throws(GuestError) {
        var old = uses.load(ordering: .relaxed)
        repeat {
            if old & 1 != 0 { throw closedError }
        } while !exchange(&old, old + 2)
    }

    private func release() {
        guard uses.subtract(2, ordering: .acquiringAndReleasing).newValue == 1 else { return }
        Glibc.close(rawValue)
        onClosed?()
    }

    var closedError: GuestError {
        GuestError(.socketClosed, "the socket\(to) was closed by this program; end what uses it before closing it")
    }
}

// MARK: - Operations

extension Socket {
    /// A system call on the descriptor, which nobody closes meanwhile.
    func attempt<Result>(_ call: (Int32) -> Result) throws(GuestError) -> Result {
        try acquire()
        defer { release() }
        return call(rawValue)
    }

    /// A system call that may have to wait: its result, or `nil` for "not now". `operation` names it in the error.
    func attempt<Count: SignedInteger>(_ operation: StaticString, _ call: (Int32) -> Count) throws(GuestError) -> Int? {
        try acquire()
        defer { release() }
        while true {
            let count = call(rawValue)
            if count >= 0 { return Int(count) }
            switch errno {
            case EINTR: continue
            case EAGAIN: return nil
            case let number: throw .socket(operation, to, number)
            }
        }
    }

    /// Begins an operation that is not to be mixed with another of its direction.
    ///
    /// An operation that need not wait takes a unit, and lets others run first if there is none left.
    func begin(_ direction: IOHandle.Direction) async throws {
        try await loop.checkpoint()
        if !tryBegin(direction) { throw busyError(direction) }
    }

    func busyError(_ direction: IOHandle.Direction) -> GuestError {
        let verb = direction == .readable ? "reads" : "writes"
        return GuestError(
            .alreadyRegistered,
            "another task (or an outbox) \(verb) on the socket\(to); let one task do it, or await the other first")
    }

    func tryBegin(_ direction: IOHandle.Direction) -> Bool {
        let bit: UInt32 = direction == .readable ? 1 : 2
        return directions.bitwiseOr(bit, ordering: .acquiring).oldValue & bit == 0
    }

    func end(_ direction: IOHandle.Direction) {
        directions.bitwiseAnd(direction == .readable ? ~1 : ~2, ordering: .releasing)
    }

    /// Waits until the descriptor is ready, fails, or is closed; at most for `limit`, by default what ``silenceLimit`` allows a read.
    func wait(_ direction: IOHandle.Direction, _ site: CallSite, limit: PeerLimit? = nil) async throws {
        let limit = limit ?? (direction == .readable ? readLimit : nil)
        try await loop.waitFromAnywhere(isolation: #isolation) { [self] waiter in
            if isClosed { throw closedError }
            let handle = try loop.watch(descriptor, direction, .resume(waiter), site)
            if let limit { waiter.setLimit(limit.duration, site) { self.unresponsiveError(limit, site) } }
            return { handle.cancel() }
        }
    }

    /// Runs `body` whenever the socket can be read, has ended or has failed, until the watch is cancelled or the socket is closed. UI thread.
    ///
    /// As ``GuestLoop/whenReadable(_:fileID:line:_:)``, and cheaper by a system call for each event: what belongs to this object nobody
    /// else closes, so that the loop need not ask the kernel whether it is still there.
    ///
    /// - Throws: `.socketClosed`; otherwise as the loop's.
    public func whenReadable(
        fileID: StaticString = #fileID, line: UInt = #line, _ body: @escaping () throws -> Void
    ) throws(GuestError) -> IOHandle {
        try watch(.readable, CallSite(fileID: fileID, line: line), body)
    }

    /// Runs `body` whenever the socket can be written, until the watch is cancelled or the socket is closed. Otherwise as
    /// ``whenReadable(fileID:line:_:)``.
    public func whenWritable(
        fileID: StaticString = #fileID, line: UInt = #line, _ body: @escaping () throws -> Void
    ) throws(GuestError) -> IOHandle {
        try watch(.writable, CallSite(fileID: fileID, line: line), body)
    }

    private func watch(
        _ direction: IOHandle.Direction, _ site: CallSite, _ body: @escaping () throws -> Void
    ) throws(GuestError) -> IOHandle {
        // On the UI thread, where it is closed, it is not closed in between.
        loop.thread.check("Socket.whenReadable or whenWritable")
        if isClosed { throw closedError }
        return try loop.watch(descriptor, direction, .call(body), site, isOwned: true)
    }

    /// The other end, for sentences.
    var to: String { peerAddress.map { " to \($0)" } ?? "" }
}

extension GuestLoop {
    /// UI thread: the descriptor is about to be closed by its owner; whoever waits for it is told.
    func retire(_ fd: Int32) {
        // The parent's epoll set is a forked child's, too: it is left alone.
        guard !thread.isForkedChild else { return }
        for case (_, .resume(let waiter)) in io.registrations.retire(fd) {
            waiter.resume(
                throwing: GuestError(
                    .socketClosed, "the socket was closed by this program while a task waited for it"))
        }
    }
}
