// SPDX-License-Identifier: Apache-2.0
// GuestSocket: the only owner of a socket's descriptor.
// Idea:   every operation tries its system call at once, and waits for readiness only if the kernel returns EAGAIN. The
//         atomic word `uses` counts the threads that are inside a system call on the descriptor. Closing forbids new
//         calls, and whoever leaves last closes the descriptor: exactly once, and never while another thread uses its
//         number.
// Owner:  any thread may call. Waits are registered on the UI thread.
// Breaks: if the descriptor were closed before it is removed from the epoll set, the kernel could give its number to
//         the next socket, which would then receive the events of the old one.
//
// A class, and not a `~Copyable` struct: one task reads while another writes, and a noncopyable value cannot be
// borrowed by both.

import Glibc
import Synchronization
public import SystemPackage
import TandemCLinux

/// A socket and the loop that it waits on. ``TCPStream``, ``UDPSocket`` and the others are structs that hold one;
/// copies of them share it.
///
/// It is closed by ``close()``, or when the last value that holds it is released.
public final class GuestSocket: Sendable {
    /// The loop whose waits this socket uses. The socket keeps it alive.
    public let loop: GuestLoop
    /// The address of the peer, if the socket was connected or accepted.
    public let peerAddress: SocketAddress?
    private let rawValue: Int32
    /// Called after the descriptor was closed.
    private let onClosed: (@Sendable () -> Void)?

    /// Bit 0 is set once the socket is closed and new calls are forbidden; plus 2 for each user, the owner among them.
    private let uses = Atomic<UInt32>(2)
    /// Bit 0 while a task reads, bit 1 while a task writes. Two readers, or two writers, would mix their bytes.
    private let directions = Atomic<UInt32>(0)
    /// How long a read waits for the peer, in nanoseconds; 0 for ever.
    let silence = Atomic<Int64>(0)
    /// Bytes that were read from the kernel and not yet returned. Datagrams and connections are taken one at a time and
    /// leave nothing here.
    // Safe: used only by the one task that reads, between `begin` and `end`, whose atomic operations acquire and
    // release.
    @exclusivity(unchecked) nonisolated(unsafe) var readAhead = ReadAhead()
    // Safe: as `readAhead`.
    /// When a read last took less than it had room for: ``moment`` then.
    @exclusivity(unchecked) private nonisolated(unsafe) var emptiedAt: Nanoseconds?
    // Safe: as `readAhead`.
    /// A wait has ended with a report, and no read has found anything since.
    @exclusivity(unchecked) private nonisolated(unsafe) var hasUnusedReport = false
    // Safe: used on the UI thread only.
    @exclusivity(unchecked) private nonisolated(unsafe) var kept = KeptWait()

    /// Takes over the descriptor `rawValue`, which has to be non-blocking.
    init(
        taking rawValue: Int32, peer: SocketAddress? = nil, on loop: GuestLoop, onClosed: (@Sendable () -> Void)? = nil
    ) {
        self.rawValue = rawValue
        self.loop = loop
        self.onClosed = onClosed
        peerAddress = peer
    }

    /// Takes over a socket that other code has made. It becomes non-blocking and close-on-exec.
    ///
    /// - Throws: `.badDescriptor` if the descriptor is not open. Nothing was taken over then.
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

    /// The descriptor, for system calls that Tandem does not offer. This object still owns it; do not close it.
    public var descriptor: FileDescriptor { FileDescriptor(rawValue: rawValue) }

    /// This end's address; `nil` once closed. One system call.
    public var localAddress: SocketAddress? { (try? attempt { Self.name(of: $0, getsockname) }) ?? nil }

    private typealias NameCall = (Int32, UnsafeMutablePointer<sockaddr>?, UnsafeMutablePointer<socklen_t>?) -> Int32

    private static func name(of fd: Int32, _ call: NameCall) -> SocketAddress? {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) {
            // Safe: sockaddr_storage may be written as an address of any family.
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { call(fd, $0, &size) }
        }
        return result == 0 ? SocketAddress(storage, size: size) : nil
    }
}

// MARK: - Closing

extension GuestSocket {
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

    /// On the UI thread: ends every wait for the descriptor, then closes it, or leaves closing it to `then`. If the
    /// loop is closing, it resumes all waits itself, and polls no more.
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

extension GuestSocket {
    /// Makes a system call on the descriptor; nobody closes the descriptor meanwhile.
    func attempt<Result>(_ call: (Int32) -> Result) throws(GuestError) -> Result {
        try acquire()
        defer { release() }
        return call(rawValue)
    }

    /// Makes a system call that may have to wait. Returns its result, or `nil` if it would block now. `operation` names
    /// it in the error.
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

    /// As above, for what reads.
    @inline(__always) func attemptToRead<Count: SignedInteger>(
        _ operation: StaticString, _ call: (Int32) -> Count
    ) throws(GuestError) -> Int? {
        let count = try attempt(operation, call)
        if count != nil { noteFound() }
        return count
    }

