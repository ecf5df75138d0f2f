// SPDX-License-Identifier: Apache-2.0
// Interpolation: everything but one's own ship, drawn a moment late and evenly, between two snapshots.
// Idea:   the newest snapshots say how the host's steps run against this clock; the picture stays behind them by a distance that grows
//         when a snapshot was missing at its time, and shrinks slowly when none is.

package import SkirmishRules

package struct Interpolation: Sendable {
    private var snapshots: [Snapshot] = []
    /// The host's step at zero of this clock, by the fastest datagram lately.
    private var origin: Double?
    /// Steps that the picture is late.
    private(set) package var delay = 6.0
    private var shown = -1
    /// Snapshots that were not there when their time came.
    private(set) package var starved = 0

    package init() {}

    /// The newest that has come.
    package var newest: Snapshot? { snapshots.last }

    package mutating func add(_ snapshot: Snapshot, at time: Duration) {
        guard snapshot.step > snapshots.last?.step ?? -1 else { return }
        snapshots.append(snapshot)
        if snapshots.count > 40 { snapshots.removeFirst() }
        let arrived = Double(snapshot.step) - time / .seconds(1) * 60
        // A faster datagram says more than a slow one; the clocks may drift, slowly.
        origin = max(arrived, (origin ?? arrived) - 0.02)
    }

    /// The step to be drawn at `time`.
    package func step(at time: Duration) -> Double { (origin ?? 0) + time / .seconds(1) * 60 - delay }

    /// The snapshots around the picture's moment, and where it lies between them, 0…1. `nil`: there is none yet.
    package mutating func frame(at time: Duration) -> (from: Snapshot, to: Snapshot, part: Double)? {
        guard let last = snapshots.last, let first = snapshots.first else { return nil }
        let step = step(at: time)
        if step > Double(last.step) {
            starved += 1
            delay = min(20, delay + 0.25)
            return (last, last, 0)
        }
        delay = max(4, delay - 0.002)
        if step <= Double(first.step) { return (first, first, 0) }
        let next = snapshots.firstIndex { Double($0.step) >= step }!
        let (from, to) = (snapshots[next - 1], snapshots[next])
        return (from, to, (step - Double(from.step)) / Double(to.step - from.step))
    }

    /// What happened since this was asked for last, up to the picture's moment.
    package mutating func events(until step: Double) -> [WorldEvent] {
        var events: [WorldEvent] = []
        for (from, to) in zip(snapshots, snapshots.dropFirst()) where to.step > shown && Double(to.step) <= step {
            // What passed before the first picture is not told.
            if shown >= 0 { events += to.events(since: from) }
            shown = to.step
        }
        if shown < 0 { shown = Int(step) }
        return events
    }
}

extension Snapshot {
    /// A world to be drawn, between this snapshot and the next one.
    ///
    /// - Parameters:
    ///   - seat: Whose ship and shots are `own` instead, a prediction, at its own step.
    package func picture(
        towards next: Snapshot, part: Double, seat: Int?, own: (ship: Ship, shots: [Shot], step: Int)?
    ) -> World {
        let step = Double(self.step) + Double(next.step - self.step) * part
        func between(_ a: Int, _ b: Int) -> Int { a + Int((Double(b - a) * part).rounded()) }
        var ships = ships.indices.map { index in
            var ship = self.ships[index]
            let later = next.ships[index]
            // Who returns does not fly there.
            if ship.returnsIn == 0, later.returnsIn == 0, ship.pilot == later.pilot {
                (ship.x, ship.y) = (between(ship.x, later.x), between(ship.y, later.y))
                (ship.aimX, ship.aimY) = (between(ship.aimX, later.aimX), between(ship.aimY, later.aimY))
            }
            return ship.ship(index)
        }
        var later = next.drones[...]
        let drones = self.drones.map { drone in
            while let first = later.first, first.id < drone.id { later.removeFirst() }
            var drone = drone
            if let first = later.first, first.id == drone.id {
                (drone.x, drone.y) = (between(drone.x, first.x), between(drone.y, first.y))
            }
            return drone.drone()
        }
        var shots = self.shots.map { shot in
            shot.shot(at: shot.owner == seat ? Double(own?.step ?? Int(step)) : step)
        }
        if let own, let seat {
            ships[seat] = own.ship
            shots += own.shots
        }
        return World(
            seen: ships, drones: drones, shots: shots, cells: cells.map { $0.cell(at: step) },
            beaconHealth: beaconHealth, score: score, wave: wave, steps: self.step, isOver: isOver)
    }
}
