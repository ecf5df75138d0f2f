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

    private enum Line { case begin, bots, code, say, leave }

    /// The host also says how many bots there are, and what lets people in.
    private var lines: [Line] { party is HostParty ? [.begin, .bots, .code, .say, .leave] : [.begin, .say, .leave] }

    /// Returns whether the player stays.
    func run() async throws -> Bool {
        try await untilPhaseChanges(from: .lobby) {
            stage.screen = .lobby(match, party)
            let menu = Menu("", items, top: 396, isSmall: true)
            while true {
                let chosen = try await stage.choose(menu) { index, by in
                    guard lines[index] == .bots else { return }
                    change(bots: by)
                    menu.items = items
                }
                guard let chosen else { return false }
                switch lines[chosen] {
                case .begin: party.begin()
                case .bots: change(bots: 1)
                case .code: try await changeCode()
                case .say: try await stage.talk(party)
                case .leave: return false
                }
                // The host's answer takes a moment.
                try await stage.guest.waitForFrames(10)
                menu.items = items
            }
        }
    }

    private var items: [Menu.Item] {
        lines.map { line in
            switch line {
            case .begin: Menu.Item(label: party.beginning)
            case .bots: Menu.Item(label: "Bots", value: "\(host?.bots ?? 0)")
            case .code: Menu.Item(label: "Match code", value: host?.hasCode == true ? "Set" : "None")
            case .say: Menu.Item(label: "Say something")
            case .leave: Menu.Item(label: "Leave")
            }
        }
    }

    private var host: HostParty? { party as? HostParty }

    private func change(bots by: Int) {
        guard let host else { return }
        host.bots = (host.bots + by + GameProtocol.seats) % GameProtocol.seats
    }

    private func changeCode() async throws {
        guard
            let text = try await stage.readLine("Match code, or nothing", limit: GameProtocol.mostCodeLength),
            let code = MatchCode(text)
        else { return }
        host?.setCode(code)
    }

    private func untilPhaseChanges(from phase: Phase, _ body: @escaping @MainActor () async throws -> Bool) async throws
        -> Bool
    {
        try await stage.until({ party.phase != phase }, body)
    }
}

extension Stage {
    /// A line of chat, if the player writes one.
    func talk(_ party: any Party) async throws {
        let line = try await readLine("Say", limit: GameProtocol.mostChatLength)
        if let line, !line.isEmpty { party.say(line) }
    }

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
        stage.show(match)
        defer { stage.window.showsCursor = true }
        return try await stage.until({ party.phase != .playing }) {
            while true {
                let event = try await stage.guest.nextEvent {
                    Command($0) == .leave || Command($0) == .pause || stage.input.asks(for: .pause, $0)
                        || stage.input.asks(for: .chat, $0)
                }
                if stage.input.asks(for: .chat, event) {
                    try await stage.talk(party)
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
                try await stage.guest.waitForFrames(10)
                menu.items[0].label = party.beginning
            }
        }
    }
}
