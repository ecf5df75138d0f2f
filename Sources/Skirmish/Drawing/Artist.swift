// SPDX-License-Identifier: Apache-2.0
// Artist: draws the scenes. Reads the world, changes nothing.

import CSDL2
import Foundation
import SkirmishRules

@MainActor
final class Artist {
    private let renderer: OpaquePointer
    private let assets: Assets
    private let text: TextPainter

    init(_ renderer: OpaquePointer, _ assets: Assets) {
        self.renderer = renderer
        self.assets = assets
        text = TextPainter(renderer, assets.font)
        // Light adds up.
        for name in ["glow", "shot-friendly", "shot-hostile"] {
            SDL_SetTextureBlendMode(assets.pictures[name]!.texture, SDL_BLENDMODE_ADD)
        }
    }

    func drawTitle() {
        glow(World.size * 0.5 + Vector(0, -70), 620, (30, 90, 140))
        text.draw("SKIRMISH", at: Vector(480, 150), size: 5, colour: (77, 243, 255), isCentred: true)
        text.draw(
            "Gather energy. Outfly the drones. Defend the beacon.", at: Vector(480, 250), size: 1.1,
            colour: (190, 210, 235), isCentred: true)
        text.draw(
            "W A S D  fly     mouse  aim and fire     space  fire     P  pause", at: Vector(480, 330), size: 0.9,
            colour: (140, 165, 200), isCentred: true)
        text.draw("Press Enter", at: Vector(480, 400), size: 1.6, colour: (247, 255, 120), isCentred: true)
        for (index, name) in ["drone-chaser", "drone-orbiter", "drone-splitter", "ship-player", "ship-bot", "cell"]
            .enumerated()
        {
            picture(name, Vector(480 + (Double(index) - 2.5) * 80, 480), Vector(0, -1))
        }
    }

    func drawMatch(_ match: Match) {
        let world = match.world
        drawBeacon(world)
        for cell in world.cells where cell.timeLeft > 3 || Int(cell.timeLeft * 6) % 2 == 0 {
            glow(cell.position, 60, (90, 95, 20))
            picture("cell", cell.position, Vector(0, -1))
        }
        for drone in world.drones { picture(Self.name(drone.kind), drone.position, drone.velocity.unit) }
        for ship in world.ships where ship.isFlying { draw(ship) }
        for shot in world.shots {
            picture(shot.isHostile ? "shot-hostile" : "shot-friendly", shot.position, Vector(0, -1))
        }
        for spark in match.particles.sparks {
            let part = spark.left / spark.life
            let (red, green, blue) = spark.colour
            glow(
                spark.place, spark.size * (0.6 + part),
                (UInt8(Double(red) * part), UInt8(Double(green) * part), UInt8(Double(blue) * part)))
        }
        drawFigures(world)
        if !match.announcement.isEmpty {
            text.draw(match.announcement, at: Vector(480, 130), size: 2.6, colour: (247, 255, 120), isCentred: true)
        }
    }

    private func drawBeacon(_ world: World) {
        let health = Double(world.beacon.health) / Double(Beacon.fullHealth)
        let pulse = 1 + 0.06 * sin(Double(world.steps) / 14)
        glow(
            world.beacon.position, 330 * pulse, (UInt8(90 * (1 - health)), UInt8(70 * health), UInt8(40 + 90 * health)))
        picture("beacon", world.beacon.position, Vector(sin(Double(world.steps) / 90), -cos(Double(world.steps) / 90)))
    }

    private func draw(_ ship: Ship) {
        // A ship that has just returned flickers while nothing hurts it.
        if ship.protection > 0, Int(ship.protection * 14) % 2 == 0 { return }
        glow(ship.position - ship.aim * 16, 30 + ship.velocity.length / 9, (40, 110, 150))
        picture(ship.isPlayer ? "ship-player" : "ship-bot", ship.position, ship.aim)
    }

