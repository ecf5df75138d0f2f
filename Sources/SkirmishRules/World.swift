// SPDX-License-Identifier: Apache-2.0
// World: one match, as a value.
// Idea:   the rules know steps and chance, no clocks: what happens over time (waves, pilots' thoughts) is told to the world from
//         outside. The same seed, orders and intents make the same world, bit for bit.

/// The arena and all that is in it.
package struct World: Sendable {
    /// The arena's extent, from zero.
    package static let size = Vector(960, 540)
    /// The length of a step, in seconds.
    package static let step = 1.0 / 60
    /// More drones than this do not enter; more shots than that are not fired.
    package static let mostDrones = 120
    package static let mostShots = 400
    package static let mostCells = 60

    package internal(set) var ships: [Ship]
    package internal(set) var drones: [Drone] = []
    package internal(set) var shots: [Shot] = []
    package internal(set) var cells: [Cell] = []
    package internal(set) var beacon = Beacon(position: size * 0.5)
    package internal(set) var score = 0
    package internal(set) var wave = 0
    package internal(set) var steps = 0
    package internal(set) var isOver = false
    var generator: Generator
    var events: [WorldEvent] = []
    /// What happened in the last step.
    package var lastEvents: [WorldEvent] { events }
    /// The identity that the next drone, shot or cell gets.
    var nextID = 1

    /// A match with the player's ship and so many bots.
    package init(seed: UInt64, bots: Int) {
        self.init(seed: seed, pilots: [.person] + Array(repeating: .bot, count: max(0, bots)))
    }

    /// A match with a seat for each pilot.
    package init(seed: UInt64, pilots: [Pilot]) {
        generator = Generator(seed: seed)
        ships = pilots.indices.map { number in
            Ship(number: number, pilot: pilots[number], position: World.home(number, of: pilots.count))
        }
    }

    mutating func takeID() -> Int {
        defer { nextID += 1 }
        return nextID
    }

    /// Where ships begin and return: in a row under the beacon.
    package static func home(_ number: Int, of count: Int) -> Vector {
        let offset = Double(number) - Double(count - 1) / 2
        return Vector(size.x / 2 + offset * 44, size.y / 2 + 90)
    }

    package var player: Ship { ships[0] }

    /// What a ship is to do from the next step on, until it is told otherwise.
    package mutating func setIntent(_ intent: Intent, ship: Int) {
        guard ships.indices.contains(ship) else { return }
        ships[ship].intent = intent
    }

    /// Somebody else takes a seat, or leaves it: a new ship, which comes after a moment.
    package mutating func setPilot(_ pilot: Pilot, ship: Int) {
        guard ships.indices.contains(ship), ships[ship].pilot != pilot else { return }
        ships[ship] = Ship(number: ship, pilot: pilot, position: World.home(ship, of: ships.count))
        ships[ship].returnsIn = World.step
    }

    /// A wave begins.
    package mutating func beginWave(_ number: Int) { wave = number }

    /// A drone enters from a place at the edge that chance picks. `false` if the arena is full.
    @discardableResult
    package mutating func spawnDrone(_ kind: Drone.Kind) -> Bool {
        let along = generator.fraction()
        let place: Vector
        switch generator.next() % 4 {
        case 0: place = Vector(along * World.size.x, -20)
        case 1: place = Vector(along * World.size.x, World.size.y + 20)
        case 2: place = Vector(-20, along * World.size.y)
        default: place = Vector(World.size.x + 20, along * World.size.y)
        }
        return spawnDrone(kind, at: place)
    }

    /// A drone enters at a place of the caller's choice. `false` if the arena is full.
    @discardableResult
    package mutating func spawnDrone(_ kind: Drone.Kind, at place: Vector) -> Bool {
        guard drones.count < World.mostDrones else { return false }
        let turn = generator.next() % 2 == 0 ? 1.0 : -1.0
        drones.append(
            Drone(
                id: takeID(), kind: kind, position: place, health: Drone.fullHealth(kind), turn: turn,
                cooldown: generator.value(in: 1...2.5)))
        return true
    }

    /// An energy cell appears.
    package mutating func spawnCell(at place: Vector) {
        guard cells.count < World.mostCells else { return }
        cells.append(Cell(id: takeID(), position: place, timeLeft: Cell.lifetime))
    }
}
