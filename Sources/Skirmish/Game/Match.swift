// SPDX-License-Identifier: Apache-2.0
// Match: one game from the first wave to the end: the world, and the scripts that make things happen in it.
// Idea:   whatever takes time is a plain async function on the match's clock. Pausing the clock pauses the match.

import SkirmishRules
import Tandem
import TandemSDL

@MainActor
final class Match {
    private(set) var world: World
    var particles = Particles()
    /// What the middle of the screen says, and for how long.
    private(set) var announcement = ""
    private let clock: GameClock
    private var scripts: [GuestRun<Void>] = []

    init(seed: UInt64, bots: Int, fliesPlayer: Bool, guest: SDLGuest) {
        world = World(seed: seed, bots: bots)
        clock = GameClock(guest.loop)
        scripts.append(guest.run { try await self.waves() })
        for ship in (fliesPlayer ? 0 : 1)..<world.ships.count {
            scripts.append(guest.run { try await self.fly(ship) })
        }
    }

    var isPaused: Bool {
        get { clock.isPaused }
        set { clock.isPaused = newValue }
    }

    func steer(_ intent: Intent) { world.setIntent(intent, ship: 0) }

    func step() -> [WorldEvent] {
        let events = world.advance()
        for event in events { particles.show(event) }
        return events
    }

    /// Ends the scripts. Harmless when repeated.
    func end() {
        for script in scripts { script.cancel() }
        scripts = []
    }

    /// Wave after wave, each when the one before is beaten.
    private func waves() async throws {
        for number in 1... {
            world.beginWave(number)
            try await announce("Wave \(number)")
            for arrival in WavePlan(number: number).arrivals {
                try await clock.sleep(for: .seconds(arrival.delay))
                world.spawnDrone(arrival.kind)
            }
            while !world.drones.isEmpty { try await clock.sleep(for: .milliseconds(250)) }
        }
    }

    private func announce(_ text: String) async throws {
        announcement = text
        defer { announcement = "" }
        try await clock.sleep(for: .seconds(2))
    }

    /// A pilot thinks ten times a second, each at its own beat.
    private func fly(_ ship: Int) async throws {
        try await clock.sleep(for: .milliseconds(13 * ship))
        while true {
            world.setIntent(BotPilot.decide(world, ship: ship), ship: ship)
            try await clock.sleep(for: .milliseconds(100))
        }
    }
}
