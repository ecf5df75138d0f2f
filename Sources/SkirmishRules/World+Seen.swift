// SPDX-License-Identifier: Apache-2.0
// World+Seen: a world put together from what was seen of another: what a player far away draws. It is not stepped.

extension World {
    /// A picture of a match. What cannot be seen (chance, pilots' intents) is not in it.
    package init(
        seen ships: [Ship], drones: [Drone], shots: [Shot], cells: [Cell], beaconHealth: Int, score: Int, wave: Int,
        steps: Int, isOver: Bool
    ) {
        self.init(seed: 0, pilots: [])
        (self.ships, self.drones, self.shots, self.cells) = (ships, drones, shots, cells)
        beacon.health = beaconHealth
        (self.score, self.wave, self.steps, self.isOver) = (score, wave, steps, isOver)
    }
}

extension Ship {
    package init(
        seen number: Int, pilot: Pilot, position: Vector, velocity: Vector, aim: Vector, health: Int, energy: Double,
        lives: Int, returnsIn: Double, protection: Double, cooldown: Double, score: Int
    ) {
        self.init(number: number, pilot: pilot, position: position)
        (self.velocity, self.aim, self.health, self.energy, self.lives) = (velocity, aim, health, energy, lives)
        (self.returnsIn, self.protection, self.cooldown, self.score) = (returnsIn, protection, cooldown, score)
    }

    /// The same ship elsewhere: a correction that is made little by little, for the eye.
    package func moved(by offset: Vector) -> Ship {
        var ship = self
        ship.position += offset
        return ship
    }
}

extension Drone {
    package init(seen id: Int, kind: Kind, position: Vector, velocity: Vector, health: Int) {
        self.init(id: id, kind: kind, position: position, velocity: velocity, health: health, turn: 1, cooldown: 0)
    }
}

extension Shot {
    package init(seen id: Int, owner: Int?, position: Vector, velocity: Vector) {
        self.init(id: id, owner: owner, position: position, velocity: velocity, timeLeft: 1)
    }

    /// The same shot, some time later.
    package func flown(for seconds: Double) -> Shot {
        var shot = self
        shot.position += velocity * seconds
        shot.timeLeft -= seconds
        return shot
    }
}

extension Cell {
    package init(seen id: Int, position: Vector, timeLeft: Double) {
        self.init(id: id, position: position, timeLeft: timeLeft)
    }
}
