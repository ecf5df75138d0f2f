// SPDX-License-Identifier: Apache-2.0
// HostedMatch: a match of Skirmish without a window, for programs that show or serve it elsewhere.
// Idea:   as in the game: whatever takes time is a plain async function on the match's clock.
// Owner:  the main actor, which lives on the loop.

internal import SkirmishRules
public import Tandem

/// One match, in real time: waves come, bots fly, somebody may steer the first ship.
@MainActor public final class HostedMatch {
    private let arena: Arena
    private let clock: GameClock
    /// Somebody steers the first ship; until then a bot does.
    private var isSteered = false

    /// A match that has not begun, with the player's ship and so many bots. `loop` is the main actor's.
    public init(on loop: GuestLoop, seed: UInt64, bots: Int) {
        arena = Arena(seed: seed, pilots: [.person] + Array(repeating: .bot, count: max(0, bots)))
        clock = GameClock(loop)
    }

    /// What an onlooker sees.
    public var state: MatchState { MatchState(arena.world) }

    /// What the first ship is to do until the next order.
    public func steer(_ order: MatchOrder) {
        isSteered = true
        arena.steer(0, order.intent)
    }

    /// Plays until the match is lost, sixty steps a second; `onStep` is called after each frame's steps.
    ///
    /// - Throws: `CancellationError`; `.closed` when the loop ends.
    public func play(onStep: () -> Void = {}) async throws {
        try await withThrowingTaskGroup { group in
            defer { group.cancelAll() }
            group.addTask { try await self.arena.waves(self.clock) }
            for ship in arena.world.ships.indices {
                group.addTask { try await self.arena.fly(ship, self.clock) { ship > 0 || !self.isSteered } }
            }
            try await steps(onStep)
        }
    }

    private func steps(_ onStep: () -> Void) async throws {
        for try await beat in clock.timer(every: .seconds(World.step)) {
            // A stall is caught up with, within bounds.
            for _ in 0...min(beat.missed, 5) { _ = arena.step() }
            onStep()
            if arena.world.isOver { return }
        }
    }
}
