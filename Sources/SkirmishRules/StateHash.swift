// SPDX-License-Identifier: Apache-2.0
// StateHash: the whole state in 64 bits, to compare two runs by. FNV-1a, over the bit patterns of every number that matters.

private struct Fingerprint {
    private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    mutating func add(_ bits: UInt64) {
        for shift in stride(from: 0, to: 64, by: 8) {
            value = (value ^ (bits >> UInt64(shift) & 0xFF)) &* 0x100_0000_01B3
        }
    }
    mutating func add(_ number: Double) { add(number.bitPattern) }
    mutating func add(_ number: Int) { add(UInt64(bitPattern: Int64(number))) }
    mutating func add(_ vector: Vector) {
        add(vector.x)
        add(vector.y)
    }
}

extension World {
    /// Equal for equal states, and only by an accident of one in 2⁶⁴ for others.
    package var stateHash: UInt64 {
        var hash = Fingerprint()
        for number in [steps, score, wave, beacon.health, isOver ? 1 : 0] { hash.add(number) }
        hash.add(generator.state)
        hash.add(ships.count)
        for ship in ships {
            for vector in [ship.position, ship.velocity, ship.aim] { hash.add(vector) }
            for number in [Int(ship.pilot.rawValue), ship.score, ship.health, ship.lives] { hash.add(number) }
            for number in [ship.energy, ship.returnsIn, ship.protection, ship.cooldown] { hash.add(number) }
        }
        hash.add(drones.count)
        for drone in drones {
            for number in [drone.id, Int(drone.kind.rawValue)] { hash.add(number) }
            for vector in [drone.position, drone.velocity] { hash.add(vector) }
            hash.add(drone.health)
            for number in [drone.turn, drone.cooldown] { hash.add(number) }
        }
        hash.add(shots.count)
        for shot in shots {
            for number in [shot.id, shot.owner ?? -1] { hash.add(number) }
            for vector in [shot.position, shot.velocity] { hash.add(vector) }
            hash.add(shot.timeLeft)
        }
        hash.add(cells.count)
        for cell in cells {
            hash.add(cell.id)
            hash.add(cell.position)
            hash.add(cell.timeLeft)
        }
        return hash.value
    }
}
