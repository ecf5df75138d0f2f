// SPDX-License-Identifier: Apache-2.0
// SnapshotEvents: what happened between two snapshots, for sounds and sparks. Nothing of it is sent: it shows in what changed.

package import SkirmishRules

extension Snapshot {
    package func events(since old: Snapshot) -> [WorldEvent] {
        var events: [WorldEvent] = []
        let known = Set(old.shots.map(\.id))
        for shot in shots where !known.contains(shot.id) {
            events.append(.shot(at: Quantity.vector(shot.x, shot.y), isHostile: shot.owner == SeenShot.drone))
        }
        let now = Dictionary(uniqueKeysWithValues: drones.map { ($0.id, $0) })
        for drone in old.drones {
            guard let later = now[drone.id] else {
                let place = drone.flown(step - old.step)
                events.append(.explosion(at: Quantity.vector(place.x, place.y), size: drone.kind == 2 ? 1.6 : 1))
                continue
            }
            if later.health < drone.health { events.append(.hit(at: Quantity.vector(later.x, later.y))) }
        }
        let left = Set(cells.map(\.id))
        for cell in old.cells where !left.contains(cell.id) && cell.expires > step + 2 {
            events.append(.cellGathered(at: Quantity.vector(cell.x, cell.y)))
        }
        for (number, (ship, before)) in zip(ships, old.ships).enumerated() where ship.pilot == before.pilot {
            let place = Quantity.vector(before.x, before.y)
            if before.returnsIn == 0, ship.returnsIn > 2 {
                events.append(.shipLost(at: place, number: number))
                events.append(.explosion(at: place, size: 1.4))
            } else if before.returnsIn > 0, ship.returnsIn == 0 {
                events.append(.shipReturned(at: Quantity.vector(ship.x, ship.y)))
            } else if ship.health < before.health {
                events.append(.hit(at: place))
            }
        }
        if beaconHealth < old.beaconHealth { events.append(.beaconHit) }
        if isOver, !old.isOver { events.append(.gameOver) }
        return events
    }
}