    /// A read, or an accept, has found something.
    @inline(__always) func noteFound() { hasUnusedReport = false }

    /// Begins an operation; a second one in the same direction is refused until `end`.
    ///
    /// An operation takes a unit of the task's budget (`CooperativeBudget`), and lets other tasks run first if there is
    /// none left.
    @inline(__always) func begin(_ direction: IOHandle.Direction) async throws {
        try await loop.checkpointInline()
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

    /// The reading task has just taken all that there was: asked again at once, the kernel would have nothing more. It is
    /// only a guess, which costs a wait where it is wrong.
    var wasJustEmptied: Bool { emptiedAt.map { $0 == moment } ?? false }

    func noteRead(tookAll: Bool) { emptiedAt = tookAll ? moment : nil }

    /// The tick's last look at the clock, which is ten microseconds or one callback ago at most. `nil` on other threads,
    /// and in a recorded run, which must not depend on the clock.
    private var moment: Nanoseconds? {
        loop.thread.isCurrent && !loop.isTaped ? loop.tickState.clock.mark : nil
    }

    /// Waits until the descriptor is ready, has failed, or is closed; at most for `limit`, which is ``silenceLimit``
    /// for a read by default.
    func wait(_ direction: IOHandle.Direction, _ site: CallSite, limit: PeerLimit? = nil) async throws {
        let limit = limit ?? (direction == .readable ? readLimit : nil)
        if try loop.admitWaitHere() {
            // Not by way of the loop, to which that would keep a reference for the time of the wait. The socket has one.
            let waiter =
                direction == .readable
                ? kept.waiter(loop, #isolation) : Waiter(loop: loop, isolation: #isolation)
            try await waiter.wait { try arm($0, direction, site, limit) }
        } else {
            try await loop.waitFromAnywhere { [self] in try arm($0, direction, site, limit) }
        }
        if direction == .readable { hasUnusedReport = true }
    }

    private func arm(
        _ waiter: Waiter, _ direction: IOHandle.Direction, _ site: CallSite, _ limit: PeerLimit?
    ) throws -> Waiter.Disarm {
        if isClosed { throw closedError }
        // An entry that stays armed reports changes only. After a report that has brought nothing the kernel is asked what
        // is there now.
        if direction == .readable, hasUnusedReport { loop.io.registrations.makeNextWaitOneShot(rawValue) }
        let handle = try loop.watch(
            descriptor, direction, .resume(waiter), site, isOwned: true,
            reusing: direction == .readable ? kept.endedWatch() : nil)
        if direction == .readable { kept.keep(handle) }
        if let limit { waiter.setLimit(limit.duration, site) { self.unresponsiveError(limit, site) } }
        return .watch(handle)
    }

    /// Runs `body` whenever the socket can be read, has ended or has failed, until the handle is cancelled or the
    /// socket is closed. UI thread.
    ///
    /// As ``GuestLoop/whenReadable(_:fileID:line:_:)``, but without its system call for each event: only this object
    /// closes its descriptor, so that the loop need not ask the kernel whether it is still open.
    ///
    /// - Throws: `.socketClosed`; otherwise as the loop's.
    public func whenReadable(
        fileID: StaticString = #fileID, line: UInt = #line, _ body: @escaping () throws -> Void
    ) throws(GuestError) -> IOHandle {
        try watch(.readable, CallSite(fileID: fileID, line: line), body)
    }

    /// Runs `body` whenever the socket can be written, until the watch is cancelled or the socket is closed. Otherwise
    /// as ``whenReadable(fileID:line:_:)``.
    public func whenWritable(
        fileID: StaticString = #fileID, line: UInt = #line, _ body: @escaping () throws -> Void
    ) throws(GuestError) -> IOHandle {
        try watch(.writable, CallSite(fileID: fileID, line: line), body)
    }

    private func watch(
        _ direction: IOHandle.Direction, _ site: CallSite, _ body: @escaping () throws -> Void
    ) throws(GuestError) -> IOHandle {
        // This runs on the UI thread, and only the UI thread closes the descriptor, so it is not closed in between.
        loop.thread.check("Socket.whenReadable or whenWritable")
        if isClosed { throw closedError }
        return try loop.watch(descriptor, direction, .call(body), site, isOwned: true)
    }

    /// The peer's address, for error messages.
    var to: String { peerAddress.map { " to \($0)" } ?? "" }
}

extension GuestLoop {
    /// UI thread, called just before the owner closes the descriptor: ends the waits for it.
    func retire(_ fd: Int32) {
        // A forked child shares the epoll set with its parent, so the child changes nothing in it.
        guard !thread.isForkedChild else { return }
        for case (_, .resume(let waiter)) in io.registrations.retire(fd) {
            waiter.resume(
                throwing: GuestError(
                    .socketClosed, "the socket was closed by this program while a task waited for it"))
        }
    }
}
