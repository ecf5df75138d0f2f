// SPDX-License-Identifier: Apache-2.0
// Artist+Figures: what stands around the arena while somebody plays: score, wave, lives, bars, warnings, the crosshair.

import Foundation
import SkirmishRules

extension Artist {
    func drawFigures(_ match: Match, best: Int, time: Double, isCovered: Bool) {
        let (world, effects) = (match.world, match.effects)
        edge(.red, effects.hurt)
        edge(Tint(0x3A8CFF), effects.alarm * 0.8)

        text.draw("Score", at: Vector(18, 10), size: 0.8, .quiet)
        text.draw("\(world.score)", at: Vector(18, 25), size: 1.5, .text)
        text.draw("Wave \(world.wave)", at: Vector(480, 10), size: 1.3, .text, .centre)
        box(Vector(420, 38), 120, 4, Tint.orange.dimmed(0.25), isFilled: true)
        box(Vector(420, 38), 120 * match.waveLeft, 4, .orange, isFilled: true)
        text.draw("Best", at: Vector(942, 10), size: 0.8, .quiet, .right)
        text.draw("\(max(best, world.score))", at: Vector(942, 25), size: 1.5, .text, .right)

        for life in 0..<max(0, match.own.lives) {
            picture("ship-player", Vector(30 + Double(life) * 26, 488), wide: 0.5, high: 0.5)
        }
        bar(18, "Energy", match.own.energy / Ship.fullEnergy, .cyan, time)
        bar(258, "Hull", Double(max(0, match.own.health)) / Double(Ship.fullHealth), .green, time)
        bar(738, "Beacon", Double(world.beacon.health) / Double(Beacon.fullHealth), .blue, time)

        if !isCovered, let (line, since) = match.announcement {
            let age = Double(world.steps - since) / 60
            let opacity = min(1, age * 4, (2 - age) * 2)
            text.draw(
                line, at: Vector(480, 120 - 12 * min(1, age * 2)), size: 3, Tint.yellow, .centre, opacity: opacity)
        }
        if !isCovered, match.own.returnsIn > 0 {
            text.draw(
                "Back in \(Int(match.own.returnsIn.rounded(.up)))", at: Vector(480, 372), size: 1.4, .cyan, .centre)
        }
        if let target = match.crosshair { drawCrosshair(target, time) }
    }

    /// Light along the four edges.
    private func edge(_ tint: Tint, _ strength: Double) {
        guard strength > 0.02 else { return }
        let tint = tint.dimmed(strength * 0.7)
        for y in [0, World.size.y] { glow(Vector(World.size.x / 2, y), World.size.x * 1.5, tint, high: 0.12) }
        for x in [0, World.size.x] { glow(Vector(x, World.size.y / 2), 200, tint, high: 4.5) }
    }

    private func bar(_ x: Double, _ title: String, _ part: Double, _ tint: Tint, _ time: Double) {
        // What runs out blinks.
        let tint = part < 0.3 && Int(time * 5) % 2 == 0 ? Tint.red : tint
        text.draw(title, at: Vector(x, 505), size: 0.9, tint)
        box(Vector(x + 76, 508), 128, 11, tint.dimmed(0.15), isFilled: true)
        box(Vector(x + 76, 508), 128 * min(max(part, 0), 1), 11, tint, isFilled: true, opacity: 0.9)
        box(Vector(x + 76, 508), 128, 11, tint.dimmed(0.6), isFilled: false)
    }

    private func drawCrosshair(_ place: Vector, _ time: Double) {
        for (dx, dy, width, height) in [(-14.0, -1.0, 8.0, 2.0), (6, -1, 8, 2), (-1, -14, 2, 8), (-1, 6, 2, 8)] {
            box(place + Vector(dx, dy), width, height, .cyan, isFilled: true, opacity: 0.85)
        }
        glow(place, 14, Tint.cyan.dimmed(0.5))
    }
}
