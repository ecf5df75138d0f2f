// SPDX-License-Identifier: Apache-2.0
// World+Step: one sixtieth of a second.
// Order:  ships, drones, shots, hits, cells, returns, end: the same in every step, over arrays, so that runs repeat.

extension World {
    /// Moves everything by one step, and tells what happened.
    package mutating func advance() -> [WorldEvent] {
        guard !isOver else { return [] }
        events.removeAll(keepingCapacity: true)
        steps += 1
        for index in ships.indices { moveShip(index) }
        for index in drones.indices { moveDrone(index) }
        moveShots()
        hitDrones()
        hurtShipsAndBeacon()
        drones.removeAll { $0.health <= 0 }
        gatherCells()
        if beacon.health <= 0 || isEverybodyLost {
            isOver = true
            events.append(.explosion(at: beacon.position, size: beacon.health <= 0 ? 3 : 1))
            events.append(.gameOver)
        }
        return events
    }

    /// People played, and none of them has a life left.
    private var isEverybodyLost: Bool {
        var people = 0
        for ship in ships where ship.isPlayer {
            if ship.lives > 0 { return false }
            people += 1
        }
        return people > 0
    }

    private mutating func moveShip(_ index: Int) {
        switch ships[index].advance(home: World.home(index, of: ships.count)) {
        case .none: break
        case .returned: events.append(.shipReturned(at: ships[index].position))
        case .mayFire: fire(index)
        }
    }

    private mutating func fire(_ index: Int) {
        guard shots.count < World.mostShots else { return }
        shots.append(ships[index].fire(id: takeID()))
        events.append(.shot(at: shots[shots.count - 1].position, isHostile: false))
    }

    private mutating func moveDrone(_ index: Int) {
        let dt = World.step
        var drone = drones[index]
        let speed = Drone.speed(drone.kind)
        let wanted: Vector
        switch drone.kind {
        case .chaser: wanted = (nearestShip(to: drone.position)?.position ?? beacon.position) - drone.position
        case .splitter: wanted = beacon.position - drone.position
        case .orbiter:
            let inward = beacon.position - drone.position
            let error = inward.length - 190
            wanted = inward.unit * (error / 60) + inward.unit.perpendicular * drone.turn
        }
        // Drones steer rather than turn on the spot.
        drone.velocity += (wanted.unit * speed - drone.velocity) * min(1, 2.5 * dt)
        drone.position += drone.velocity * dt
        drone.cooldown -= dt
        if drone.kind == .orbiter, drone.cooldown <= 0, shots.count < World.mostShots {
            drone.cooldown = 1.6
            let aim = (beacon.position - drone.position).unit
            shots.append(
                Shot(
                    id: takeID(), owner: nil, position: drone.position + aim * 14, velocity: aim * Shot.droneSpeed,
                    timeLeft: Shot.droneLifetime))
            events.append(.shot(at: drone.position, isHostile: true))
        }
        drones[index] = drone
    }

    /// The flying ship that is nearest to a place; the first of equals.
    package func nearestShip(to place: Vector) -> Ship? {
        var best: Ship?
        var distance = Double.infinity
        for ship in ships where ship.isFlying {
            let squared = (ship.position - place).squaredLength
            if squared < distance { (best, distance) = (ship, squared) }
        }
        return best
    }

    private mutating func moveShots() {
        for index in shots.indices {
            shots[index].position += shots[index].velocity * World.step
            shots[index].timeLeft -= World.step
        }
        shots.removeAll { shot in
            let place = shot.position
            return shot.timeLeft <= 0 || place.x < -30 || place.y < -30 || place.x > World.size.x + 30
                || place.y > World.size.y + 30
        }
    }

    private mutating func hitDrones() {
        for shot in shots.indices where !shots[shot].isHostile {
            for index in drones.indices where drones[index].health > 0 {
                guard shots[shot].position.isWithin(drones[index].radius + Shot.radius, of: drones[index].position)
                else { continue }
                shots[shot].timeLeft = 0
                drones[index].health -= 1
                events.append(.hit(at: shots[shot].position))
                if drones[index].health <= 0 { loseDrone(drones[index], to: shots[shot].owner) }
                break
            }
        }
        shots.removeAll { $0.timeLeft <= 0 }
    }

    private mutating func loseDrone(_ drone: Drone, to ship: Int?) {
        score += Drone.score(drone.kind)
        if let ship { ships[ship].score += Drone.score(drone.kind) }
        events.append(.explosion(at: drone.position, size: drone.kind == .splitter ? 1.6 : 1))
        if drone.kind == .splitter {
            let side = drone.velocity.unit.perpendicular * 14
            spawnDrone(.chaser, at: drone.position + side)
            spawnDrone(.chaser, at: drone.position - side)
        }
        if generator.fraction() < 0.4 { spawnCell(at: drone.position) }
    }

    private mutating func hurtShipsAndBeacon() {
        for index in shots.indices where shots[index].isHostile {
            let place = shots[index].position
            if place.isWithin(Beacon.radius, of: beacon.position) {
                shots[index].timeLeft = 0
                hurtBeacon(1)
                continue
            }
            for ship in ships.indices
            where ships[ship].isFlying && place.isWithin(Ship.radius, of: ships[ship].position) {
                shots[index].timeLeft = 0
                hurtShip(ship, 1)
                break
            }
        }
        shots.removeAll { $0.timeLeft <= 0 }
        for index in drones.indices where drones[index].health > 0 {
            let drone = drones[index]
            if drone.position.isWithin(drone.radius + Beacon.radius, of: beacon.position) {
                drones[index].health = 0
                events.append(.explosion(at: drone.position, size: 1))
                hurtBeacon(drone.kind == .splitter ? 6 : 3)
                continue
            }
            for ship in ships.indices
            where ships[ship].isFlying && drone.position.isWithin(drone.radius + Ship.radius, of: ships[ship].position)
            {
                drones[index].health = 0
                events.append(.explosion(at: drone.position, size: 1))
                hurtShip(ship, drone.kind == .splitter ? 4 : 2)
                break
            }
        }
    }

    private mutating func hurtBeacon(_ damage: Int) {
        beacon.health = max(0, beacon.health - damage)
        events.append(.beaconHit)
    }

    private mutating func hurtShip(_ index: Int, _ damage: Int) {
        guard ships[index].protection == 0 else { return }
        ships[index].health -= damage
        events.append(.hit(at: ships[index].position))
        guard ships[index].health <= 0 else { return }
        events.append(.shipLost(at: ships[index].position, number: index))
        events.append(.explosion(at: ships[index].position, size: 1.4))
        if ships[index].isPlayer { ships[index].lives -= 1 }
        ships[index].returnsIn = Ship.timeToReturn
    }

    private mutating func gatherCells() {
        for index in cells.indices {
            cells[index].timeLeft -= World.step
            for ship in ships.indices
            where ships[ship].isFlying && cells[index].timeLeft > 0
                && cells[index].position.isWithin(Cell.radius + Ship.radius, of: ships[ship].position)
            {
                cells[index].timeLeft = 0
                ships[ship].energy = min(Ship.fullEnergy, ships[ship].energy + Cell.energy)
                ships[ship].health = min(Ship.fullHealth, ships[ship].health + 1)
                beacon.health = min(Beacon.fullHealth, beacon.health + 1)
                score += Cell.score
                ships[ship].score += Cell.score
                events.append(.cellGathered(at: cells[index].position))
            }
        }
        cells.removeAll { $0.timeLeft <= 0 }
    }
}
