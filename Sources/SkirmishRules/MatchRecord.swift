// SPDX-License-Identifier: Apache-2.0
// MatchRecord: all that was told to a world from outside, and when: enough to have the same match again, bit for bit.

/// Something that is told to a world between two steps.
package enum Order: Sendable, Hashable {
    case intent(Intent, ship: Int)
    case pilot(Pilot, ship: Int)
    case wave(Int)
    case drone(Drone.Kind)
}

extension World {
    package mutating func carryOut(_ order: Order) {
        switch order {
        case .intent(let intent, let ship): setIntent(intent, ship: ship)
        case .pilot(let pilot, let ship): setPilot(pilot, ship: ship)
        case .wave(let number): beginWave(number)
        case .drone(let kind): spawnDrone(kind)
        }
    }
}

package struct MatchRecord: Sendable {
    package let seed: UInt64
    package let pilots: [Pilot]
    /// In order; each before the step after `step`.
    package private(set) var orders: [(step: Int, order: Order)] = []

    package init(seed: UInt64, pilots: [Pilot]) {
        self.seed = seed
        self.pilots = pilots
    }

    package mutating func add(_ order: Order, at step: Int) { orders.append((step, order)) }

    /// The match once more, up to so many steps.
    package func replayed(steps: Int) -> World {
        var world = World(seed: seed, pilots: pilots)
        var rest = orders[...]
        while true {
            while let next = rest.first, next.step <= world.steps {
                world.carryOut(next.order)
                rest.removeFirst()
            }
            guard world.steps < steps, !world.isOver else { return world }
            _ = world.advance()
        }
    }
}
