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
    private let farewell: Duration?

    /// - Parameters:
    ///   - address: `127.0.0.1` for this machine, `0.0.0.0` for every interface of IPv4, `::` for both families.
    ///   - port: 0 for any that is free; `onListening` is told which, on one of the server's threads.
    ///   - farewell: How long connections may last after the shutdown has begun; `nil`: until they are served, within their limits.
    ///   - onShutdown: Called when it begins: what streams without end can end.
    public init(
        _ router: Router<BasicRequestContext>, address: String = "127.0.0.1", port: Int = 0,
        limits: WebLimits = WebLimits(), farewell: Duration? = .seconds(1),
        onShutdown: @escaping @Sendable () -> Void = {},
        onListening: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
    ) {
        responder = router.buildResponder()
        (self.address, self.port, self.limits) = (address, port, limits)
        (self.farewell, self.onShutdown, self.onListening) = (farewell, onShutdown, onListening)
    }

    /// Lasts until a graceful shutdown, or until the task is cancelled, and for the farewell.
    ///
    /// - Throws: what the system says, if the address is not to be had; `CancellationError` after a cancellation.
    public func run() async throws {
        var configuration = ServiceGroupConfiguration(
            services: [.init(service: application, successTerminationBehavior: .gracefullyShutdownGroup)],
            logger: Self.logger)
        configuration.maximumGracefulShutdownDuration = farewell
        let group = ServiceGroup(configuration: configuration)
        // In a task that nobody cancels: NIO ends the process where a server is cancelled that has accepted a connection and not begun to serve it.
        let server = Task.detached { try await group.run() }
        let stop: @Sendable () -> Void = { [onShutdown] in
            onShutdown()
            Task { await group.triggerGracefulShutdown() }
        }
        try await withGracefulShutdownHandler {
            try await withTaskCancellationHandler {
                do { try await server.value } catch is CancellationError {}  // The farewell was over.
            } onCancel: {
                stop()
            }
        } onGracefulShutdown: {
            stop()
        }
        try Task.checkCancellation()
    }

    private var application: some ApplicationProtocol & Service {
        let (port, onListening) = (port, onListening)
        return Application(
            responder: responder, server: .http1(configuration: limits.http1),
            configuration: .init(
                address: .hostname(address, port: port),
                availableConnectionsDelegate: MaximumAvailableConnections(limits.connections)),
            onServerRunning: { await onListening($0.localAddress?.port ?? port) }, logger: Self.logger)
    }

    private static var logger: Logger {
        var logger = Logger(label: "web")
        // What strangers do is no news to whoever runs the game.
        logger.logLevel = .error
        return logger
    }
}

extension WebLimits {
    /// What they are for one connection.
    fileprivate var http1: HTTP1Channel.Configuration {
        .init(
            additionalChannelHandlers: [RequestLimits(patience: TimeAmount(patience), maximumBody: bodyBytes)],
            idleTimeout: TimeAmount(idle),
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: headBytes, maxHeaderListSize: headBytes, maxHeaderFieldCount: headFields))
    }
}
