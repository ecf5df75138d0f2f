// SPDX-License-Identifier: Apache-2.0
// MatchServer: the match of a dedicated server, what it publishes, and how it ends.
// Idea:   the host's tasks, the page's views and the scores come from one thread, the main actor's; nothing here has a lock. Nobody who looks on is
//         waited for.
// Owner:  the main actor, which lives on the loop.

import Foundation
import Logging
public import ServiceLifecycle
public import SkirmishNetwork
public import SpectatorPage
public import Tandem

/// One host of Skirmish, as a service of a program. A graceful shutdown drains it.
@MainActor public final class MatchServer: Service {
    /// The host, which listens from the beginning.
    public let host: DedicatedHost
    /// Where it publishes.
    public nonisolated let page: SpectatorPage
    private let options: ServerOptions
    private let loop: GuestLoop
    let logger: Logger
    private var steps = 0
    /// A view for each so many steps: fifteen a second.
    private static let stepsPerView = 4
    private static let stepsPerScores = 30

    /// Listens at once. `loop` is the main actor's.
    ///
    /// - Throws: `DedicatedHost.InvalidSetting`; what the sockets throw: a port that is taken, say.
    public init(
        on loop: GuestLoop, _ options: ServerOptions = ServerOptions(), logger: Logger = Logger(label: "server")
    )
        throws
    {
        self.loop = loop
        self.options = options
        self.logger = logger
        host = try DedicatedHost(on: loop, options.host)
        page = SpectatorPage(spectators: options.spectators)
        publishScores()
    }

    /// Plays until the steps are up, or the task is cancelled, or a graceful shutdown has drained the host.
    public nonisolated func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            group.addTask { try await self.play() }
            group.addTask {
                try await gracefulShutdown()
                await self.drain()
            }
            try await group.next()
        }
    }

    /// Lets nobody in any more, waits for the match that is on, within its limit, and tells everybody the scores and good-bye.
    public func drain() async {
        logger.info("the server drains: \(host.people) people are there")
        await host.drain(within: options.drainLimit)
        publishScores()
        publishView()
        logger.info("everybody has been told")
    }

    private func play() async throws {
        try await host.run {
            steps += 1
            if steps % Self.stepsPerView == 0, page.spectators > 0 { publishView() }
            if steps % Self.stepsPerScores == 0 { beat() }
            return options.steps.map { steps < $0 } ?? true
        }
    }

    /// Twice a second.
    private func beat() {
        if options.hasExhibition, host.people == 0 { host.startMatch() }
        publishScores()
    }

    private func publishView() { publish(View(host)) { page.publish(view: $0) } }
    private func publishScores() { publish(host.standing) { page.publish(scores: $0) } }

    private func publish(_ value: some Encodable, _ send: (String) -> Void) {
        // Numbers, names and truth values: there is nothing that JSON cannot have.
        guard let json = try? JSONEncoder().encode(value) else { return }
        send(String(decoding: json, as: UTF8.self))
    }
}
