// SPDX-License-Identifier: Apache-2.0
// SnapshotDelta: a snapshot as it differs from one that the player has.
//
// In order: the match's figures; a bit for each ship and what changed of it; two bits for each drone of the baseline, and its change; the new
// drones; a bit for each shot and cell of the baseline that is gone, and the new ones. What does not fit into a datagram waits for the next
// one: the player keeps what it has, and the host remembers exactly what that is.

internal import SkirmishRules

enum DroneTag: UInt32 { case asExpected, near, far, gone }

enum Limits {
    static let drones = World.mostDrones
    static let shots = World.mostShots
    static let cells = World.mostCells
    /// More steps between a baseline and its snapshot do not happen: the host begins anew instead.
    static let stepsOfADelta = 255
}

extension SeenDrone {
    func isNear(_ other: SeenDrone) -> Bool { abs(x - other.x) < 128 && abs(y - other.y) < 128 }

    /// How wrong a player is who does not hear of this, in sixteenths.
    func error(to expected: SeenDrone) -> Int {
        abs(x - expected.x) + abs(y - expected.y) + (health == expected.health ? 0 : 10_000)
    }
}

extension Snapshot {
    /// Writes this snapshot as it differs from `baseline`, in at most `limit` bits.
    ///
    /// - Returns: What the player has who reads it: this snapshot, or where it did not fit, nearly so.
    func encode(from baseline: Snapshot, into writer: inout BitWriter, limit: Int) -> Snapshot {
        let plan = DeltaPlan(self, from: baseline)
        var head = BitWriter()
        encodeHead(from: baseline, into: &head)
        let choice = plan.chosen(within: limit - writer.bitCount - head.bitCount)
        writer.append(head)
        encodeDrones(plan, choice, into: &writer)
        encodeShots(baseline, choice, into: &writer)
        encodeCells(baseline, choice, into: &writer)
        return choice.isWhole ? self : applied(plan, choice, baseline)
    }

    private func encodeHead(from baseline: Snapshot, into writer: inout BitWriter) {
        writer.put(wave, 10)
        writer.put(waveLeft, 8)
        writer.put(score, 24)
        writer.put(beaconHealth, 7)
        writer.put(isOver)
        for (ship, old) in zip(ships, baseline.ships) { ship.encode(from: old, into: &writer) }
    }

    private func encodeDrones(_ plan: DeltaPlan, _ choice: DeltaPlan.Choice, into writer: inout BitWriter) {
        for entry in plan.known {
            guard let now = entry.now else {
                writer.put(DroneTag.gone.rawValue, 2)
                continue
            }
            guard now != entry.expected, choice.drones.contains(now.id) else {
                writer.put(DroneTag.asExpected.rawValue, 2)
                continue
            }
            if now.isNear(entry.expected) {
                writer.put(DroneTag.near.rawValue, 2)
                writer.put(signed: now.x - entry.expected.x, 8)
                writer.put(signed: now.y - entry.expected.y, 8)
            } else {
                writer.put(DroneTag.far.rawValue, 2)
                writer.put(now.x, Quantity.placeBits)
                writer.put(now.y, Quantity.placeBits)
            }
            now.encodeRest(into: &writer)
        }
        let new = plan.newDrones.filter { choice.drones.contains($0.id) }
        writer.put(new.count, 7)
        var last = 0
        for drone in new {
            writer.putSmall(drone.id - last)
            last = drone.id
            writer.put(drone.kind, 2)
            writer.put(drone.x, Quantity.placeBits)
            writer.put(drone.y, Quantity.placeBits)
            drone.encodeRest(into: &writer)
        }
    }

    private func encodeShots(_ baseline: Snapshot, _ choice: DeltaPlan.Choice, into writer: inout BitWriter) {
        let present = Set(shots.map(\.id))
        for shot in baseline.shots { writer.put(!present.contains(shot.id)) }
        let new = shots.filter { choice.shots.contains($0.id) }
        writer.put(new.count, 9)
        var last = 0
        for shot in new {
            writer.putSmall(shot.id - last)
            last = shot.id
            writer.put(shot.owner, 4)
            writer.put(shot.x, Quantity.placeBits)
            writer.put(shot.y, Quantity.placeBits)
            writer.put(signed: shot.vx, Quantity.shotVelocityBits)
            writer.put(signed: shot.vy, Quantity.shotVelocityBits)
            writer.put(step - shot.born, 8)
        }
    }

    private func encodeCells(_ baseline: Snapshot, _ choice: DeltaPlan.Choice, into writer: inout BitWriter) {
        let present = Set(cells.map(\.id))
        for cell in baseline.cells { writer.put(!present.contains(cell.id)) }
        let new = cells.filter { choice.cells.contains($0.id) }
        writer.put(new.count, 6)
        var last = 0
        for cell in new {
            writer.putSmall(cell.id - last)
            last = cell.id
            writer.put(cell.x, Quantity.placeBits)
            writer.put(cell.y, Quantity.placeBits)
            writer.put(cell.expires - step, 10)
        }
    }

    /// What a player has who has read what was chosen.
    private func applied(_ plan: DeltaPlan, _ choice: DeltaPlan.Choice, _ baseline: Snapshot) -> Snapshot {
        var result = self
        result.drones = plan.known.compactMap { entry in
            entry.now.map { choice.drones.contains($0.id) ? $0 : entry.expected }
        }
        result.drones += plan.newDrones.filter { choice.drones.contains($0.id) }
        result.drones.sort { $0.id < $1.id }
        let known = (shots: Set(baseline.shots.map(\.id)), cells: Set(baseline.cells.map(\.id)))
        result.shots.removeAll { !known.shots.contains($0.id) && !choice.shots.contains($0.id) }
        result.cells.removeAll { !known.cells.contains($0.id) && !choice.cells.contains($0.id) }
        return result
    }
}

extension SeenDrone {
    func encodeRest(into writer: inout BitWriter) {
        writer.put(signed: vx, Quantity.droneVelocityBits)
        writer.put(signed: vy, Quantity.droneVelocityBits)
        writer.put(health, 3)
    }
    static let restBits = 2 * Quantity.droneVelocityBits + 3
}

extension SeenShip {
    func encode(from old: SeenShip, into writer: inout BitWriter) {
        writer.put(self != old)
        guard self != old else { return }
        let isSomebody = (pilot, lives, health, score) != (old.pilot, old.lives, old.health, old.score)
        writer.put(isSomebody)
        if isSomebody {
            writer.put(pilot, 2)
            writer.put(lives, 2)
            writer.put(health, 3)
            writer.put(score, 20)
        }
        let hasMoved = (x, y, vx, vy, aimX, aimY) != (old.x, old.y, old.vx, old.vy, old.aimX, old.aimY)
        writer.put(hasMoved)
        if hasMoved {
            writer.put(x, Quantity.placeBits)
            writer.put(y, Quantity.placeBits)
            writer.put(signed: vx, Quantity.shipVelocityBits)
            writer.put(signed: vy, Quantity.shipVelocityBits)
            writer.put(signed: aimX, 8)
            writer.put(signed: aimY, 8)
        }
        writer.put(energy, 8)
        let hasTimes = (returnsIn, protection, cooldown) != (0, 0, 0)
        writer.put(hasTimes)
        if hasTimes {
            writer.put(returnsIn, 8)
            writer.put(protection, 7)
            writer.put(cooldown, 8)
        }
    }
}
