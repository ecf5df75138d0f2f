// SPDX-License-Identifier: Apache-2.0
// Match: a world, and the scripts that make things happen in it.
// Idea:   whatever takes time is a plain async function on the scene's clock. Pausing the clock pauses the match.

import SkirmishRules
import Tandem

final class Match {
    private(set) var world: World
    private(set) var effects = Effects()
    /// What the middle of the screen says, and since which step.
    private(set) var announcement: (text: String, since: Int)?
    /// Where the player aims.
    private(set) var crosshair: Vector?
    /// Drones of the present wave that are still to come.
    private var arrivalsLeft = 0
    private var waveSize = 1

    init(seed: UInt64, bots: Int) {
        world = World(seed: seed, bots: bots)
    }

    /// How much of the present wave is left, 0…1.
    var waveLeft: Double { min(1, Double(arrivalsLeft + world.drones.count) / Double(waveSize)) }

    /// Starts the scripts, which end with the scene.
    func start(in scene: Scene, pilots: Range<Int>) {
        scene.task { [self] in try await waves(scene) }
        scene.task { [self] in await moveEffects(scene) }
        for ship in pilots { scene.task { [self] in try await fly(ship, scene.clock) } }
    }

    /// Wave after wave, each when the one before is beaten.
    private func waves(_ scene: Scene) async throws {
        for number in 1... {
            let plan = WavePlan(number: number)
            world.beginWave(number)
            (arrivalsLeft, waveSize) = (plan.arrivals.count, plan.arrivals.count)
            try await announce("Wave \(number)", scene.clock)
            for arrival in plan.arrivals {
                try await scene.clock.sleep(for: .seconds(arrival.delay))
                world.spawnDrone(arrival.kind)
                arrivalsLeft -= 1
            }
            try await scene.loop.waitUntil { [self] in world.drones.isEmpty }
        }
    }

    private func announce(_ text: String, _ clock: GameClock) async throws {
        announcement = (text, world.steps)
        defer { announcement = nil }
        try await clock.sleep(for: .seconds(2))
    }

    /// A pilot thinks ten times a second, each at its own beat.
    private func fly(_ ship: Int, _ clock: GameClock) async throws {
        try await clock.sleep(for: .milliseconds(13 * ship))
        for try await _ in clock.timer(every: .milliseconds(100)) {
            world.setIntent(BotPilot.decide(world, ship: ship), ship: ship)
        }
    }

    /// Sparks fly at the pace of the frames.
    func moveEffects(_ scene: Scene) async {
        for await frame in scene.loop.frames where !scene.clock.isPaused { effects.move(frame.delta) }
    }

    /// What the player wants, from the next step on.
    func steer(_ intent: Intent) {
        world.setIntent(intent, ship: 0)
        crosshair = intent.target
    }

    /// One sixtieth of a second; returns what happened.
    func step() -> [WorldEvent] {
        let before = (score: world.score, health: world.player.health)
        let events = world.advance()
        effects.show(events, gained: world.score - before.score, isHurt: world.player.health < before.health)
        for ship in world.ships where ship.isFlying { effects.trail(ship) }
        return events
    }
}
