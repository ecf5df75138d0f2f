// SPDX-License-Identifier: Apache-2.0
// Snapshot: what a player may see of a match at one step, in whole numbers, so that host and players have exactly the same.
// Idea:   a shot and a cell are told once and never change; a drone is told as it differs from where its last velocity led.
// Owner:  a value.

internal import SkirmishRules

/// A match as it goes over the network.
package struct Snapshot: Sendable, Hashable {
    package var step = 0
    package var wave = 0
    /// How much of the wave is left, 0…255.
    package var waveLeft = 0
    package var score = 0
    package var beaconHealth = 0
    package var isOver = false
    package var ships: [SeenShip]
    /// Each of these ascends by `id`.
    package var drones: [SeenDrone] = []
    package var shots: [SeenShot] = []
    package var cells: [SeenCell] = []

    /// What a player has who has received nothing.
    package static let empty = Snapshot(ships: Array(repeating: SeenShip(), count: GameProtocol.seats))
}

/// A ship. Positions are sixteenths of a unit, from -32; velocities are quarters of a unit a second.
package struct SeenShip: Sendable, Hashable {
    package var pilot = 0
    package var lives = 0
    package var health = 0
    package var x = 0, y = 0
    package var vx = 0, vy = 0
    package var aimX = 0, aimY = -127
    /// Halves.
    package var energy = 0
    /// Steps.
    package var returnsIn = 0
    package var protection = 0
    /// Milliseconds.
    package var cooldown = 0
    package var score = 0
}

package struct SeenDrone: Sendable, Hashable {
    package var id: Int
    package var kind: Int
    package var x: Int, y: Int
    package var vx: Int, vy: Int
    package var health: Int

    /// Where it is some steps later if nothing turns it. Whole numbers: the same on every machine.
    func flown(_ steps: Int) -> SeenDrone {
        var drone = self
        drone.x = Quantity.clampedPlace(x + vx * steps / 15)
        drone.y = Quantity.clampedPlace(y + vy * steps / 15)
        return drone
    }
}

package struct SeenShot: Sendable, Hashable {
    package var id: Int
    /// The seat of who fired it; 15: a drone.
    package var owner: Int
    /// Where and when it began.
    package var x: Int, y: Int
    package var vx: Int, vy: Int
    package var born: Int
}

package struct SeenCell: Sendable, Hashable {
    package var id: Int
    package var x: Int, y: Int
    /// The step in which it goes.
    package var expires: Int
}

/// How the arena's numbers become whole ones.
enum Quantity {
    static let placeBits = 14
    static let shipVelocityBits = 12
    static let droneVelocityBits = 11
    static let shotVelocityBits = 13

    static func clampedPlace(_ value: Int) -> Int { min(max(value, 0), 1 << placeBits - 1) }
    static func place(_ value: Double) -> Int { clampedPlace(whole((value + 32) * 16)) }
    static func place(_ value: Int) -> Double { Double(value) / 16 - 32 }
    static func velocity(_ value: Double) -> Int { whole(value * 4) }
    static func velocity(_ value: Int) -> Double { Double(value) / 4 }
    static func vector(_ x: Int, _ y: Int) -> Vector { Vector(place(x), place(y)) }
    static func motion(_ x: Int, _ y: Int) -> Vector { Vector(velocity(x), velocity(y)) }
    static func steps(_ seconds: Double) -> Int { whole(seconds * 60) }
    static func whole(_ value: Double) -> Int { Int(min(max(value.rounded(), -1e9), 1e9)) }
}
