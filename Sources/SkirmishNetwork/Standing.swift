// SPDX-License-Identifier: Apache-2.0
// Standing: what a dedicated host tells about itself: scores for everybody, figures for whoever runs it.

internal import SkirmishProtocol

/// Who is in a host's game, and how its match stands. It has no secrets: anybody may read it.
public nonisolated struct Standing: Codable, Sendable, Hashable {
    /// Who sits in a seat.
    public struct Player: Codable, Sendable, Hashable {
        /// The number of the seat and of its ship.
        public let seat: Int
        /// What everybody calls it.
        public let name: String
        /// Points in this match.
        public let score: Int
        /// Lives that are left.
        public let lives: Int
        /// False for a bot.
        public let isPerson: Bool
    }

    /// `lobby`, `playing` or `over`.
    public let phase: String
    /// Counted from 1; 0 before the first.
    public let match: Int
    /// The present wave, counted from 1; 0 before the first.
    public let wave: Int
    /// Everybody's points together.
    public let total: Int
    /// How many people are there, and how many may be.
    public let people, capacity: Int
    /// Nobody is let in any more.
    public let isDraining: Bool
    /// Everybody, bots among them, in the order of their seats. After a match it is who played in it, with its scores, also those who have left since.
    public let players: [Player]

    @MainActor init(_ session: HostSession) {
        phase = "\(session.phase)"
        match = session.match
        let world = session.arena?.world
        (wave, total) = (world?.wave ?? 0, world?.score ?? 0)
        (people, capacity) = (session.people, session.options.capacity)
        isDraining = session.isDraining
        let seats = session.phase == .over ? session.results?.seats : nil
        players = (seats ?? session.seats).map { seat in
            Player(
                seat: seat.number, name: seat.name, score: seat.score, lives: world?.ships[seat.number].lives ?? 0,
                isPerson: seat.pilot == 2)
        }
    }
}

/// What a host has done so far. Each number only grows.
public nonisolated struct HostFigures: Sendable, Hashable {
    /// Matches that have begun.
    public let matches: Int
    /// Sixtieths of a second that were played, and those that came too late to be played one by one.
    public let steps, missedSteps: Int
    /// Over UDP.
    public let sentBytes, receivedBytes: Int
    /// Datagrams that were nobody's, or not what the protocol says.
    public let refusedDatagrams: Int

    @MainActor init(_ session: HostSession) {
        matches = session.match
        (steps, missedSteps) = (session.steps, session.missedSteps)
        (sentBytes, receivedBytes) = (session.traffic.sentBytes, session.traffic.receivedBytes)
        refusedDatagrams = session.traffic.refusedDatagrams
    }
}
