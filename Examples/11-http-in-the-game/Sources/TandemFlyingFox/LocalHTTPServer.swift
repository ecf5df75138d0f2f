// SPDX-License-Identifier: Apache-2.0
// LocalHTTPServer: FlyingFox behind a listener of Tandem's, for this machine's own pages and tools.
// Idea:   FlyingFox has no limits: it reads heads, bodies and frames of any size, and a line in a time that grows with the square of its length, on
//         a thread of Swift's pool that nobody else has meanwhile. So it does not read the network. Tandem's listener accepts, each request's
//         head and each WebSocket's frame is read and judged here (`GuardedConnection`), and only what is within the limits goes on, over a
//         Unix socket without a file, to FlyingFox.
// Owner:  an actor on the loop's thread.
// Breaks: a listener that accepts without room: FlyingFox ends when it cannot accept, and its connections with it.

public import FlyingFox
public import FlyingSocks
import Glibc
public import Tandem

// FlyingSocks has a `SocketAddress`, too.
public import struct Tandem.SocketAddress

/// An HTTP server in the game, which answers this machine's own pages and tools, within limits.
///
/// ```swift
/// let server = try LocalHTTPServer(on: guest.loop, at: .loopback(port: 8080), handler: routes)
/// guest.run { try await server.run() }
/// ```
///
/// For you and your tools: whoever can reach it may use it, and each request costs FlyingFox some work. What is open to strangers is served by
/// another server on threads of its own.
///
/// FlyingFox parses and encodes on Swift's own pool of threads; what a route does with the game's state belongs on the main actor, which
/// is the loop's thread. `remoteAddress` of a request is not the client's, since all requests come through this.
public actor LocalHTTPServer {
    /// What can be taken of the process. What is beyond it is answered with an error where there is an answer for it, and ends the connection.
    public struct Limits: Sendable {
        /// Under which names this server may be reached, without the port. Others are refused with 403, and so are pages of another origin.
        public var names: Set<String> = ["localhost", "127.0.0.1", "[::1]"]
        /// How many connections there are at most; others wait in the kernel's queue.
        public var connections = 100
        /// How many bytes a line of a request's head may have.
        public var lineBytes = 1024
        /// How many bytes a request's head may have.
        public var headBytes = 8192
        /// How long a request's head, or its body, may take from its first byte to its last.
        public var arrival: Duration = .seconds(10)
        /// How many bytes a request's body may have. It has to say its length.
        public var bodyBytes = 16_384
        /// How long a client may say nothing, and be sent nothing, between two requests.
        public var idle: Duration = .seconds(60)
        /// How many bytes a WebSocket's message may have.
        public var messageBytes = 65_536
        /// How many frames a WebSocket's client may send in a second.
        public var framesPerSecond = 240
        /// How long a client may take nothing of what it is sent.
        public var stall: Duration = .seconds(10)

        /// The limits above.
        public init() {}
    }

    /// Where it listens. If port 0 was asked for, with the port that the kernel has chosen.
    public nonisolated let localAddress: SocketAddress
    /// The loop's thread.
    public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private let loop: GuestLoop
    private let limits: Limits
    private let logger: any Logging
    private let listener: TCPListener
    private let server: HTTPServer
    private let inside: AbstractAddress
    private var count = 0
    /// Connections that FlyingFox does not know yet.
    private var waiting: Set<ObjectIdentifier> = []

    /// Binds and listens; ``run()`` accepts.
    ///
    /// - Parameters:
    ///   - loop: Whose thread reads what comes.
    ///   - address: Where to listen; a loopback address.
    ///   - limits: What can be taken of the process.
    ///   - logger: What FlyingFox tells.
    ///   - handler: What answers: `RoutedHTTPHandler`, say.
    /// - Throws: `.socketFailed` with the address and the kernel's error (`EADDRINUSE`, say).
    public init(
        on loop: GuestLoop, at address: SocketAddress, limits: Limits = Limits(), logger: any Logging = .disabled,
        handler: some HTTPHandler
    ) throws(GuestError) {
        self.loop = loop
        self.limits = limits
        self.logger = logger
        listener = try TCPListener(on: loop, at: address, backlog: 64)
        // What connections inherit: how much a client can have sent that is not read, or be sent that it does not read.
        try listener.socket.set(.receiveBufferSize, to: 65_536)
        try listener.socket.set(.sendBufferSize, to: 65_536)
        localAddress = listener.localAddress
        inside = AbstractAddress("tandem-http-\(getpid())-\(UInt64.random(in: .min ... .max))")
        server = HTTPServer(address: inside, pool: GuestSocketPool(loop), logger: logger, handler: handler)
    }

    /// Serves until the task is cancelled, the loop ends, or FlyingFox does for another reason than that descriptors or memory had run out. Once.
    ///
    /// - Throws: `CancellationError`, or what ended it.
    public func run() async throws {
        defer { listener.close() }
        try await withThrowingTaskGroup { group in
            group.addTask { [self] in try await server.runThroughExhaustion(on: loop, logger: logger) }
            // What is read here, and whom that is for, does not wait for a thread of Swift's pool, which FlyingFox may keep busy.
            group.addTask(executorPreference: loop) { [self] in try await acceptConnections() }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func acceptConnections() async throws {
        try await server.waitUntilListening(timeout: 60)
        try await withThrowingDiscardingTaskGroup { group in
            while true {
                while count >= limits.connections || !hasDescriptors { try await loop.sleep(for: .milliseconds(20)) }
                let client = try await listener.accept()
                count += 1
                group.addTask { [self] in await serve(client) }
            }
        }
    }

    private func serve(_ client: TCPStream) async {
        let connection = GuardedConnection(client, on: loop, limits, to: inside.path)
        let key = ObjectIdentifier(connection)
        waiting.insert(key)
        await connection.serve { await self.noteConnected(key) }
        waiting.remove(key)
        count -= 1
    }

    private func noteConnected(_ key: ObjectIdentifier) { waiting.remove(key) }

    /// Two for each connection that is not passed on yet, and some for the rest of the process.
    private var hasDescriptors: Bool {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(7), &limit) == 0 else { return true }  // RLIMIT_NOFILE
        // The lowest number that is free.
        let next = fcntl(0, F_DUPFD_CLOEXEC, 0)
        guard next >= 0 else { return errno == EBADF }
        close(next)
        return Int(next) + 2 * waiting.count + 16 < Int(clamping: limit.rlim_cur)
    }
}

/// A Unix socket's name that is in no folder, as FlyingFox takes it: its own would fill the name up with zeros.
struct AbstractAddress: FlyingSocks.SocketAddress {
    static let family = sa_family_t(AF_UNIX)
    private let name: String

    init(_ name: String) { self.name = name }

    /// As Tandem writes it.
    var path: String { "@" + name }

    func withSockAddr<R, E: Error>(_ body: (UnsafePointer<sockaddr>, socklen_t) throws(E) -> R) throws(E) -> R {
        var address = sockaddr_un()
        address.sun_family = Self.family
        let bytes = [0] + Array(name.utf8)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let size = MemoryLayout<sockaddr_un>.offset(of: \.sun_path)! + bytes.count
        return try withUnsafeBytes(of: address) { (raw) throws(E) -> R in
            // Safe: every address of the kernel's begins as `sockaddr` does, and `address` outlives the call.
            try body(raw.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t(size))
        }
    }
}
