// SPDX-License-Identifier: Apache-2.0
// HostSession+Playing: a match's scripts on the host, and a host without a window.

internal import SkirmishMatch
internal import SkirmishProtocol
internal import SkirmishRules
package import Tandem

extension HostSession {
    /// Waves and bots, match after match, until the task is cancelled. Somebody else calls ``step()``.
    package func runMatches(_ clock: GameClock) async throws {
        var last = 0
        while true {
            while match == last || phase != .playing { try await clock.sleep(for: .milliseconds(20)) }
            last = match
            try await scripts(of: last, clock)
        }
    }

    private func scripts(of number: Int, _ clock: GameClock) async throws {
        guard let arena else { return }
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            group.addTask { try await arena.waves(clock) }
            for seat in 0..<GameProtocol.seats {
                group.addTask { try await arena.fly(seat, clock) { arena.world.ships[seat].pilot == .bot } }
            }
            while match == number, phase == .playing { try await clock.sleep(for: .milliseconds(20)) }
        }
    }

    /// A host of its own: serves, plays and steps until the task is cancelled, or `goesOn`, which is asked after each beat's steps, says no.
    package func runAlone(while goesOn: () -> Bool = { true }) async throws {
        let clock = GameClock(loop)
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            group.addTask { try await self.run() }
            group.addTask { try await self.runMatches(clock) }
            for try await beat in clock.timer(every: .seconds(World.step)) {
                miss(beat.missed)
                for _ in 0...min(beat.missed, 5) { step() }
                if !goesOn() { return }
            }
        }
    }
}
