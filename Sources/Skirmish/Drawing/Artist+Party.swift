// SPDX-License-Identifier: Apache-2.0
// Artist+Party: the lobby and the scores of a match with others.

import Foundation
import SkirmishProtocol
import SkirmishRules

extension Artist {
    func drawLobby(_ party: any Party, time: Double) {
        text.drawShining("LOBBY", at: Vector(480, 26), size: 3.2, .cyan)
        for number in 0..<GameProtocol.seats {
            let place = Vector(60 + Double(number % 2) * 430, 96 + Double(number / 2) * 42)
            box(place, 410, 36, Tint(0x0E1A2E), isFilled: true, opacity: 0.85)
            guard let seat = party.seats.first(where: { $0.number == number }) else {
                text.draw("empty", at: place + Vector(16, 10), size: 0.95, Tint.quiet.dimmed(0.6))
                continue
            }
            let isPerson = seat.pilot == 2
            box(place, 410, 36, number == party.mySeat ? .yellow : Tint(0x2A4468), isFilled: false)
            picture("ship-seat", place + Vector(24, 18), wide: 0.6, high: 0.6, tint: .seat(number))
            text.draw(seat.name, at: place + Vector(50, 9), size: 1.05, .text)
            let state = !isPerson ? "bot" : seat.isReady ? "ready" : "waits"
            text.draw(state, at: place + Vector(396, 10), size: 0.9, seat.isReady && isPerson ? .green : .quiet, .right)
        }
        if let invitation = party.invitation {
            text.draw(invitation, at: Vector(480, 268), size: 0.9, .quiet, .centre)
        }
        drawChat(party, lines: 4, left: 60, bottom: 362)
    }

    func drawScores(_ party: any Party, _ world: World, time: Double) {
        shade(0.7)
        let line =
            world.beacon.health <= 0 ? "The beacon is lost" : world.isOver ? "No ship is left" : "The match is over"
        text.drawShining(line, at: Vector(480, 44), size: 2.6, .red)
        guard let results = party.results else { return }
        text.draw("Together \(results.total)", at: Vector(480, 112), size: 1.3, .yellow, .centre)
        let sorted = results.seats.sorted { ($0.score, $1.number) > ($1.score, $0.number) }
        for (index, seat) in sorted.enumerated() {
            let y = 152 + Double(index) * 32
            box(Vector(220, y - 4), 520, 28, Tint(0x0E1A2E), isFilled: true, opacity: 0.85)
            if seat.number == party.mySeat { box(Vector(220, y - 4), 520, 28, .yellow, isFilled: false) }
            text.draw("\(index + 1)", at: Vector(236, y), size: 1, .quiet)
            picture("ship-seat", Vector(282, y + 10), wide: 0.45, high: 0.45, tint: .seat(seat.number))
            text.draw(seat.name, at: Vector(306, y), size: 1.1, seat.pilot == 2 ? .text : .quiet)
            text.draw("\(seat.score)", at: Vector(724, y), size: 1.1, .cyan, .right)
        }
    }
}

extension Tint {
    /// A colour for each seat.
    static func seat(_ number: Int) -> Tint {
        let tints = [
            Tint(0x4DF3FF), Tint(0x7CFF9B), Tint(0xFFB347), Tint(0xD46BFF), Tint(0xFF7A90), Tint(0xF7FF78),
            Tint(0x9AD0FF), Tint(0xFFFFFF),
        ]
        return tints[((number % 8) + 8) % 8]
    }
}
