// SPDX-License-Identifier: Apache-2.0
// ConnectionLimits: what FlyingFox does not limit, as far as it can be seen from outside.
// Idea:   the kernel counts what each connection has received and sent, and when. Every 50 ms somebody looks at those of the pool's
//         listeners, and cuts a connection that has been silent for too long, that has received too much without any answer between (a head without an
//         end, a body of gigabytes, pings that are never read), or that is one too many. Waits are no place for that: a connection
//         that sends faster than FlyingFox reads never waits.
// Owner:  a task of the pool's, on Swift's own threads; the state is under the pool's mutex.
// Breaks: a number that is another file's by now. So each cut is made on a duplicate, and only if that is still the same socket.

import FlyingSocks
import Glibc
import Tandem

import struct FlyingSocks.Socket

extension GuestSocketPool {
    /// What strangers on this machine can take of the process. FlyingFox itself limits nothing.
    public struct Limits: Sendable {
        /// How many connections there are at most; others wait in the kernel's queue, or are closed if they were quicker than that.
        public var connections = 100
        /// How long a connection may neither receive nor send.
        public var idle: Duration = .seconds(60)
        /// How many bytes a connection may receive before it is sent any: a request's head and body, or a WebSocket's messages between two answers. Looked
        /// at every 50 ms, so that what comes in that time is received beyond it.
        public var requestBytes = 65_536
        /// How many bytes a connection may receive in a second, answered or not: a WebSocket's frame that never ends, beside messages that it is sent.
        public var bytesPerSecond = 1 << 20

        /// The limits above.
        public init() {}
    }
}

/// What is known of the connections of a pool's listeners.
struct ConnectionLedger {
    private struct Entry {
        /// When it was first seen, as a number in order.
        let order: Int
        var sent: UInt64 = 0
        /// What had been received when something was last sent.
        var receivedBefore: UInt64 = 0
        /// The second that is under way: when it began, and what had been received then.
        var second = (start: ContinuousClock.now, received: UInt64(0))
        var isCut = false
        var isThere = true
    }

    private var listeners: [SocketIdentity: Socket.Address] = [:]
    private var entries: [SocketIdentity: Entry] = [:]
    private var seen = 0
    /// One for each server that runs.
    private var pauses: [Task<Void, any Error>] = []
    private var hasArrivals = false

    /// The time until the next sweep; an arrival cuts it short.
    mutating func beginPause(on loop: GuestLoop) -> Task<Void, any Error> {
        let isBusy = hasArrivals || !entries.isEmpty
        hasArrivals = false
        let pause = Task { try await loop.sleep(for: isBusy ? .milliseconds(50) : .seconds(1)) }
        pauses = pauses.suffix(7) + [pause]
        return pause
    }

    enum Admission { case welcome, noRoom }

    /// Connections are waiting at a listener: may they be accepted?
    mutating func arrival(_ limits: GuestSocketPool.Limits) -> Admission {
        hasArrivals = true
        if entries.isEmpty { for pause in pauses { pause.cancel() } }
        guard sweep(limits) < limits.connections, Self.hasDescriptors else { return .noRoom }
        return .welcome
    }

