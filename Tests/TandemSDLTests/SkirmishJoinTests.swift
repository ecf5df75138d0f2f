// SPDX-License-Identifier: Apache-2.0
// SkirmishJoinTests: the list of games on the local network, which come and go while somebody chooses.

import SkirmishProtocol
import Testing

@testable import Skirmish
@testable import SkirmishNetwork

extension SDL {
    @Suite @MainActor struct SkirmishJoinTests {
        private func game(_ name: String, people: Int = 1) -> Search.Game {
            let answer = Discovery.Answer(
                nonce: 1, version: GameProtocol.version, port: 7000, people: people, needsCode: false, name: name)
            return Search.Game(id: name, host: "127.0.0.1", answer: answer)
        }

        private func show(_ games: [Search.Game], after shown: [Search.Game], in menu: Menu) -> String {
            menu.show(Join.lines(games)) { Join.place(of: $0, in: shown, now: games) }
            return menu.items[menu.selected].label
        }

        @Test func whoHasChosenALineKeepsItWhenGamesComeAndGo() {
            let menu = Menu("Join a game", [], isSmall: true)
            #expect(show([], after: [], in: menu) == "Another address")
            menu.selected = 0
            #expect(show([game("Ann")], after: [], in: menu) == "Another address")
            #expect(show([game("Bob"), game("Ann")], after: [game("Ann")], in: menu) == "Another address")
            menu.selected = 1
            #expect(show([game("Ann", people: 2)], after: [game("Bob"), game("Ann")], in: menu) == "Ann")
            #expect(show([game("Cem"), game("Ann")], after: [game("Ann")], in: menu) == "Ann")
            #expect(show([], after: [game("Cem"), game("Ann")], in: menu) == "Back")
        }

        @Test func whoHasNotChosenIsOfferedTheFirstGame() {
            let menu = Menu("Join a game", [], isSmall: true)
            #expect(show([], after: [], in: menu) == "Another address")
            #expect(show([game("Ann")], after: [], in: menu) == "Ann")
        }
    }
}
