// SPDX-License-Identifier: Apache-2.0
// BotPilot: what a bot makes of what it sees. A pure function; when it thinks is somebody else's business.

/// The pilots of the ships that nobody sits in.
package enum BotPilot {
    /// What the ship should do now.
    package static func decide(_ world: World, ship number: Int) -> Intent {
        guard world.ships.indices.contains(number), world.ships[number].isFlying else { return Intent() }
        let ship = world.ships[number]
        var intent = Intent()
        let threat = gravestThreat(world, ship)
        if let threat {
            intent.target = leadingAim(ship, threat)
            let gap = threat.position - ship.position
            intent.fires = gap.length < 420 && ship.energy > Ship.fullEnergy * 0.1
            // Near enough to hit, far enough to live.
            intent.thrust =
                gap.unit * (gap.length > 220 ? 1 : gap.length < 130 ? -1 : 0) + gap.unit.perpendicular * 0.35
        }
        let isWanting = ship.energy < Ship.fullEnergy * 0.4 || ship.health < 3 || threat == nil
        if isWanting, let cell = nearestCell(world, ship.position) {
            intent.thrust = (cell.position - ship.position).unit
        } else if threat == nil {
            let home = World.home(number, of: world.ships.count) - ship.position
            intent.thrust = home.length > 20 ? home.unit * 0.5 : .zero
        }
        intent.thrust += keepingApart(world, ship)
        return intent
    }

    /// The drone that is nearest to the beacon and to the ship, the two weighed together.
    static func gravestThreat(_ world: World, _ ship: Ship) -> Drone? {
        var best: Drone?
        var least = Double.infinity
        for drone in world.drones {
            let weight = (drone.position - world.beacon.position).length + 0.8 * (drone.position - ship.position).length
            if weight < least { (best, least) = (drone, weight) }
        }
        return best
    }

    /// Where to aim so that the shot and the drone meet.
    static func leadingAim(_ ship: Ship, _ drone: Drone) -> Vector {
        let time = (drone.position - ship.position).length / Shot.shipSpeed
        return drone.position + drone.velocity * time
    }

    private static func nearestCell(_ world: World, _ place: Vector) -> Cell? {
        world.cells.min { ($0.position - place).squaredLength < ($1.position - place).squaredLength }
    }

    private static func keepingApart(_ world: World, _ ship: Ship) -> Vector {
        var push = Vector.zero
        for other in world.ships where other.number != ship.number && other.isFlying {
            let gap = ship.position - other.position
            if gap.length < 50 { push += gap.unit * 0.6 }
        }
        return push
    }
}
