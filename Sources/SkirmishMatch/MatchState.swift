// SPDX-License-Identifier: Apache-2.0
// MatchState: what goes over a network: a match as an onlooker sees it, and what a player may ask for.

package import SkirmishRules

/// A match at one moment. Positions are in the arena's units: 960 × 540, y down.
public struct MatchState: Codable, Sendable, Hashable {
    /// A ship; number 0 is the player's.
    public struct ShipState: Codable, Sendable, Hashable {
        /// The ship's number.
        public let number: Int
        /// Where it is.
        public let x, y: Double
        /// Hits that it still takes, and lives that are left.
        public let health, lives: Int
        /// False while it waits to return.
        public let isFlying: Bool
    }

    /// A drone, a shot or a cell.
    public struct ThingState: Codable, Sendable, Hashable {
        /// `chaser`, `orbiter`, `splitter`, `shot`, `hostileShot` or `cell`.
        public let kind: String
        /// Where it is.
        public let x, y: Double
    }

    /// Steps since the beginning, a sixtieth of a second each.
    public let step: Int
    /// The present wave, counted from 1.
    public let wave: Int
    /// Points so far.
    public let score: Int
    /// What the beacon still takes.
    public let beaconHealth: Int
    /// The match is lost.
    public let isOver: Bool
    /// Everybody's ships.
    public let ships: [ShipState]
    /// Everything else.
    public let things: [ThingState]

    package init(_ world: World) {
        step = world.steps
        wave = world.wave
        score = world.score
        beaconHealth = world.beacon.health
        isOver = world.isOver
        ships = world.ships.map {
            ShipState(
                number: $0.number, x: $0.position.x, y: $0.position.y, health: $0.health, lives: $0.lives,
                isFlying: $0.isFlying)
        }
        func thing(_ kind: String, _ place: Vector) -> ThingState { ThingState(kind: kind, x: place.x, y: place.y) }
        things =
            world.drones.map { thing("\($0.kind)", $0.position) }
            + world.shots.map { thing($0.isHostile ? "hostileShot" : "shot", $0.position) }
            + world.cells.map { thing("cell", $0.position) }
    }
}

/// What the first ship is to do. In JSON: `{"x": 1, "y": 0, "fires": true, "aimX": 480, "aimY": 0}`; what is left out is zero, or as it was.
public struct MatchOrder: Codable, Sendable, Hashable {
    /// Where to accelerate, each -1…1.
    public var x, y: Double?
    /// Whether to fire.
    public var fires: Bool?
    /// The point to aim at, if both are given.
    public var aimX, aimY: Double?

    /// An order, as it is written in JSON.
    public init(x: Double? = nil, y: Double? = nil, fires: Bool? = nil, aimX: Double? = nil, aimY: Double? = nil) {
        (self.x, self.y, self.fires, self.aimX, self.aimY) = (x, y, fires, aimX, aimY)
    }

    var intent: Intent {
        let target: Vector? = if let aimX, let aimY { Vector(aimX, aimY) } else { nil }
        return Intent(thrust: Vector(x ?? 0, y ?? 0).limited(to: 1), target: target, fires: fires ?? false)
    }
}
