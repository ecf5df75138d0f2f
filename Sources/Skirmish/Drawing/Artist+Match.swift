// SPDX-License-Identifier: Apache-2.0
// Artist+Match: the arena and what is in it.

import Foundation
import SkirmishRules
import TandemSDL

extension Artist {
    func drawMatch(_ match: Match) {
        let (world, effects) = (match.world, match.effects)
        let time = Double(world.steps) / 60
        let shake = effects.shake * effects.shake * 9
        camera = Vector(sin(time * 71) * shake, cos(time * 57) * shake)
        defer { camera = .zero }
        drawBeacon(world, time)
        for cell in world.cells where cell.timeLeft > 3 || Int(cell.timeLeft * 6) % 2 == 0 {
            glow(cell.position, 56 + 10 * sin(time * 5 + cell.position.x), Tint(0x5A5F14))
            picture("cell", cell.position)
        }
        for drone in world.drones { draw(drone, flash: effects.flash(near: drone.position, within: drone.radius + 8)) }
        for ship in world.ships where ship.isFlying { draw(ship, match, time) }
        for shot in world.shots {
            picture(
                shot.isHostile ? "shot-hostile" : "shot-friendly", shot.position + shot.velocity * ahead,
                shot.velocity.unit,
                wide: shot.isHostile ? 0.9 : 0.7, high: shot.isHostile ? 1.3 : 2.2)
        }
        for spark in effects.sparks {
            let part = spark.left / spark.life
            glow(spark.place, spark.size * (0.6 + part), spark.tint.dimmed(part))
        }
        for figure in effects.figures {
            text.draw(
                figure.text, at: figure.place + camera + Vector(0, -22), size: 0.9, figure.tint, .centre,
                opacity: figure.left * 2)
        }
    }

    private func drawBeacon(_ world: World, _ time: Double) {
        let health = Double(world.beacon.health) / Double(Beacon.fullHealth)
        let place = world.beacon.position
        glow(place, 320 + 18 * sin(time * 4.3), Tint(0x5A1830).mixed(with: Tint(0x0E4A86), health))
        if world.beacon.health > 0 {
            let angle = time / 1.5
            picture(
                "beacon", place, Vector(sin(angle), -cos(angle)), tint: Tint(0xFF6A6A).mixed(with: .white, health))
        }
    }

    private func draw(_ drone: Drone, flash: Double) {
        let (name, tint) =
            switch drone.kind {
            case .chaser: ("drone-chaser", Tint.red)
            case .orbiter: ("drone-orbiter", Tint.orange)
            case .splitter: ("drone-splitter", Tint.violet)
            }
        let place = drone.position + drone.velocity * ahead
        glow(place, drone.radius * 5, tint.dimmed(0.22))
        picture(name, place, drone.velocity.unit)
        // What was hit lights up.
        if flash > 0 { glow(place, drone.radius * 4, Tint.white.dimmed(flash * 0.9)) }
        // What it takes shows once it has taken something.
        let full = Drone.fullHealth(drone.kind)
        if drone.health < full {
            let bar = place + camera + Vector(-14, drone.radius + 6)
            box(bar, 28, 3, tint.dimmed(0.3), isFilled: true)
            box(bar, 28 * Double(max(0, drone.health)) / Double(full), 3, tint, isFilled: true)
        }
    }

    private func draw(_ ship: Ship, _ match: Match, _ time: Double) {
        // A ship that has just returned flickers while nothing hurts it.
        if ship.protection > 0, Int(ship.protection * 14) % 2 == 0 { return }
        let isAmongOthers = !match.names.isEmpty
        let tint = isAmongOthers ? Tint.seat(ship.number) : ship.isPlayer ? Tint.cyan : .green
        let place = ship.position + ship.velocity * ahead
        glow(place, 64, tint.dimmed(0.2))
        glow(place - ship.aim * 16, 26 + ship.velocity.length / 8 + 4 * sin(time * 40), Tint(0x2878A0))
        let isOwn = ship.number == match.seat
        picture(
            isAmongOthers ? "ship-seat" : isOwn && ship.isPlayer ? "ship-player" : "ship-bot", place, ship.aim,
            tint: isAmongOthers ? tint : .white)
        let flash = match.effects.flash(near: ship.position, within: Ship.radius + 8)
        if flash > 0 { glow(place, 60, Tint.white.dimmed(flash * 0.8)) }
        if isAmongOthers, !isOwn, let name = match.names[ship.number] {
            text.draw(name, at: place + camera + Vector(0, 20), size: 0.6, tint, .centre, opacity: 0.8)
        }
    }
}
