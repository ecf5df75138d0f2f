// SPDX-License-Identifier: Apache-2.0
// WebService: a web server for strangers, as one service of a program.
// Idea:   Hummingbird on threads of its own, with a limit for everything that a stranger can take. Whatever is sent to it costs those threads,
//         and not the game's.
// Owner:  any thread.

public import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
public import ServiceLifecycle

/// What a stranger can take. Each limit is of the whole server or of one connection, as it says.
public struct WebLimits: Sendable {
    /// Connections of the server; others wait in the kernel's queue.
    public var connections = 256
    /// Bytes of a request's head, and its fields.
    public var headBytes = 8 * 1024
    /// See ``headBytes``.
    public var headFields = 64
    /// Bytes of a request's body.
    public var bodyBytes = 1024
    /// How long a connection may be without a request's whole head.
    public var idle: Duration = .seconds(30)
    /// How long a peer may take for a request after its head, and how long it may not read.
    public var patience: Duration = .seconds(10)

    /// The limits above.
    public init() {}
}

/// Serves a router's pages until the program shuts down.
public struct WebService: Service {
    private let responder: RouterResponder<BasicRequestContext>
    private let address: String
    private let port: Int
    private let limits: WebLimits
    private let onListening: @Sendable (Int) async -> Void
    private let onShutdown: @Sendable () -> Void
    private let farewell: Duration

    /// - Parameters:
    ///   - address: `127.0.0.1` for this machine, `0.0.0.0` for every interface of IPv4, `::` for both families.
    ///   - port: 0 for any that is free; `onListening` is told which.
    ///   - farewell: How long connections may last after a graceful shutdown has begun.
    ///   - onShutdown: Called when it begins: what streams without end can end.
    public init(
        _ router: Router<BasicRequestContext>, address: String = "127.0.0.1", port: Int = 0,
        limits: WebLimits = WebLimits(), farewell: Duration = .seconds(1),
        onShutdown: @escaping @Sendable () -> Void = {},
        onListening: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
    ) {
        responder = router.buildResponder()
        (self.address, self.port, self.limits) = (address, port, limits)
        (self.farewell, self.onShutdown, self.onListening) = (farewell, onShutdown, onListening)
    }

    /// Lasts until a graceful shutdown, and for the farewell at most; or until the task is cancelled.
    ///
    /// - Throws: what the system says, if the address is not to be had.
    public func run() async throws {
        let application = application
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            group.addTask { try await application.run() }
            group.addTask {
                try await gracefulShutdown()
                onShutdown()
                try await Task.sleep(for: farewell)
            }
            try await group.next()
        }
    }

    private var application: some ApplicationProtocol {
        let limits = limits
        let (port, onListening) = (port, onListening)
        var logger = Logger(label: "web")
        logger.logLevel = .error
        return Application(
            responder: responder,
            server: .http1(
                configuration: .init(
                    additionalChannelHandlers: [
                        RequestLimits(patience: TimeAmount(limits.patience), maximumBody: limits.bodyBytes)
                    ],
                    idleTimeout: TimeAmount(limits.idle),
                    httpDecoderConfiguration: .init(
                        maxHeaderFieldSize: limits.headBytes, maxHeaderListSize: limits.headBytes,
                        maxHeaderFieldCount: limits.headFields))),
            configuration: .init(
                address: .hostname(address, port: port),
                availableConnectionsDelegate: MaximumAvailableConnections(limits.connections)),
            onServerRunning: { await onListening($0.localAddress?.port ?? port) },
            logger: logger)
    }
}
