// SPDX-License-Identifier: Apache-2.0
// Lobby: who is there, what they say, and who is ready.

import SkirmishNetwork
import SkirmishProtocol
import Tandem
import TandemSDL

struct Lobby {
    let stage: Stage
    let party: any Party
    let match: Match

    /// Returns whether the player stays.
    func run() async throws -> Bool {
        try await untilPhaseChanges(from: .lobby) {
            stage.screen = .lobby(match, party)
            let menu = Menu("", [party.beginning, "Say something", "Leave"], top: 400)
            while true {
                let line = try await stage.choose(menu)
                switch line {
                case 0: party.begin()
                case 1:
                    let line = try await stage.readLine("Say", limit: GameProtocol.mostChatLength)
                    if let line, !line.isEmpty { party.say(line) }
                default: return false
                }
                // The host's answer takes a moment.
                try await stage.guest.frames(10)
                menu.items[0].label = party.beginning
            }
        }
    }

    private func untilPhaseChanges(from phase: Phase, _ body: @escaping @MainActor () async throws -> Bool) async throws
        -> Bool
    {
        try await stage.until({ party.phase != phase }, body)
    }
}

extension Stage {
    /// Runs `body` until it returns, or `isOver` holds: then it is cancelled, and the answer is `true`.
    func until(
        _ isOver: @escaping @MainActor () -> Bool, _ body: @escaping @MainActor () async throws -> Bool
    ) async throws -> Bool {
        do {
            return try await guest.withScene { scene in
                scene.task { [self] in
                    try await guest.waitUntil { isOver() }
                    scene.end()
                }
                return try await body()
            }
        } catch is CancellationError where !Task.isCancelled {
            return true
        }
    }
}

/// A match with others: it does not pause, but its player may look at the menu.
struct NetworkMatch {
    let stage: Stage
    let party: any Party
    let match: Match

    func run() async throws -> Bool {
        defer { stage.window.showsCursor = true }
        stage.window.showsCursor = false
        stage.screen = .match(match, isPaused: false)
        stage.sound?.play(.wave)
        return try await stage.until({ party.phase != .playing }) {
            while true {
                let event = try await stage.guest.event {
                    Command($0) == .leave || Command($0) == .pause || stage.input.asks(for: .pause, $0)
                        || stage.input.asks(for: .chat, $0)
                }
                if stage.input.asks(for: .chat, event) {
                    let line = try await stage.readLine("Say", limit: GameProtocol.mostChatLength)
                    if let line, !line.isEmpty { party.say(line) }
                    continue
                }
                stage.window.showsCursor = true
                let menu = Menu("The match goes on", ["Go on", "Options", "Leave"])
                switch try await stage.choose(menu) {
                case 1: try await OptionsPage(stage: stage).run()
                case 2: return false
                default: break
                }
                stage.window.showsCursor = false
            }
        }
    }
}

/// The end of a match with others, and the way to the next one.
struct Scoreboard {
    let stage: Stage
    let party: any Party
    let match: Match

    func run() async throws -> Bool {
        stage.screen = .scores(match, party)
        return try await stage.until({ party.phase != .over }) {
            // Whoever fires to the last must not skip the end.
            try await stage.guest.loop.sleep(for: .seconds(1))
            let menu = Menu("", [party is HostParty ? "Play again" : party.beginning, "Leave"], top: 430)
            while true {
                guard try await stage.choose(menu) == 0 else { return false }
                party.begin()
                try await stage.guest.frames(10)
                menu.items[0].label = party.beginning
            }
        }
    }
}
