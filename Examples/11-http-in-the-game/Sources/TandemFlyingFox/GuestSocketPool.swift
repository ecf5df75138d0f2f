// SPDX-License-Identifier: Apache-2.0
// GuestSocketPool: FlyingFox's sockets wait on a GuestLoop.
// Idea:   FlyingFox asks its pool for one thing, to suspend a task until a socket is ready. The loop's epoll set does that. It has one
//         watch for a descriptor and a direction; a second task that waits for the same follows the first one, and looks again when
//         that one is done, for whatever reason. FlyingFox tries its call after each wait, so that a wake for nothing is harmless.
//         Since a pool also sees the listeners, limits that FlyingFox lacks are set there (`ConnectionLimits`).
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
/// let pool = GuestSocketPool(guest.loop)
/// let server = HTTPServer(address: .loopback(port: 8080), pool: pool, handler: LocalRequests(routes, on: pool))
/// try await server.runThroughExhaustion(on: guest.loop)
/// ```
///
/// For yourself and your tools, on this machine: `.inet(port:)` and `.inet6(port:)` listen on every interface, and FlyingFox is no server for
/// strangers. It reads heads, bodies and frames of any size; ``Limits`` cut a connection that sends much, but a WebSocket client
/// that is sent messages all the time may let a frame grow by ``Limits/bytesPerSecond``, and what two `Content-Length`s mean FlyingFox decides.
///
/// FlyingFox parses and encodes on Swift's own pool of threads; what a route does with the game's state belongs on the main actor, which
/// is the loop's thread. One pool serves any number of servers. It ends with its loop: waits then throw, and the servers with them.
public final class GuestSocketPool: AsyncSocketPool {
    private let loop: GuestLoop
    private let limits: Limits
    private let ledger = Mutex(ConnectionLedger())
    // One entry for each wait that is under way, with the tasks that follow it.
    private let followers = Mutex<[Wait: [AsyncStream<Never>.Continuation]]>([:])

    /// A pool whose sockets `loop` watches. Any thread.
    public init(_ loop: GuestLoop, limits: Limits = Limits()) {
        self.loop = loop
        self.limits = limits
    }

    /// Throws `GuestError` (`.closed`) if the loop has ended.
    public func prepare() async throws {
        try loop.post {}
    }

    /// Lasts as long as the loop, or until the task is cancelled; then throws. Each server runs the pool for itself.
    public func run() async throws {
        while true {
            let pause = ledger.withLock { $0.beginPause(on: loop) }
            let result = await withTaskCancellationHandler {
                await pause.result
            } onCancel: {
                pause.cancel()
            }
            try Task.checkCancellation()
            // A pause that an arrival has cut short ends with a cancellation; any other error is the loop's end.
            if case .failure(let error) = result, !(error is CancellationError) { throw error }
            _ = ledger.withLock { $0.sweep(limits) }
        }
    }

    /// Suspends until the socket may be ready for one of `events`, has hung up or failed. Any thread.
    ///
    /// - Throws: `CancellationError` when the task is cancelled, `SocketError.disconnected` when the socket is closed under it,
    ///   `GuestError` when the loop ends or something outside the pool watches the descriptor.
    public func suspendSocket(_ socket: Socket, untilReadyFor events: Socket.Events) async throws {
        if let identity = SocketIdentity(socket.file.rawValue), identity.isListening {
            return try await waitForConnection(on: socket, identity)
        }
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

    /// While there is no room, connections wait in the kernel's queue.
    private func waitForConnection(on listener: Socket, _ identity: SocketIdentity) async throws {
        ledger.withLock { $0.adopt(listener, identity) }
        try await wait(for: .read, on: listener)
        while ledger.withLock({ $0.arrival(limits) }) == .noRoom {
            try await loop.sleep(for: .milliseconds(50))
            guard identity.isStillThere else { throw SocketError.disconnected }
        }
    }

    /// Ends the connection of one of the pool's servers that comes from `peer`, and drops what it has received.
    func cutConnection(from peer: Socket.Address) { ledger.withLock { $0.cut(from: peer) } }

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
