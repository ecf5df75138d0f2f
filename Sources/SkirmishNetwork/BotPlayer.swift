// SPDX-License-Identifier: Apache-2.0
// BotPlayer: a player that nobody sits at: it joins over the network as people do, is ready for each match, and flies by itself.
// Idea:   for tests and loads of servers that are packages of their own.
// Owner:  the main actor, which lives on the loop.

internal import SkirmishProtocol
internal import SkirmishRules
public import Tandem

/// A player of Skirmish that flies by itself.
@MainActor public final class BotPlayer {
    /// The host let it not in, or not any longer.
    public nonisolated struct Refused: Error, Sendable, Hashable, CustomStringConvertible {
        /// What the host said.
        public let description: String

        /// For comparisons.
        public init(_ description: String) { self.description = description }
    }

    private let session: ClientSession
    private let loop: GuestLoop

    private init(_ session: ClientSession, _ loop: GuestLoop) { (self.session, self.loop) = (session, loop) }

    /// Joins a host, within ten seconds. `loop` is the main actor's.
    ///
    /// - Throws: ``Refused``; what the sockets throw.
    public static func join(
        _ host: String = "127.0.0.1", port: UInt16, name: String, code: String = "", on loop: GuestLoop
    ) async throws -> BotPlayer {
        do {
            return BotPlayer(try await .join(host, port: port, name: name, code: code, on: loop), loop)
        } catch let refusal as Refusal {
            throw Refused(refusal.words)
        }
    }

    /// Whether a match is on.
    public var isPlaying: Bool { session.phase == .playing }

    /// The match's number, counted from 1.
    public var match: Int { session.match }

    /// Steps of the match that the host has sent.
    public var confirmedSteps: Int { session.confirmed?.step ?? 0 }

    /// The last match's scores, on one line; the same for everybody. `nil` before one has ended.
    public var scores: String? { session.results?.line }

    /// What was said, by the host and by players.
    public var chat: [String] { session.chat.map(\.text) }

    /// Plays until the host ends it.
    ///
    /// - Throws: ``Refused`` with the host's last words; `CancellationError`, after a good-bye.
    public func run() async throws {
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                defer { group.cancelAll() }
                group.addTask { try await self.session.run() }
                group.addTask { try await self.fly() }
                try await group.next()
            }
        } catch let refusal as Refusal {
            throw Refused(refusal.words)
        }
    }

    private func fly() async throws {
        for try await beat in loop.clock.timer(every: .seconds(World.step)) {
            let world = session.picture()?.world
            let wish = world.map { BotPilot.decide($0, ship: session.seat) } ?? Intent()
            for _ in 0...min(beat.missed, 5) { session.step(wish) }
            let mine = session.seats.first { $0.number == session.seat }
            if beat.number % 30 == 0, session.phase != .playing, mine?.isReady == false { session.setReady(true) }
        }
    }
}
