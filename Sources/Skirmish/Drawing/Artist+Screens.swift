// SPDX-License-Identifier: Apache-2.0
// Artist+Screens: what is laid over the arena: title, game over.

import Foundation
import SkirmishRules

extension Artist {
    func drawTitle(best: Int, time: Double) {
        shade(0.6)
        text.drawShining("SKIRMISH", at: Vector(480, 62), size: 5.2, .cyan)
        text.draw(
            "Gather energy. Outfly the drones. Defend the beacon.", at: Vector(480, 168), size: 1.15, .text, .centre)
        if best > 0 { text.draw("Best score \(best)", at: Vector(480, 196), size: 1, .quiet, .centre) }
        drawKeys()
        for (index, (name, what)) in [
            ("ship-player", "You"), ("ship-bot", "Friend"), ("drone-chaser", "50"), ("drone-orbiter", "100"),
            ("drone-splitter", "150"), ("cell", "Energy"),
        ].enumerated() {
            let place = Vector(480 + (Double(index) - 2.5) * 104, 448)
            glow(place, 84, Tint(0x18283C))
            picture(name, place)
            text.draw(what, at: place + Vector(0, 38), size: 0.9, .quiet, .centre)
        }
    }

    /// One line of key caps and what they do.
    private func drawKeys() {
        let keys: [(caps: [String], what: String)] = [
            (["W", "A", "S", "D"], "fly"), (["Mouse"], "aim, fire"), (["Space"], "fire"), (["P"], "pause"),
            (["Esc"], "leave"),
        ]
        let size = 0.75
        let (gap, between) = (6.0, 20.0)
        func width(cap: String) -> Double { Double(cap.count) * 12 * size + 12 }
        func width(words: String) -> Double { Double(words.count) * 12 * size }
        let whole =
            keys.map { key in
                key.caps.map { width(cap: $0) + gap }.reduce(0, +) + width(words: key.what)
            }.reduce(0, +) + between * Double(keys.count - 1)
        var x = 480 - whole / 2
        for (caps, what) in keys {
            for cap in caps {
                box(Vector(x, 514), width(cap: cap), 20, Tint(0x16243C), isFilled: true, opacity: 0.9)
                box(Vector(x, 514), width(cap: cap), 20, Tint(0x4A6A96), isFilled: false)
                text.draw(cap, at: Vector(x + width(cap: cap) / 2, 517), size: size, .text, .centre)
                x += width(cap: cap) + gap
            }
            text.draw(what, at: Vector(x, 517), size: size, .quiet)
            x += width(words: what) + between
        }
    }

    func drawOver(_ world: World, best: Int, isBest: Bool, time: Double) {
        shade(0.68)
        let line = world.beacon.health <= 0 ? "The beacon is lost" : "No ship is left"
        text.drawShining(line, at: Vector(480, 130), size: 2.9, .red)
        text.draw("Score", at: Vector(480, 222), size: 1, .quiet, .centre)
        text.draw("\(world.score)", at: Vector(480, 242), size: 3, .text, .centre)
        if isBest {
            text.draw(
                "Nobody was better", at: Vector(480, 312), size: 1.3, .yellow, .centre,
                opacity: 0.7 + 0.3 * sin(time * 5))
        } else {
            text.draw("Best \(best)", at: Vector(480, 312), size: 1.3, .quiet, .centre)
        }
        text.draw("Wave \(world.wave)", at: Vector(480, 340), size: 1.1, .quiet, .centre)
    }
}