    /// Is there room for what is accepted at once, and some for the process? A server that cannot accept ends.
    private static var hasDescriptors: Bool {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(7), &limit) == 0 else { return true }  // RLIMIT_NOFILE
        let room = min(Int(backlog) + 16, Int(clamping: limit.rlim_cur) / 4)
        // The lowest number that is free.
        let next = fcntl(0, F_DUPFD_CLOEXEC, 0)
        guard next >= 0 else { return errno == EBADF }
        close(next)
        return Int(next) < Int(clamping: limit.rlim_cur) - room
    }

    /// Prepares a listener that is new. What is set here its connections inherit.
    mutating func adopt(_ listener: Socket, _ identity: SocketIdentity) {
        guard listeners[identity] == nil, let name = try? listener.sockname() else { return }
        listeners[identity] = name
        listener.sendsAtOnce()
        // What a peer can have sent and FlyingFox has yet to read.
        try? listener.setValue(65_536, for: .receiveBufferSize)
        // FlyingFox accepts without waiting for as long as it can.
        try? listener.listen(maxPendingConnection: Self.backlog)
        // Whoever came before has inherited nothing.
        hasArrivals = true
        for pause in pauses { pause.cancel() }
    }

    static let backlog: Int32 = 64

    /// Looks at all connections, cuts those that are beyond a limit, and says how many are left.
    ///
    /// - Complexity: Some system calls for each descriptor of the process.
    mutating func sweep(_ limits: GuestSocketPool.Limits) -> Int {
        for identity in entries.keys { entries[identity]?.isThere = false }
        for identity in listeners.keys where !identity.isStillThere { listeners[identity] = nil }
        let names = Set(listeners.values)
        for fd in SocketIdentity.openDescriptors() {
            let socket = Socket(file: .init(rawValue: fd))
            guard let identity = SocketIdentity(fd), let name = try? socket.sockname(),
                names.contains(where: { $0.takes(name) }), let counts = ConnectionCounts(fd)
            else { continue }
            note(identity, counts, limits, on: socket)
        }
        entries = entries.filter(\.value.isThere)
        let living = entries.filter { !$0.value.isCut }
        // The newest ones go: who was there first stays.
        for (identity, _) in living.sorted(by: { $0.value.order < $1.value.order }).dropFirst(limits.connections) {
            cut(identity)
        }
        return min(living.count, limits.connections)
    }

    private mutating func note(
        _ identity: SocketIdentity, _ counts: ConnectionCounts, _ limits: GuestSocketPool.Limits, on socket: Socket
    ) {
        if entries[identity] == nil {
            seen += 1
            // A connection that came before its listener was adopted has not inherited it.
            socket.sendsAtOnce()
        }
        var entry = entries[identity] ?? Entry(order: seen)
        entry.isThere = true
        if counts.sent != entry.sent { (entry.sent, entry.receivedBefore) = (counts.sent, counts.received) }
        let unanswered = counts.received - min(entry.receivedBefore, counts.received)
        let recent = counts.received - min(entry.second.received, counts.received)
        let now = ContinuousClock.now
        if now - entry.second.start > .seconds(1) { entry.second = (now, counts.received) }
        entries[identity] = entry
        if unanswered > limits.requestBytes || recent > limits.bytesPerSecond || counts.silence > limits.idle {
            cut(identity)
        }
    }

    /// Cuts the connection that comes from there.
    mutating func cut(from peer: Socket.Address) {
        let names = Set(listeners.values)
        for fd in SocketIdentity.openDescriptors() {
            let socket = Socket(file: .init(rawValue: fd))
            guard let identity = SocketIdentity(fd), let name = try? socket.sockname(),
                names.contains(where: { $0.takes(name) }), (try? socket.remotePeer()) == peer
            else { continue }
            cut(identity)
        }
    }

    private mutating func cut(_ identity: SocketIdentity) {
        entries[identity]?.isCut = true
        identity.cut()
    }
}

extension Socket {
    /// FlyingFox writes head and body apart: without this, the body would wait for the head's acknowledgement.
    fileprivate func sendsAtOnce() {
        try? setValue(true, for: BoolSocketOption(level: Int32(IPPROTO_TCP), name: TCP_NODELAY))
    }
}

extension Socket.Address {
    /// Is `name` this address, where a listener may have the address of every interface?
    fileprivate func takes(_ name: Socket.Address) -> Bool {
        switch (self, name) {
        case (.ip4(let host, let port), .ip4(let other, let otherPort)):
            port == otherPort && (host == other || host == "0.0.0.0")
        case (.ip6(let host, let port), .ip6(let other, let otherPort)):
            port == otherPort && (host == other || host == "::")
        default: false
        }
    }
}
