// SPDX-License-Identifier: Apache-2.0
// GuestSocketPool: FlyingFox's sockets wait on a GuestLoop.
// Idea:   FlyingFox asks its pool for one thing, to suspend a task until a socket is ready. The loop's epoll set does that. It has one
//         watch for a descriptor and a direction; a second task that waits for the same follows the first one, and looks again when
//         that one is done, for whatever reason. FlyingFox tries its call after each wait, so that a wake for nothing is harmless.
// Owner:  any thread. Who leads and who follows stands under a mutex.
// Breaks: a leader that ends without waking its followers leaves them asleep.

public import FlyingSocks
import Glibc
import Synchronization
import SystemPackage
public import Tandem

// Tandem has a `Socket`, too.
public import struct FlyingSocks.Socket

/// A pool of FlyingFox's whose sockets are watched by a loop: its servers, connections and WebSockets need no thread of their own.
///
/// ```swift
/// let server = HTTPServer(address: .loopback(port: 8080), pool: GuestSocketPool(guest.loop), handler: routes)
/// try await server.run()
/// ```
///
/// For peers that you trust: `.inet(port:)` and `.inet6(port:)` listen on every interface, and FlyingFox reads heads, bodies and frames of any size, from
/// anybody. ``LocalHTTPServer`` puts limits before it, and refuses pages of elsewhere.
///
/// FlyingFox parses and encodes on Swift's own pool of threads; what a route does with the game's state belongs on the main actor, which
/// is the loop's thread. One pool serves any number of servers. It ends with its loop: waits then throw, and the servers with them.
public final class GuestSocketPool: AsyncSocketPool {
    private let loop: GuestLoop
    // One entry for each wait that is under way, with the tasks that follow it.
    private let followers = Mutex<[Wait: [AsyncStream<Never>.Continuation]]>([:])

    /// A pool whose sockets `loop` watches. Any thread.
    public init(_ loop: GuestLoop) { self.loop = loop }

    /// Throws `GuestError` (`.closed`) if the loop has ended.
    public func prepare() async throws {
        try loop.post {}
    }

    /// Lasts as long as the loop, or until the task is cancelled; then throws. Each server runs the pool for itself.
    public func run() async throws {
        // Descriptors are watched by the loop, so that there is nothing to do.
        while true { try await loop.sleep(for: .seconds(3600)) }
    }

    /// Suspends until the socket may be ready for one of `events`, has hung up or failed. Any thread.
    ///
    /// - Throws: `CancellationError` when the task is cancelled, `SocketError.disconnected` when the socket is closed under it,
    ///   `GuestError` when the loop ends or something outside the pool watches the descriptor.
    public func suspendSocket(_ socket: Socket, untilReadyFor events: Socket.Events) async throws {
        // FlyingFox writes head and body apart: without this, the body would wait for the head's acknowledgement. What a listener is set to its
        // connections inherit; one that came before has waited here by its second request.
        try? socket.setValue(true, for: BoolSocketOption(level: Int32(IPPROTO_TCP), name: TCP_NODELAY))
        guard events.count > 1 else {
            guard let event = events.first else { return try Task.checkCancellation() }
            return try await wait(for: event, on: socket)
        }
        try await withThrowingTaskGroup { group in
            for event in events { group.addTask { try await self.wait(for: event, on: socket) } }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func wait(for event: Socket.Event, on socket: Socket) async throws {
        guard let identity = SocketIdentity(socket.file.rawValue) else { throw SocketError.disconnected }
        let wait = Wait(socket: identity, event: event)
        let leader = AsyncStream.makeStream(of: Never.self)
        let isFirst = followers.withLock { followers in
            guard followers[wait] != nil else {
                followers[wait] = []
                return true
            }
            followers[wait]?.append(leader.continuation)
            return false
        }
        guard isFirst else {
            for await _ in leader.stream {}
            return try Task.checkCancellation()
        }
        defer {
            for follower in followers.withLock({ $0.removeValue(forKey: wait) ?? [] }) { follower.finish() }
        }
        let descriptor = FileDescriptor(rawValue: socket.file.rawValue)
        do {
            switch event {
            case .read: try await loop.waitUntilReadable(descriptor)
            case .write: try await loop.waitUntilWritable(descriptor)
            }
        } catch let error as GuestError where error.errno == .badFileDescriptor {
            throw SocketError.disconnected
        }
    }
}

/// What a task waits for.
private struct Wait: Hashable {
    // Not only the number: the wait of a socket that had it before may not have ended yet.
    let socket: SocketIdentity
    let event: Socket.Event
}
