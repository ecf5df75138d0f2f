// SPDX-License-Identifier: Apache-2.0
// Effects: what happened, for the eye: sparks, rising figures, a shaken picture, a flash. Their chance is their own, and
// their number has a limit.

import SkirmishRules

struct Effects {
    struct Spark {
        var place: Vector
        var velocity: Vector
        var left: Double
        let life: Double
        let size: Double
        let tint: Tint
    }

    /// What a kill or a cell was worth, where it happened.
    struct Figure {
        let text: String
        var place: Vector
        var left = 0.9
        let tint: Tint
    }

    private static let mostSparks = 600
    /// Where something was hit a moment ago, and how much of its light is left, 0…1.
    private(set) var flashes: [(place: Vector, left: Double)] = []
    private(set) var sparks: [Spark] = []
    private(set) var figures: [Figure] = []
    /// How hard the picture shakes, 0…1.
    private(set) var shake = 0.0
    /// How red the edge of the picture is, and how blue: the player was hit, the beacon was.
    private(set) var hurt = 0.0
    private(set) var alarm = 0.0
    private var chance = Generator(seed: 7)

    mutating func show(_ events: [WorldEvent], gained: Int, isHurt: Bool) {
        for event in events { show(event) }
        if isHurt { hurt = 1 }
        guard gained > 0, figures.count < 12 else { return }
        for event in events {
            switch event {
            case .explosion(let place, _): figures.append(Figure(text: "+\(gained)", place: place, tint: .orange))
            case .cellGathered(let place): figures.append(Figure(text: "+\(gained)", place: place, tint: .yellow))
            default: continue
            }
            return
        }
    }

    private mutating func show(_ event: WorldEvent) {
        switch event {
        case .shot(let place, let isHostile):
            burst(place, 2, speed: 40, life: 0.12, size: 10, isHostile ? .red : .cyan)
        case .hit(let place):
            burst(place, 8, speed: 150, life: 0.25, size: 8, Tint(0xFFE6B4))
            if flashes.count < 40 { flashes.append((place, 1)) }
        case .explosion(let place, let size):
            burst(place, Int(24 * size), speed: 200 * size.squareRoot(), life: 0.7, size: 12, Tint(0xFF9646))
            burst(place, Int(8 * size), speed: 60, life: 0.5, size: 30, Tint(0xFFDC96))
            burst(place, 1, speed: 0, life: 0.25, size: 150 * size.squareRoot(), Tint(0xFFB070))
            shake = min(1, shake + 0.16 * size)
        case .cellGathered(let place): burst(place, 14, speed: 90, life: 0.5, size: 8, .yellow)
        case .beaconHit:
            burst(World.size * 0.5, 12, speed: 150, life: 0.4, size: 10, .blue)
            shake = min(1, shake + 0.2)
            alarm = 1
        case .shipLost(let place, _): burst(place, 40, speed: 240, life: 1, size: 14, .cyan)
        case .shipReturned(let place): burst(place, 20, speed: 60, life: 0.6, size: 12, .green)
        case .gameOver: shake = 1
        }
    }

    /// How brightly something lights up that was hit near there.
    func flash(near place: Vector, within distance: Double) -> Double {
        flashes.reduce(0) { $1.place.isWithin(distance, of: place) ? max($0, $1.left) : $0 }
    }

    /// The wake of a ship that accelerates.
    mutating func trail(_ ship: Ship) {
        guard ship.velocity.squaredLength > 60 * 60 else { return }
        let tint = (ship.isPlayer ? Tint.cyan : .green).dimmed(0.55)
        burst(ship.position - ship.velocity.unit * 13, 1, speed: 18, life: 0.4, size: 9, tint)
    }

    private mutating func burst(
        _ place: Vector, _ count: Int, speed: Double, life: Double, size: Double, _ tint: Tint
    ) {
        for _ in 0..<max(0, min(count, Self.mostSparks - sparks.count)) {
            let direction = Vector(chance.value(in: -1...1), chance.value(in: -1...1)).limited(to: 1)
            let one = life * chance.value(in: 0.5...1)
            sparks.append(
                Spark(
                    place: place, velocity: direction * (speed * chance.value(in: 0.3...1)), left: one, life: one,
                    size: size * chance.value(in: 0.5...1), tint: tint))
        }
    }

    mutating func move(_ delta: Duration) {
        let seconds = delta / .seconds(1)
        shake = max(0, shake - 2.5 * seconds)
        hurt = max(0, hurt - 2 * seconds)
        alarm = max(0, alarm - 1.5 * seconds)
        for index in flashes.indices { flashes[index].left -= 8 * seconds }
        flashes.removeAll { $0.left <= 0 }
        for index in sparks.indices {
            sparks[index].place += sparks[index].velocity * seconds
            sparks[index].velocity = sparks[index].velocity * max(0, 1 - 2.5 * seconds)
            sparks[index].left -= seconds
        }
        sparks.removeAll { $0.left <= 0 }
        for index in figures.indices {
            figures[index].place.y -= 34 * seconds
            figures[index].left -= seconds
        }
        figures.removeAll { $0.left <= 0 }
    }
}
