// SPDX-License-Identifier: Apache-2.0
// Join: the games on the local network, as they come and go, and any other by its address.

import SkirmishNetwork
import SkirmishProtocol
import Tandem
import TandemSDL

struct Join {
    /// The games of the menu's lines, as they were drawn last.
    private final class Shown {
        var games: [Search.Game] = []
    }

    let stage: Stage

    func run() async throws -> Choice? {
        let menu = Menu("Join a game", [], isSmall: true)
        let search = Search(on: stage.guest.loop, isLocal: stage.options.local)
        return try await stage.guest.withScene { scene in
            scene.run({ try await search.run() }) { result in
                if case .failure(let error as GuestError) = result { stage.notice = "\(error)" }
            }
            let shown = Shown()
            scene.task { await list(search, in: menu, shown) }
            while true {
                guard let line = try await stage.choose(menu) else { return nil }
                let games = shown.games
                if line < games.count {
                    let game = games[line]
                    guard game.answer.version == GameProtocol.version else {
                        stage.notice = "That host has version \(game.answer.version); this is \(GameProtocol.version)"
                        continue
                    }
                    guard let code = try await code(isNeeded: game.answer.needsCode) else { continue }
                    return .join(host: game.host, port: game.answer.port, code: code)
                }
                guard line == games.count else { return nil }
                guard let text = try await stage.readLine("Address", limit: 60) else { continue }
                guard let (host, port) = SkirmishCommand.address(text, standard: GameProtocol.port), port > 0 else {
                    stage.notice = "\"\(text)\" is no address; expected HOST or HOST:PORT"
                    continue
                }
                guard let code = try await code(isNeeded: true) else { continue }
                return .join(host: host, port: port, code: code)
            }
        }
    }

    private func code(isNeeded: Bool) async throws -> String? {
        if !isNeeded { return "" }
        return try await stage.readLine("Match code, or nothing", limit: GameProtocol.mostCodeLength)
    }

    /// Keeps the menu's lines up to date, frame by frame.
    private func list(_ search: Search, in menu: Menu, _ shown: Shown) async {
        for await _ in stage.guest.frames {
            let games = search.games
            menu.hint = games.isEmpty ? "Looking for games here" : ""
            menu.show(Self.lines(games)) { Self.place(of: $0, in: shown.games, now: games) }
            shown.games = games
        }
    }

    static func lines(_ games: [Search.Game]) -> [Menu.Item] {
        let lines = games.map { game in
            let code = game.answer.needsCode ? ", code" : ""
            return Menu.Item(label: game.answer.name, value: "\(game.answer.people) of 8\(code)")
        }
        return lines + [Menu.Item(label: "Another address"), Menu.Item(label: "Back")]
    }

    /// Where a line stands after games have come and gone: a game's own line, or one of the two below them.
    static func place(of line: Int, in shown: [Search.Game], now games: [Search.Game]) -> Int? {
        if line >= shown.count { return games.count + line - shown.count }
        return games.firstIndex { $0.id == shown[line].id }
    }
}
