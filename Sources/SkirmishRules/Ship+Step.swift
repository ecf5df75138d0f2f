// SPDX-License-Identifier: Apache-2.0
// Ship+Step: one sixtieth of a second of one ship, apart from everything else, so that a player's own ship can be predicted by
// the same rules that the host has.

extension Ship {
    /// What came of a step.
    package enum Step: Sendable, Hashable { case none, returned, mayFire }

    /// What a pilot wants from the next step on.
    package mutating func set(_ intent: Intent) { self.intent = intent }

    /// Moves the ship by one step. `.mayFire`: it wants to fire, and can.
    package mutating func advance(home: Vector) -> Step {
        let dt = World.step
        guard pilot != .nobody, lives > 0 else { return .none }
        if returnsIn > 0 {
            returnsIn = max(0, returnsIn - dt)
            guard returnsIn == 0 else { return .none }
            position = home
            velocity = .zero
            health = Ship.fullHealth
            energy = Ship.fullEnergy
            protection = Ship.timeProtected
            return .returned
        }
        protection = max(0, protection - dt)
        cooldown = max(0, cooldown - dt)
        energy = min(Ship.fullEnergy, energy + 4 * dt)
        velocity += intent.thrust.limited(to: 1) * (Ship.acceleration * dt)
        velocity = (velocity * (1 - 2.2 * dt)).limited(to: Ship.speed)
        position += velocity * dt
        keepInside()
        if let target = intent.target {
            let wanted = (target - position).unit
            if wanted != .zero { aim = wanted }
        }
        return intent.fires && cooldown == 0 && energy >= Ship.shotEnergy ? .mayFire : .none
    }

    /// The shot that leaves the ship, which pays for it.
    package mutating func fire(id: Int) -> Shot {
        cooldown = Ship.timeBetweenShots
        energy -= Ship.shotEnergy
        return Shot(
            id: id, owner: number, position: position + aim * (Ship.radius + 4), velocity: aim * Shot.shipSpeed,
            timeLeft: Shot.shipLifetime)
    }

    private mutating func keepInside() {
        let x = min(max(position.x, Ship.radius), World.size.x - Ship.radius)
        let y = min(max(position.y, Ship.radius), World.size.y - Ship.radius)
        if x != position.x { velocity.x *= -0.4 }
        if y != position.y { velocity.y *= -0.4 }
        position = Vector(x, y)
    }
}
