// SPDX-License-Identifier: Apache-2.0
// HostedMatch: a match of Skirmish without a window, for programs that show or serve it elsewhere.
// Idea:   as in the game: whatever takes time is a plain async function on the match's clock.
// Owner:  the main actor, which lives on the loop.

import SkirmishRules
public import Tandem

/// One match, in real time: waves come, bots fly, somebody may steer the first ship.
@MainActor public final class HostedMatch {
    private var world: World
    private let clock: GameClock
    /// Somebody steers the first ship; until then a bot does.
    private var isSteered = false

    /// A match that has not begun, with the player's ship and so many bots. `loop` is the main actor's.
    public init(on loop: GuestLoop, seed: UInt64, bots: Int) {
        world = World(seed: seed, bots: bots)
        clock = GameClock(loop)
    }

    /// What an onlooker sees.
    public var state: MatchState { MatchState(world) }

    /// What the first ship is to do until the next order.
    public func steer(_ order: MatchOrder) {
        isSteered = true
        world.setIntent(order.intent, ship: 0)
    }

    /// Plays until the match is lost, sixty steps a second; `onStep` is called after each frame's steps.
    ///
    /// - Throws: `CancellationError`; `.closed` when the loop ends.
    public func play(onStep: () -> Void = {}) async throws {
        try await withThrowingTaskGroup { group in
            defer { group.cancelAll() }
            group.addTask { try await self.waves() }
            for ship in world.ships.indices { group.addTask { try await self.fly(ship) } }
            try await steps(onStep)
        }
    }

    private func steps(_ onStep: () -> Void) async throws {
        for try await beat in clock.timer(every: .seconds(World.step)) {
            // A stall is caught up with, within bounds.
            for _ in 0...min(beat.missed, 5) { _ = world.advance() }
            onStep()
            if world.isOver { return }
        }
    }

    private func waves() async throws {
        for number in 1... {
            world.beginWave(number)
            try await clock.sleep(for: .seconds(2))
            for arrival in WavePlan(number: number).arrivals {
                try await clock.sleep(for: .seconds(arrival.delay))
                world.spawnDrone(arrival.kind)
            }
            while !world.drones.isEmpty { try await clock.sleep(for: .milliseconds(250)) }
        }
    }

    private func fly(_ ship: Int) async throws {
        try await clock.sleep(for: .milliseconds(13 * ship))
        for try await _ in clock.timer(every: .milliseconds(100)) where ship > 0 || !isSteered {
            world.setIntent(BotPilot.decide(world, ship: ship), ship: ship)
        }
    }
}
