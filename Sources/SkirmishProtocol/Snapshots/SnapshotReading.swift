// SPDX-License-Identifier: Apache-2.0
// SnapshotReading: a snapshot from its difference to one that the player has. Trusts nothing.

internal import SkirmishRules

extension Snapshot {
    /// Reads what ``encode(from:into:limit:)`` wrote.
    init(_ reader: inout BitReader, step: Int, from baseline: Snapshot) throws(Malformed) {
        self = .empty
        let steps = step - baseline.step
        guard (0...Limits.stepsOfADelta).contains(steps) || baseline == .empty else {
            throw Malformed("it is \(steps) steps after its baseline; expected 0 to \(Limits.stepsOfADelta)")
        }
        self.step = step
        wave = try reader.int(10)
        waveLeft = try reader.int(8)
        score = try reader.int(24)
        beaconHealth = try reader.int(7, in: 0...Beacon.fullHealth, "the beacon's health")
        isOver = try reader.flag()
        for index in ships.indices { ships[index] = try SeenShip(&reader, from: baseline.ships[index]) }
        drones = try Self.drones(&reader, steps: steps, from: baseline.drones)
        let known = try Self.kept(baseline.shots, &reader)
        shots = try Self.merged(known, Self.shots(&reader, step: step), Limits.shots, "shots", \.id)
        let left = try Self.kept(baseline.cells, &reader)
        cells = try Self.merged(left, Self.cells(&reader, step: step), Limits.cells, "cells", \.id)
        try reader.finish()
    }

    private static func drones(
        _ reader: inout BitReader, steps: Int, from baseline: [SeenDrone]
    ) throws(Malformed) -> [SeenDrone] {
        var known: [SeenDrone] = []
        known.reserveCapacity(baseline.count)
        for old in baseline {
            var drone = old.flown(steps)
            switch DroneTag(rawValue: try reader.take(2))! {
            case .gone: continue
            case .asExpected: break
            case .near:
                drone.x += try reader.signed(8)
                drone.y += try reader.signed(8)
                guard Quantity.clampedPlace(drone.x) == drone.x, Quantity.clampedPlace(drone.y) == drone.y else {
                    throw Malformed("a drone is outside of the arena")
                }
                try drone.readRest(&reader)
            case .far:
                drone.x = try reader.int(Quantity.placeBits)
                drone.y = try reader.int(Quantity.placeBits)
                try drone.readRest(&reader)
            }
            known.append(drone)
        }
        let new = try list(&reader, countBits: 7) { reader, id throws(Malformed) in
            var drone = SeenDrone(
                id: id, kind: try reader.int(2, in: 0...2, "a drone's kind"), x: try reader.int(Quantity.placeBits),
                y: try reader.int(Quantity.placeBits), vx: 0, vy: 0, health: 0)
            try drone.readRest(&reader)
            return drone
        }
        return try merged(known, new, Limits.drones, "drones", \.id)
    }

    private static func shots(_ reader: inout BitReader, step: Int) throws(Malformed) -> [SeenShot] {
        try list(&reader, countBits: 9) { reader, id throws(Malformed) in
            SeenShot(
                id: id, owner: try reader.int(4), x: try reader.int(Quantity.placeBits),
                y: try reader.int(Quantity.placeBits), vx: try reader.signed(Quantity.shotVelocityBits),
                vy: try reader.signed(Quantity.shotVelocityBits), born: step - (try reader.int(8)))
        }
    }

    private static func cells(_ reader: inout BitReader, step: Int) throws(Malformed) -> [SeenCell] {
        try list(&reader, countBits: 6) { reader, id throws(Malformed) in
            SeenCell(
                id: id, x: try reader.int(Quantity.placeBits), y: try reader.int(Quantity.placeBits),
                expires: step + (try reader.int(10)))
        }
    }

    /// New things, whose numbers ascend.
    private static func list<Thing>(
        _ reader: inout BitReader, countBits: Int,
        _ read: (inout BitReader, Int) throws(Malformed) -> Thing
    ) throws(Malformed) -> [Thing] {
        let count = try reader.int(countBits)
        var things: [Thing] = []
        var id = 0
        for _ in 0..<count {
            let distance = try reader.small()
            guard distance > 0, id + distance < 1 << 40 else {
                throw Malformed("the numbers of new things do not ascend")
            }
            id += distance
            things.append(try read(&reader, id))
        }
        return things
    }

    private static func kept<Thing>(_ things: [Thing], _ reader: inout BitReader) throws(Malformed) -> [Thing] {
        var kept: [Thing] = []
        for thing in things where try !reader.flag() { kept.append(thing) }
        return kept
    }

    /// Both lists ascend; so does the result, in which no number stands twice.
    private static func merged<Thing>(
        _ known: [Thing], _ new: [Thing], _ limit: Int, _ what: String, _ id: KeyPath<Thing, Int>
    ) throws(Malformed) -> [Thing] {
        guard known.count + new.count <= limit else {
            throw Malformed("\(known.count + new.count) \(what); expected at most \(limit)")
        }
        var result: [Thing] = []
        result.reserveCapacity(known.count + new.count)
        var next = 0
        for thing in known {
            while next < new.count, new[next][keyPath: id] < thing[keyPath: id] {
                result.append(new[next])
                next += 1
            }
            guard next == new.count || new[next][keyPath: id] != thing[keyPath: id] else {
                throw Malformed("two \(what) have the same number")
            }
            result.append(thing)
        }
        return result + new[next...]
    }
}

extension SeenDrone {
    mutating func readRest(_ reader: inout BitReader) throws(Malformed) {
        vx = try reader.signed(Quantity.droneVelocityBits)
        vy = try reader.signed(Quantity.droneVelocityBits)
        health = try reader.int(3)
    }
}

extension SeenShip {
    init(_ reader: inout BitReader, from old: SeenShip) throws(Malformed) {
        self = old
        guard try reader.flag() else { return }
        if try reader.flag() {
            pilot = try reader.int(2, in: 0...2, "a pilot")
            lives = try reader.int(2)
            health = try reader.int(3)
            score = try reader.int(20)
        }
        if try reader.flag() {
            x = try reader.int(Quantity.placeBits)
            y = try reader.int(Quantity.placeBits)
            vx = try reader.signed(Quantity.shipVelocityBits)
            vy = try reader.signed(Quantity.shipVelocityBits)
            aimX = try reader.signed(8)
            aimY = try reader.signed(8)
        }
        energy = try reader.int(8)
        (returnsIn, protection, cooldown) = (0, 0, 0)
        if try reader.flag() {
            returnsIn = try reader.int(8)
            protection = try reader.int(7)
            cooldown = try reader.int(8)
        }
    }
}
