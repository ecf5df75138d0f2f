// SPDX-License-Identifier: Apache-2.0
// DeltaPlan: what of a snapshot goes into a datagram when not all of it fits.
// Idea:   what is new comes first, then the drones by how wrong the player is about them: nothing waits for ever, since what waits gets
//         more wrong.

struct DeltaPlan {
    struct Entry {
        let expected: SeenDrone
        /// `nil`: it is gone.
        let now: SeenDrone?
    }

    struct Choice {
        var drones: Set<Int> = []
        var shots: Set<Int> = []
        var cells: Set<Int> = []
        /// Everything was chosen.
        var isWhole = true
    }

    /// The baseline's drones, in its order.
    private(set) var known: [Entry] = []
    private(set) var newDrones: [SeenDrone] = []
    private let newShots: [Int]
    private let newCells: [Int]
    /// What is written in any case.
    private let fixedBits: Int

    init(_ snapshot: Snapshot, from baseline: Snapshot) {
        let steps = snapshot.step - baseline.step
        var next = 0
        known.reserveCapacity(baseline.drones.count)
        for old in baseline.drones {
            while next < snapshot.drones.count, snapshot.drones[next].id < old.id {
                newDrones.append(snapshot.drones[next])
                next += 1
            }
            let isThere = next < snapshot.drones.count && snapshot.drones[next].id == old.id
            known.append(Entry(expected: old.flown(steps), now: isThere ? snapshot.drones[next] : nil))
            if isThere { next += 1 }
        }
        newDrones += snapshot.drones[next...]
        let (oldShots, oldCells) = (Set(baseline.shots.map(\.id)), Set(baseline.cells.map(\.id)))
        newShots = snapshot.shots.map(\.id).filter { !oldShots.contains($0) }
        newCells = snapshot.cells.map(\.id).filter { !oldCells.contains($0) }
        fixedBits = known.count * 2 + baseline.shots.count + baseline.cells.count + 7 + 9 + 6
    }

    /// As much as has room in `bits`.
    func chosen(within bits: Int) -> Choice {
        var choice = Choice()
        var left = bits - fixedBits
        /// Takes one if there is room; `false` ends the list it stands in.
        func pays(_ cost: Int) -> Bool {
            guard cost <= left else {
                choice.isWhole = false
                return false
            }
            left -= cost
            return true
        }
        func take(_ ids: [Int], cost: Int, _ set: WritableKeyPath<Choice, Set<Int>>) {
            var last = 0
            for id in ids {
                guard pays(cost + BitWriter.costOfSmall(id - last)) else { return }
                choice[keyPath: set].insert(id)
                last = id
            }
        }
        take(newShots, cost: 4 + 2 * (Quantity.placeBits + Quantity.shotVelocityBits) + 8, \.shots)
        take(newDrones.map(\.id), cost: 2 + 2 * Quantity.placeBits + SeenDrone.restBits, \.drones)
        take(newCells, cost: 2 * Quantity.placeBits + 10, \.cells)
        var changed = known.compactMap { entry in
            entry.now.flatMap { $0 == entry.expected ? nil : (now: $0, expected: entry.expected) }
        }
        let cost = { (now: SeenDrone, expected: SeenDrone) in
            2 * (now.isNear(expected) ? 8 : Quantity.placeBits) + SeenDrone.restBits
        }
        if changed.reduce(0, { $0 + cost($1.now, $1.expected) }) > left {
            changed.sort { $0.now.error(to: $0.expected) > $1.now.error(to: $1.expected) }
        }
        for (now, expected) in changed where pays(cost(now, expected)) { choice.drones.insert(now.id) }
        return choice
    }
}
