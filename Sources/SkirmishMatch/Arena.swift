// SPDX-License-Identifier: Apache-2.0
// Arena: a world, and the scripts that make things happen in it, for everybody who plays, shows or hosts a match.
// Idea:   whatever takes time is a plain async function on a clock. Pausing the clock pauses the match.
// Owner:  the main actor, which lives on the loop.

package import SkirmishRules
package import Tandem

@MainActor package final class Arena {
    package private(set) var world: World
    /// What the middle of the screen says, and since which step.
    package private(set) var announcement: (text: String, since: Int)?
    /// Everything that was told to the world, if that is kept.
    package private(set) var record: MatchRecord?
    private var intents: [Intent]
    /// Drones of the present wave that are still to come.
    private var arrivalsLeft = 0
    private var waveSize = 1

    package init(seed: UInt64, pilots: [Pilot], keepsRecord: Bool = false) {
        world = World(seed: seed, pilots: pilots)
        intents = pilots.map { _ in Intent() }
        if keepsRecord { record = MatchRecord(seed: seed, pilots: pilots) }
    }

    /// How much of the present wave is left, 0…1.
    package var waveLeft: Double { min(1, Double(arrivalsLeft + world.drones.count) / Double(waveSize)) }

    /// What a ship is to do until it is told otherwise.
    package func steer(_ ship: Int, _ intent: Intent) {
        guard intents.indices.contains(ship), intents[ship] != intent else { return }
        intents[ship] = intent
        tell(.intent(intent, ship: ship))
    }

    /// Somebody else takes a seat, or leaves it.
    package func seat(_ pilot: Pilot, in ship: Int) {
        guard intents.indices.contains(ship) else { return }
        intents[ship] = Intent()
        tell(.pilot(pilot, ship: ship))
    }

    /// One sixtieth of a second; returns what happened.
    package func step() -> [WorldEvent] { world.advance() }

    /// Whether the record gives this match again, bit for bit; `nil`: none is kept.
    package var replaysTheSame: Bool? {
        record.map { $0.replayed(steps: world.steps).stateHash == world.stateHash }
    }

    private func tell(_ order: Order) {
        record?.add(order, at: world.steps)
        world.carryOut(order)
    }

    // MARK: - Scripts

    /// Wave after wave, each when the one before is beaten.
    package func waves(_ clock: GameClock) async throws {
        for number in 1... {
            let plan = WavePlan(number: number)
            tell(.wave(number))
            (arrivalsLeft, waveSize) = (plan.arrivals.count, plan.arrivals.count)
            try await announce("Wave \(number)", clock)
            for arrival in plan.arrivals {
                try await clock.sleep(for: .seconds(arrival.delay))
                tell(.drone(arrival.kind))
                arrivalsLeft -= 1
            }
            while !world.drones.isEmpty { try await clock.sleep(for: .milliseconds(250)) }
        }
    }

    private func announce(_ text: String, _ clock: GameClock) async throws {
        announcement = (text, world.steps)
        defer { announcement = nil }
        try await clock.sleep(for: .seconds(2))
    }

    /// A pilot thinks ten times a second, each at its own beat, while `isAllowed`.
    package func fly(_ ship: Int, _ clock: GameClock, while isAllowed: @MainActor () -> Bool = { true }) async throws {
        try await clock.sleep(for: .milliseconds(13 * ship))
        for try await _ in clock.timer(every: .milliseconds(100)) where isAllowed() {
            steer(ship, BotPilot.decide(world, ship: ship))
        }
    }
}
