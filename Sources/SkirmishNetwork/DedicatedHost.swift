// SPDX-License-Identifier: Apache-2.0
// DedicatedHost: a host without a player of its own, for a server that is a package of its own.
// Idea:   what such a server may see and change of a host, and nothing else: the rules and the protocol stay this package's.
// Owner:  the main actor, which lives on the loop.

public import SkirmishMatch
internal import SkirmishProtocol
public import Tandem

/// A host of Skirmish that nobody sits at. People join by TCP and UDP on one port; a match begins when all of them are ready.
@MainActor public final class DedicatedHost {
    /// What a host is told at its beginning.
    public nonisolated struct Settings: Sendable, Hashable {
        /// Where people connect to: an address of this machine in figures, and a port; 0 is any that is free.
        public var address = "127.0.0.1"
        /// See ``address``.
        public var port: UInt16 = 0
        /// The word that lets people in; empty: everybody may come.
        public var code = ""
        /// Seats that bots take as long as people leave them free.
        public var bots = 2
        /// How many people may be there at once, 1 to 8.
        public var capacity = 8
        /// What chance begins with.
        public var seed: UInt64 = 1

        /// The settings above.
        public init() {}
    }

    /// A setting that a host cannot have: which one, and what was expected.
    public nonisolated struct InvalidSetting: Error, Sendable, CustomStringConvertible {
        /// One sentence.
        public let description: String
    }

    private let session: HostSession
    private let loop: GuestLoop

    /// Listens at once. `loop` is the main actor's.
    ///
    /// - Throws: ``InvalidSetting``; what the sockets throw: a port that is taken, say.
    public init(on loop: GuestLoop, _ settings: Settings = Settings()) throws {
        var options = HostOptions(address: try SocketAddress(host: settings.address, port: settings.port))
        options.code = try Self.code(settings.code)
        guard (0...GameProtocol.seats).contains(settings.bots) else {
            throw InvalidSetting(description: "bots was \(settings.bots); expected 0 to \(GameProtocol.seats)")
        }
        guard (1...GameProtocol.seats).contains(settings.capacity) else {
            throw InvalidSetting(description: "capacity was \(settings.capacity); expected 1 to \(GameProtocol.seats)")
        }
        (options.bots, options.capacity, options.seed) = (settings.bots, settings.capacity, settings.seed)
        options.discoveryPort = nil
        self.loop = loop
        session = try HostSession(on: loop, options)
    }

    private static func code(_ text: String) throws -> MatchCode {
        // What was given is not repeated: it is a secret.
        guard let code = MatchCode(text) else {
            throw InvalidSetting(
                description: "the code has more than \(GameProtocol.mostCodeLength) characters, or others than ASCII's")
        }
        return code
    }

    /// Where people connect to.
    public var port: UInt16 { session.address.port ?? 0 }

    /// How many people are there.
    public var people: Int { session.people }

    /// How many people may be there.
    public var capacity: Int { session.options.capacity }

    /// The match as an onlooker sees it; `nil` before the first one.
    public var state: MatchState? { session.arena.map { MatchState($0.world) } }

    /// Who is there, and how the match stands.
    public var standing: Standing { Standing(session) }

    /// What was sent and received, and what came too late.
    public var figures: HostFigures { HostFigures(session) }

    /// Serves, plays and steps sixty times a second until the task is cancelled; whoever is there is told then that the game has ended.
    ///
    /// - Parameter goesOn: asked after each beat's steps; `false` ends it.
    public func run(while goesOn: () -> Bool = { true }) async throws { try await session.runAlone(while: goesOn) }

    /// Begins a match, whoever is ready, unless one is on or the host drains. With nobody there it is one of bots.
    public func startMatch() {
        if session.phase != .playing, !session.isDraining { session.startMatch() }
    }

    /// What lets people in from now on; whoever is there stays.
    ///
    /// - Throws: ``InvalidSetting``
    public func setCode(_ text: String) throws { session.setCode(try Self.code(text)) }

    /// How many people are let in from now on, within 0 to 8; whoever is there stays.
    public func setCapacity(_ count: Int) { session.setCapacity(count) }

    /// Ends the host in good order: nobody is let in from now on; the match that people play goes on to its end, for `limit` at the most;
    /// its scores are told, then the good-bye. Returns when everybody has been told. Somebody else's task is still in ``run(while:)``.
    public func drain(within limit: Duration) async {
        session.drain()
        let end = loop.now.advanced(by: limit)
        while session.phase == .playing, session.people > 0, loop.now < end, !Task.isCancelled {
            try? await loop.sleep(for: .milliseconds(20))
        }
        session.endMatch()
        await session.close()
    }
}
