// SPDX-License-Identifier: Apache-2.0
// Things: what is in the arena, and the numbers that make the game what it is. Units: arena units, seconds.

/// What a pilot wants of a ship in the next step.
package struct Intent: Sendable, Hashable {
    /// Where to accelerate, at most of length one.
    package var thrust: Vector
    /// The point to aim at; `nil` keeps the aim.
    package var target: Vector?
    package var fires: Bool

    package init(thrust: Vector = .zero, target: Vector? = nil, fires: Bool = false) {
        self.thrust = thrust
        self.target = target
        self.fires = fires
    }
}

/// Who sits in a ship.
package enum Pilot: UInt8, Sendable, CaseIterable {
    /// An empty seat: there is no ship.
    case nobody
    case bot
    case person
}

/// A ship: a person's or a bot's.
package struct Ship: Sendable {
    package static let radius = 13.0
    package static let acceleration = 900.0
    package static let speed = 260.0
    package static let fullHealth = 5
    package static let fullEnergy = 100.0
    package static let shotEnergy = 2.5
    package static let timeBetweenShots = 0.14
    package static let timeToReturn = 2.5
    package static let timeProtected = 1.5
    package static let lives = 3

    package let number: Int
    package internal(set) var pilot: Pilot
    package internal(set) var position: Vector
    package internal(set) var velocity = Vector.zero
    /// Points that this ship's shots and gathering brought.
    package internal(set) var score = 0
    /// Length one.
    package internal(set) var aim = Vector(0, -1)
    package internal(set) var health = fullHealth
    package internal(set) var energy = fullEnergy
    /// Lives that are left, the present one included. Bots return for ever.
    package internal(set) var lives = Ship.lives
    /// Seconds until the ship is back; 0 while it flies.
    package internal(set) var returnsIn = 0.0
    /// Seconds in which nothing hurts it.
    package internal(set) var protection = timeProtected
    /// Seconds until it may fire again.
    package internal(set) var cooldown = 0.0
    var intent = Intent()

    package var isPlayer: Bool { pilot == .person }
    package var isFlying: Bool { pilot != .nobody && returnsIn == 0 && lives > 0 }
}

/// An enemy.
package struct Drone: Sendable {
    package enum Kind: UInt8, Sendable, CaseIterable {
        /// Flies at the nearest ship and rams it.
        case chaser
        /// Circles the beacon at a distance and shoots at it.
        case orbiter
        /// Slow and hard; breaks into two chasers.
        case splitter
    }

    /// No other drone of the match has it.
    package let id: Int
    package let kind: Kind
    package internal(set) var position: Vector
    package internal(set) var velocity = Vector.zero
    package internal(set) var health: Int
    /// Clockwise or not, for orbiters.
    let turn: Double
    var cooldown: Double

    package var radius: Double { kind == .splitter ? 20 : 12 }
    package static func fullHealth(_ kind: Kind) -> Int { kind == .splitter ? 6 : kind == .orbiter ? 2 : 1 }
    package static func speed(_ kind: Kind) -> Double { kind == .chaser ? 130 : kind == .orbiter ? 95 : 48 }
    package static func score(_ kind: Kind) -> Int { kind == .splitter ? 150 : kind == .orbiter ? 100 : 50 }
}

/// A shot in flight.
package struct Shot: Sendable {
    package static let shipSpeed = 520.0
    package static let droneSpeed = 210.0
    package static let shipLifetime = 1.2
    package static let droneLifetime = 4.0
    package static let radius = 3.0

    /// No other shot of the match has it.
    package let id: Int
    /// The ship that fired it; `nil`: a drone did.
    package let owner: Int?
    package internal(set) var position: Vector
    package let velocity: Vector
    package internal(set) var timeLeft: Double

    package var isHostile: Bool { owner == nil }
}

/// Energy that a drone left behind.
package struct Cell: Sendable {
    package static let radius = 9.0
    package static let energy = 30.0
    package static let score = 25
    package static let lifetime = 12.0

    /// No other cell of the match has it.
    package let id: Int
    package let position: Vector
    package internal(set) var timeLeft: Double
}

/// What is to be defended.
package struct Beacon: Sendable {
    package static let radius = 26.0
    package static let fullHealth = 60

    package let position: Vector
    package internal(set) var health = fullHealth
}

/// What happened in a step, for sounds and particles.
package enum WorldEvent: Sendable, Hashable {
    case shot(at: Vector, isHostile: Bool)
    case hit(at: Vector)
    case explosion(at: Vector, size: Double)
    case cellGathered(at: Vector)
    case beaconHit
    case shipLost(at: Vector, number: Int)
    case shipReturned(at: Vector)
    case gameOver
}
