// SPDX-License-Identifier: Apache-2.0
// LoopService: a loop without frames as one service of a program.
// Idea:   the service's thread makes a HeadlessHost, runs the game's main function on its loop, and sleeps and ticks until that has ended. A
//         graceful shutdown is told to the main function, which ends when it is ready; a cancellation cancels it.
// Owner:  `run` is the service group's; everything in `main` is the loop's thread's.

import Foundation
public import ServiceLifecycle
import Synchronization
public import Tandem

/// An async main function on a loop of its own, as a `Service`: it starts with the group, is told of a graceful shutdown, and ends with its
/// outcome.
///
/// ```swift
/// let match = LoopService { loop, shutdown in
///     while !shutdown.isRequested { … ; try await loop.sleep(for: .milliseconds(16)) }
/// }
/// try await ServiceGroup(services: [match], gracefulShutdownSignals: [.sigterm], logger: logger).run()
/// ```
public final class LoopService: Service {
    /// What a main function knows of the shutdown.
    public final class Shutdown: Sendable {
        private let isSet = Atomic<Bool>(false)
        private let stream = AsyncStream.makeStream(of: Never.self)

        /// True from the moment in which a graceful shutdown is asked for. Any thread.
        public var isRequested: Bool { isSet.load(ordering: .acquiring) }

        /// Suspends until a graceful shutdown is asked for, or the task is cancelled. For one task.
        public func requested() async { for await _ in stream.stream {} }

        func request() {
            isSet.store(true, ordering: .releasing)
            stream.continuation.finish()
        }
    }

    private let configuration: Tandem.Configuration
    private let main: @Sendable (GuestLoop, Shutdown) async throws -> Void

    /// A service whose `main` runs on the thread that the service starts, which is its loop's.
    public init(
        configuration: Tandem.Configuration = .init(),
        main: @escaping @Sendable (_ loop: GuestLoop, _ shutdown: Shutdown) async throws -> Void
    ) {
        self.configuration = configuration
        self.main = main
    }

    /// Lasts until `main` has ended, the loop is closed and its thread gone.
    ///
    /// - Throws: what `main` throws, `CancellationError` among it, and what `HeadlessHost.init` throws.
    public func run() async throws {
        let shutdown = Shutdown()
        // Tells the thread, which may not have begun yet, that the task was cancelled.
        let cancellation = AsyncStream.makeStream(of: Never.self)
        try await withGracefulShutdownHandler {
            try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { (ended: CheckedContinuation<Void, any Error>) in
                    Thread { [self] in ended.resume(with: serve(shutdown, cancellation.stream)) }.start()
                }
            } onCancel: {
                cancellation.continuation.finish()
            }
        } onGracefulShutdown: {
            shutdown.request()
        }
    }

    /// The service's thread.
    private func serve(_ shutdown: Shutdown, _ cancellation: AsyncStream<Never>) -> Result<Void, any Error> {
        let host: HeadlessHost
        do { host = try HeadlessHost(configuration: configuration) } catch { return .failure(error) }
        defer { host.close() }
        let loop = host.loop
        var outcome: Result<Void, any Error>?
        let run = loop.run { [main] in
            try await main(loop, shutdown)
        } onDone: { result in
            outcome = result
            host.stop()
        }
        let canceller = Task {
            for await _ in cancellation {}
            if !Task.isCancelled { run.cancel() }
        }
        host.run()
        canceller.cancel()
        return outcome ?? .failure(CancellationError())
    }
}
