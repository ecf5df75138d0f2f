// SPDX-License-Identifier: Apache-2.0
// Things: what is in the arena, and the numbers that make the game what it is. Units: arena units, seconds.

/// What a pilot wants of a ship in the next step.
public struct Intent: Sendable, Hashable {
    /// Where to accelerate, at most of length one.
    public var thrust: Vector
    /// The point to aim at; `nil` keeps the aim.
    public var target: Vector?
    public var fires: Bool

    public init(thrust: Vector = .zero, target: Vector? = nil, fires: Bool = false) {
        self.thrust = thrust
        self.target = target
        self.fires = fires
    }
}

/// A ship: the player's (number 0) or a bot's.
public struct Ship: Sendable {
    public static let radius = 13.0
    public static let acceleration = 900.0
    public static let speed = 260.0
    public static let fullHealth = 5
    public static let fullEnergy = 100.0
    public static let shotEnergy = 2.5
    public static let timeBetweenShots = 0.14
    public static let timeToReturn = 2.5
    public static let timeProtected = 1.5
    public static let lives = 3

    public let number: Int
    public internal(set) var position: Vector
    public internal(set) var velocity = Vector.zero
    /// Length one.
    public internal(set) var aim = Vector(0, -1)
    public internal(set) var health = fullHealth
    public internal(set) var energy = fullEnergy
    /// Lives that are left, the present one included. Bots return for ever.
    public internal(set) var lives = Ship.lives
    /// Seconds until the ship is back; 0 while it flies.
    public internal(set) var returnsIn = 0.0
    /// Seconds in which nothing hurts it.
    public internal(set) var protection = timeProtected
    var cooldown = 0.0
    var intent = Intent()

    public var isPlayer: Bool { number == 0 }
    public var isFlying: Bool { returnsIn == 0 && lives > 0 }
}

/// An enemy.
public struct Drone: Sendable {
    public enum Kind: UInt8, Sendable, CaseIterable {
        /// Flies at the nearest ship and rams it.
        case chaser
        /// Circles the beacon at a distance and shoots at it.
        case orbiter
        /// Slow and hard; breaks into two chasers.
        case splitter
    }

    public let kind: Kind
    public internal(set) var position: Vector
    public internal(set) var velocity = Vector.zero
    public internal(set) var health: Int
    /// Clockwise or not, for orbiters.
    let turn: Double
    var cooldown: Double

    public var radius: Double { kind == .splitter ? 20 : 12 }
    public static func fullHealth(_ kind: Kind) -> Int { kind == .splitter ? 6 : kind == .orbiter ? 2 : 1 }
    public static func speed(_ kind: Kind) -> Double { kind == .chaser ? 130 : kind == .orbiter ? 95 : 48 }
    public static func score(_ kind: Kind) -> Int { kind == .splitter ? 150 : kind == .orbiter ? 100 : 50 }
}

/// A shot in flight.
public struct Shot: Sendable {
    public static let shipSpeed = 520.0
    public static let droneSpeed = 210.0
    public static let radius = 3.0

    public internal(set) var position: Vector
    public let velocity: Vector
    public let isHostile: Bool
    var timeLeft: Double
}

/// Energy that a drone left behind.
public struct Cell: Sendable {
    public static let radius = 9.0
    public static let energy = 30.0
    public static let score = 25
    public static let lifetime = 12.0

    public let position: Vector
    public internal(set) var timeLeft: Double
}

/// What is to be defended.
public struct Beacon: Sendable {
    public static let radius = 26.0
    public static let fullHealth = 60

    public let position: Vector
    public internal(set) var health = fullHealth
}

/// What happened in a step, for sounds and particles.
public enum WorldEvent: Sendable, Hashable {
    case shot(at: Vector, isHostile: Bool)
    case hit(at: Vector)
    case explosion(at: Vector, size: Double)
    case cellGathered(at: Vector)
    case beaconHit
    case shipLost(at: Vector, number: Int)
    case shipReturned(at: Vector)
    case gameOver
}
