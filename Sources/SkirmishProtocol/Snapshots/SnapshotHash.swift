// SPDX-License-Identifier: Apache-2.0
// SnapshotHash: 64 bits of a snapshot, by which host and players know that they have the same.

extension Snapshot {
    /// Equal for equal snapshots, and only by accident for others.
    package var stateHash: UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func add(_ number: Int) {
            hash = (hash ^ UInt64(bitPattern: Int64(number))) &* 0x0000_0100_0000_01B3
            hash ^= hash >> 29
        }
        for number in [step, wave, waveLeft, score, beaconHealth, isOver ? 1 : 0] { add(number) }
        for ship in ships {
            add(ship.pilot << 8 | ship.lives << 4 | ship.health)
            add(ship.x << 16 | ship.y)
            add(ship.vx << 16 ^ ship.vy)
            add(ship.aimX << 16 ^ ship.aimY)
            add(ship.energy << 32 | ship.returnsIn << 20 | ship.protection << 10 | ship.cooldown)
            add(ship.score)
        }
        add(drones.count)
        for drone in drones {
            add(drone.id << 8 | drone.kind << 4 | drone.health)
            add(drone.x << 16 | drone.y)
            add(drone.vx << 16 ^ drone.vy)
        }
        add(shots.count)
        for shot in shots {
            add(shot.id << 4 | shot.owner)
            add(shot.x << 16 | shot.y)
            add(shot.vx << 16 ^ shot.vy)
            add(shot.born)
        }
        add(cells.count)
        for cell in cells {
            add(cell.id)
            add(cell.x << 16 | cell.y)
            add(cell.expires)
        }
        return hash
    }

    /// What goes with every snapshot.
    package var checksum: UInt32 {
        let hash = stateHash
        return UInt32(truncatingIfNeeded: hash ^ hash >> 32)
    }
}