    private func drawFigures(_ world: World) {
        text.draw("Score \(world.score)", at: Vector(18, 12), size: 1.2, colour: (220, 235, 255))
        text.draw("Wave \(world.wave)", at: Vector(480, 12), size: 1.2, colour: (220, 235, 255), isCentred: true)
        text.draw(
            String(repeating: "^", count: max(0, world.player.lives)), at: Vector(880, 12), size: 1.4,
            colour: (77, 243, 255))
        bar(Vector(18, 502), "Energy", world.player.energy / Ship.fullEnergy, (77, 243, 255))
        bar(Vector(270, 502), "Hull", Double(max(0, world.player.health)) / Double(Ship.fullHealth), (124, 255, 155))
        bar(Vector(716, 502), "Beacon", Double(world.beacon.health) / Double(Beacon.fullHealth), (154, 208, 255))
    }

    func drawPause() {
        shade(150)
        text.draw("Paused", at: Vector(480, 230), size: 3, colour: (220, 235, 255), isCentred: true)
        text.draw("P goes on, Escape leaves", at: Vector(480, 310), size: 1, colour: (150, 175, 210), isCentred: true)
    }

    func drawOver(_ world: World) {
        shade(130)
        text.draw(
            world.beacon.health <= 0 ? "The beacon is lost" : "No ship is left", at: Vector(480, 180), size: 2.4,
            colour: (255, 110, 110), isCentred: true)
        text.draw(
            "Score \(world.score)   Wave \(world.wave)", at: Vector(480, 265), size: 1.6, colour: (220, 235, 255),
            isCentred: true)
        text.draw("Press Enter to try again", at: Vector(480, 340), size: 1.1, colour: (247, 255, 120), isCentred: true)
    }

    // MARK: - Parts

    private static func name(_ kind: Drone.Kind) -> String {
        switch kind {
        case .chaser: "drone-chaser"
        case .orbiter: "drone-orbiter"
        case .splitter: "drone-splitter"
        }
    }

    /// A picture, turned from pointing up to `direction`.
    private func picture(_ name: String, _ place: Vector, _ direction: Vector) {
        let picture = assets.pictures[name]!
        var target = SDL_FRect(
            x: Float(place.x) - Float(picture.width) / 2, y: Float(place.y) - Float(picture.height) / 2,
            w: Float(picture.width), h: Float(picture.height))
        if direction.x == 0, direction.y <= 0 {
            SDL_RenderCopyF(renderer, picture.texture, nil, &target)
        } else {
            let angle = atan2(direction.x, -direction.y) * 180 / .pi
            SDL_RenderCopyExF(renderer, picture.texture, nil, &target, angle, nil, SDL_FLIP_NONE)
        }
    }

    private func glow(_ place: Vector, _ size: Double, _ colour: (UInt8, UInt8, UInt8)) {
        let glow = assets.pictures["glow"]!
        SDL_SetTextureColorMod(glow.texture, colour.0, colour.1, colour.2)
        var target = SDL_FRect(
            x: Float(place.x - size / 2), y: Float(place.y - size / 2), w: Float(size), h: Float(size))
        SDL_RenderCopyF(renderer, glow.texture, nil, &target)
    }

    private func bar(_ place: Vector, _ title: String, _ part: Double, _ colour: (UInt8, UInt8, UInt8)) {
        text.draw(title, at: place, size: 0.9, colour: colour)
        var frame = SDL_Rect(x: Int32(place.x) + 90, y: Int32(place.y) + 5, w: 130, h: 12)
        SDL_SetRenderDrawColor(renderer, colour.0 / 3, colour.1 / 3, colour.2 / 3, 255)
        SDL_RenderDrawRect(renderer, &frame)
        var filled = SDL_Rect(x: frame.x + 2, y: frame.y + 2, w: Int32(126 * min(max(part, 0), 1)), h: 8)
        SDL_SetRenderDrawColor(renderer, colour.0, colour.1, colour.2, 255)
        SDL_RenderFillRect(renderer, &filled)
    }

    private func shade(_ alpha: UInt8) {
        SDL_SetRenderDrawBlendMode(renderer, SDL_BLENDMODE_BLEND)
        SDL_SetRenderDrawColor(renderer, 4, 5, 14, alpha)
        SDL_RenderFillRect(renderer, nil)
        SDL_SetRenderDrawBlendMode(renderer, SDL_BLENDMODE_NONE)
    }
}
