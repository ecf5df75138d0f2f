// SPDX-License-Identifier: Apache-2.0
// Snapshot+World: from the host's world to a snapshot, and from a snapshot to a world that can be drawn.

package import SkirmishRules

extension Snapshot {
    /// What is to be seen of `world`. Shots and cells that `previous` has already are taken from there, so that they never change.
    package init(_ world: World, waveLeft: Double, after previous: Snapshot?) {
        self = .empty
        step = world.steps
        wave = min(world.wave, 1023)
        self.waveLeft = Quantity.whole(min(max(waveLeft, 0), 1) * 255)
        score = min(world.score, 1 << 24 - 1)
        beaconHealth = max(0, world.beacon.health)
        isOver = world.isOver
        for (index, ship) in world.ships.prefix(GameProtocol.seats).enumerated() { ships[index] = SeenShip(ship) }
        drones = world.drones.map(SeenDrone.init)
        shots = Self.kept(previous?.shots ?? [], world.shots, \.id, \.id) { SeenShot($0, step: world.steps) }
        cells = Self.kept(previous?.cells ?? [], world.cells, \.id, \.id) { SeenCell($0, step: world.steps) }
    }

    /// Both ascend by their number.
    private static func kept<Seen, Thing>(
        _ old: [Seen], _ things: [Thing], _ oldID: KeyPath<Seen, Int>, _ id: KeyPath<Thing, Int>,
        _ make: (Thing) -> Seen
    ) -> [Seen] {
        var next = 0
        return things.map { thing in
            let id = thing[keyPath: id]
            while next < old.count, old[next][keyPath: oldID] < id { next += 1 }
            return next < old.count && old[next][keyPath: oldID] == id ? old[next] : make(thing)
        }
    }
}

extension SeenShip {
    init(_ ship: Ship) {
        guard ship.pilot != .nobody else {
            self.init()
            return
        }
        self.init(
            pilot: Int(ship.pilot.rawValue), lives: max(0, min(ship.lives, 3)), health: max(0, min(ship.health, 7)),
            x: Quantity.place(ship.position.x), y: Quantity.place(ship.position.y),
            vx: Quantity.velocity(ship.velocity.x), vy: Quantity.velocity(ship.velocity.y),
            aimX: Quantity.whole(ship.aim.x * 127), aimY: Quantity.whole(ship.aim.y * 127),
            energy: Quantity.whole(ship.energy * 2), returnsIn: Quantity.steps(ship.returnsIn),
            protection: Quantity.steps(ship.protection), cooldown: Quantity.whole(ship.cooldown * 1000),
            score: min(ship.score, 1 << 20 - 1))
    }

    package func ship(_ number: Int) -> Ship {
        Ship(
            seen: number, pilot: Pilot(rawValue: UInt8(pilot)) ?? .nobody, position: Quantity.vector(x, y),
            velocity: Quantity.motion(vx, vy), aim: Vector(Double(aimX), Double(aimY)).unit, health: health,
            energy: Double(energy) / 2, lives: lives, returnsIn: Double(returnsIn) / 60,
            protection: Double(protection) / 60, cooldown: Double(cooldown) / 1000, score: score)
    }
}

extension SeenDrone {
    init(_ drone: Drone) {
        self.init(
            id: drone.id, kind: Int(drone.kind.rawValue), x: Quantity.place(drone.position.x),
            y: Quantity.place(drone.position.y), vx: Quantity.velocity(drone.velocity.x),
            vy: Quantity.velocity(drone.velocity.y), health: max(0, min(drone.health, 7)))
    }

    func drone() -> Drone {
        Drone(
            seen: id, kind: Drone.Kind(rawValue: UInt8(kind)) ?? .chaser, position: Quantity.vector(x, y),
            velocity: Quantity.motion(vx, vy), health: health)
    }
}

extension SeenShot {
    static let drone = 15

    init(_ shot: Shot, step: Int) {
        let lifetime = shot.isHostile ? Shot.droneLifetime : Shot.shipLifetime
        let age = max(0, lifetime - shot.timeLeft)
        let begin = shot.position - shot.velocity * age
        self.init(
            id: shot.id, owner: shot.owner ?? Self.drone, x: Quantity.place(begin.x), y: Quantity.place(begin.y),
            vx: Quantity.velocity(shot.velocity.x), vy: Quantity.velocity(shot.velocity.y),
            born: step - min(Quantity.steps(age), 255))
    }

    /// The shot at a step, which may lie between two.
    func shot(at step: Double) -> Shot {
        Shot(
            seen: id, owner: owner == Self.drone ? nil : owner, position: Quantity.vector(x, y),
            velocity: Quantity.motion(vx, vy)
        ).flown(for: (step - Double(born)) / 60)
    }
}

extension SeenCell {
    init(_ cell: Cell, step: Int) {
        self.init(
            id: cell.id, x: Quantity.place(cell.position.x), y: Quantity.place(cell.position.y),
            expires: step + min(Quantity.steps(cell.timeLeft), 1023))
    }

    func cell(at step: Double) -> Cell {
        Cell(seen: id, position: Quantity.vector(x, y), timeLeft: max(0, (Double(expires) - step) / 60))
    }
}
