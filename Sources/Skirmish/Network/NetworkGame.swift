// SPDX-License-Identifier: Apache-2.0
// NetworkGame: an evening with others: lobby, match, scores, and again.
// Idea:   the network is a task in the scene. It ends with the scene, and the scene with it: a host that leaves is an error that ends the
//         scene with its reason.

import Foundation
import SkirmishNetwork
import SkirmishProtocol
import SkirmishRules
import Tandem
import TandemSDL

struct NetworkGame {
    let stage: Stage

    /// Hosts a game until the player leaves. What goes wrong is a notice on the title.
    func host(_ options: HostOptions) async throws {
        try await reporting {
            let loop = stage.guest.loop
            if stage.options.matches > 1 {
                return try await ManyMatches(stage: stage, options: options).run(stage.options.matches)
            }
            let session = try HostSession(on: loop, options)
            if stage.options.isAutomatic { try session.announce() }
            let party = HostParty(session, loop)
            try await stage.guest.withScene { scene in
                scene.task { try await session.run() }
                scene.task { try await session.runMatches(scene.clock) }
                try await play(party, scene)
            }
        }
    }

    /// Plays in another's game until the player leaves, or the host does.
    func join(_ host: String, _ port: UInt16, code: String) async throws {
        try await reporting {
            let loop = stage.guest.loop
            guard let session = try await connect(host, port, code: code) else { return }
            let party = GuestParty(session, loop)
            try await stage.guest.withScene { scene in
                scene.task { try await session.run() }
                try await play(party, scene)
            }
        }
    }

    /// `nil`: the player gave up waiting.
    private func connect(_ host: String, _ port: UInt16, code: String) async throws -> ClientSession? {
        let loop = stage.guest.loop
        stage.notice = "Connecting to \(host). Escape gives up."
        defer { stage.notice = nil }
        do {
            return try await stage.guest.withScene { scene in
                scene.task {
                    _ = try await stage.guest.nextEvent { Command($0) == .leave }
                    scene.end()
                }
                return try await ClientSession.join(
                    host, port: port, name: stage.options.name ?? stage.settings.name, code: code,
                    conditions: stage.options.conditions, on: loop)
            }
        } catch is CancellationError where !Task.isCancelled {
            return nil
        }
    }

    private func reporting(_ body: () async throws -> Void) async throws {
        defer {
            if let party = stage.party { stage.networkReport = party.report }
            stage.party = nil
        }
        do {
            try await body()
        } catch let refusal as Refusal {
            stage.notice = refusal.words.prefix(1).uppercased() + refusal.words.dropFirst()
            if stage.options.isAutomatic, refusal != .closed { throw Trouble(refusal.words) }
        } catch is TimeoutError {
            stage.notice = "The host did not answer within ten seconds"
            if stage.options.isAutomatic { throw Trouble(stage.notice!) }
        } catch let error where !(error is CancellationError) {
            stage.notice = "\(error)"
            if stage.options.isAutomatic { throw Trouble("\(error)") }
        }
    }

    /// Lobby, match, scores, until the player leaves.
    private func play(_ party: any Party, _ scene: GuestScene) async throws {
        let match = Match(seat: party.mySeat)
        stage.party = party
        scene.task { await steps(party, match) }
        scene.task { for await _ in stage.guest.frames(in: .lateUpdate) { party.show(match) } }
        scene.task { await match.moveEffects(scene) }
        if stage.options.isAutomatic { return try await watch(party, match) }
        var isStaying = true
        while isStaying {
            isStaying =
                switch party.phase {
                case .lobby: try await Lobby(stage: stage, party: party, match: match).run()
                case .playing: try await NetworkMatch(stage: stage, party: party, match: match).run()
                case .over: try await Scoreboard(stage: stage, party: party, match: match).run()
                }
        }
        await party.finish()
    }

    /// Sixty times a second, whatever is on the screen.
    private func steps(_ party: any Party, _ match: Match) async {
        for await _ in stage.guest.frames(in: .fixedUpdate) {
            match.names = Dictionary(party.seats.map { ($0.number, $0.name) }) { first, _ in first }
            party.advance(intent(party, match), match)
            for event in match.takeEvents() { stage.sound?.play(event) }
        }
    }

    private func intent(_ party: any Party, _ match: Match) -> Intent {
        if stage.options.isAutomatic {
            guard let world = party.seen, world.ships.indices.contains(party.mySeat) else { return Intent() }
            return BotPilot.decide(world, ship: party.mySeat)
        }
        guard party.phase == .playing, stage.typed == nil, stage.menu == nil else { return Intent() }
        let intent = stage.input.intent(match.world, ship: party.mySeat)
        match.steer(intent)
        return intent
    }

    /// Nobody sits in front of it: it is ready for every match, and ends when its time is up.
    private func watch(_ party: any Party, _ match: Match) async throws {
        stage.screen = .match(match, isPaused: false)
        while !stage.isTimeUp {
            try await stage.guest.loop.sleep(for: .milliseconds(100))
            guard party.phase != .playing else { continue }
            let mine = party.seats.first { $0.number == party.mySeat }
            let others = party.seats.filter { $0.pilot == 2 && $0.number != party.mySeat }
            if party is HostParty {
                if !others.isEmpty, others.allSatisfy(\.isReady) { party.begin() }
            } else if mine?.isReady == false {
                party.begin()
            }
        }
        await party.finish()
    }
}

extension HostSession {
    /// Says on the standard output where others join: whoever started this process waits for that.
    func announce() throws {
        try FileHandle.standardOutput.write(contentsOf: Data("hosting on \(address)\n".utf8))
    }
}
