// SPDX-License-Identifier: Apache-2.0
// SkirmishMatchTests: a match's scripts in virtual time, without a window.

import SkirmishRules
import Tandem
import TandemTesting
import Testing

@testable import Skirmish

extension SDL {
    @Suite @MainActor struct SkirmishMatchTests {
        /// Plays for so long by the scene's clock.
        private func play(
            _ match: Match, for duration: Duration, in simulation: Simulation,
            _ meanwhile: @escaping @MainActor (GuestScene) async throws -> Void = { _ in }
        ) throws {
            simulation.fixedStep = .seconds(1) / 60
            let loop = simulation.loop
            try simulation.run {
                try await loop.withScene { scene in
                    match.start(in: scene, pilots: 0..<match.world.ships.count)
                    scene.task {
                        for await _ in loop.frames(in: .fixedUpdate) where !scene.clock.isPaused { _ = match.step() }
                    }
                    scene.task { try await meanwhile(scene) }
                    try await scene.clock.sleep(for: duration)
                }
            }
        }

        @Test func aMatchIsTheSameAtEveryRunAndLeavesNothing() throws {
            let hashes = try (0..<2).map { _ in
                // Fails if anything is still waiting at the end.
                try Simulation.run { simulation in
                    let match = Match(seed: 7, bots: 3)
                    try play(match, for: .seconds(120), in: simulation)
                    #expect(match.world.steps >= 7190)
                    #expect(match.world.wave > 3)
                    #expect(match.world.score > 1000)
                    return match.world.stateHash
                }
            }
            #expect(hashes[0] == hashes[1])
        }

        @Test func aPausedClockStopsTheMatchAndNothingElse() throws {
            try Simulation.run { simulation in
                let match = Match(seed: 3, bots: 1)
                let loop = simulation.loop
                try play(match, for: .seconds(20), in: simulation) { scene in
                    try await loop.sleep(for: .seconds(6))
                    scene.clock.isPaused = true
                    let before = match.world.stateHash
                    try await loop.sleep(for: .seconds(30))
                    #expect(match.world.stateHash == before)
                    scene.clock.isPaused = false
                    try await loop.sleep(for: .seconds(1))
                    #expect(match.world.stateHash != before)
                }
                #expect(simulation.elapsed >= .seconds(50))
                #expect(simulation.elapsed < .seconds(51))
            }
        }
    }
}
