// SPDX-License-Identifier: Apache-2.0
// Particles: sparks for what happened. Their chance is their own, and their number has a limit.

import SkirmishRules

@MainActor
struct Particles {
    struct Spark {
        var place: Vector
        var velocity: Vector
        var left: Double
        let life: Double
        let size: Double
        let colour: (UInt8, UInt8, UInt8)
    }

    static let most = 700
    private(set) var sparks: [Spark] = []
    /// How hard the picture shakes, 0…1.
    private(set) var shake = 0.0
    private var chance = Generator(seed: 7)

    mutating func show(_ event: WorldEvent) {
        switch event {
        case .shot(let place, let isHostile):
            burst(place, 2, speed: 40, life: 0.12, size: 8, isHostile ? (255, 120, 80) : (120, 245, 255))
        case .hit(let place): burst(place, 6, speed: 130, life: 0.25, size: 7, (255, 230, 180))
        case .explosion(let place, let size):
            burst(place, Int(26 * size), speed: 190 * size.squareRoot(), life: 0.7, size: 13, (255, 150, 70))
            burst(place, Int(10 * size), speed: 70, life: 0.5, size: 26, (255, 220, 150))
            shake = min(1, shake + 0.2 * size)
        case .cellGathered(let place): burst(place, 14, speed: 90, life: 0.5, size: 8, (247, 255, 120))
        case .beaconHit:
            burst(World.size * 0.5, 12, speed: 150, life: 0.4, size: 10, (150, 200, 255))
            shake = min(1, shake + 0.25)
        case .shipLost(let place, _): burst(place, 40, speed: 240, life: 1, size: 14, (140, 240, 255))
        case .shipReturned(let place): burst(place, 20, speed: 60, life: 0.6, size: 12, (140, 255, 200))
        case .gameOver: shake = 1
        }
    }

    private mutating func burst(
        _ place: Vector, _ count: Int, speed: Double, life: Double, size: Double, _ colour: (UInt8, UInt8, UInt8)
    ) {
        for _ in 0..<min(count, Self.most - sparks.count) {
            let direction = Vector(chance.value(in: -1...1), chance.value(in: -1...1)).limited(to: 1)
            let one = life * chance.value(in: 0.5...1)
            sparks.append(
                Spark(
                    place: place, velocity: direction * (speed * chance.value(in: 0.3...1)), left: one, life: one,
                    size: size * chance.value(in: 0.5...1), colour: colour))
        }
    }

    mutating func move(_ delta: Duration) {
        let seconds = delta / .seconds(1)
        shake = max(0, shake - 2.5 * seconds)
        for index in sparks.indices {
            sparks[index].place += sparks[index].velocity * seconds
            sparks[index].velocity = sparks[index].velocity * max(0, 1 - 2.5 * seconds)
            sparks[index].left -= seconds
        }
        sparks.removeAll { $0.left <= 0 }
    }
}
