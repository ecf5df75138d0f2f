// SPDX-License-Identifier: Apache-2.0
// ReadmeTests: the simulations of the README and of *A game in an hour*, which `DocumentationTests` compares with what stands between the marks.

import Tandem
import TandemTesting
import Testing

/// What the article's game has of its own.
@MainActor private final class World {
    private(set) var steps = 0
    private(set) var turns: [Int] = []
    var isOver: Bool { steps > 6000 }

    func advance(by duration: Duration) { steps += 1 }
    func turn(_ direction: Int) { turns.append(steps) }
}

extension SDL {
    @Suite @MainActor struct ReadmeTests {
        @Test func theReadmesSimulation() throws {
            // README
            try Simulation.run { simulation in
                let clock = GameClock(simulation.loop)
                simulation.at(.seconds(10)) { clock.isPaused = true }  // the player pauses …
                simulation.at(.seconds(70)) { clock.isPaused = false }  // … for a minute
                let waves = try simulation.run {
                    for _ in 0..<3 { try await clock.sleep(for: .seconds(20)) }
                    return 3
                }
                #expect(waves == 3 && simulation.elapsed == .seconds(120))
            }
            // README
        }

        // ARTICLE
        @Test @MainActor func aMinuteOfPlay() throws {
            try Simulation.run { simulation in
                let clock = GameClock(simulation.loop)
                let world = World()
                simulation.at(.seconds(1)) { world.turn(1) }
                try simulation.run {
                    for try await interval in clock.timer(every: .milliseconds(10)) {
                        world.advance(by: .milliseconds(10))
                        if interval.number == 6000 { break }
                    }
                }
                #expect(world.isOver == false && simulation.elapsed == .seconds(60))
            }
        }
        // ARTICLE

        @Test func whatATestLeavesWaitingIsToldWithWhatToDo() throws {
            let error = try #require(
                #expect(throws: SimulationError.self) {
                    try Simulation.run { simulation in
                        simulation.loop.run { try await simulation.loop.sleep(for: .seconds(1000)) }
                        try simulation.advance(by: .seconds(1))
                    }
                })
            #expect(error.kind == .leftovers)
            #expect(error.description.contains("allowsLeftovers: true; waiting:"), "\(error)")
            try Simulation.run { simulation in
                let run = simulation.loop.run { try await simulation.loop.sleep(for: .seconds(1000)) }
                try simulation.advance(by: .seconds(1))
                run.cancel()
                try simulation.runUntilIdle()
            }
            try Simulation.run(allowsLeftovers: true) { simulation in
                simulation.loop.run { try await simulation.loop.sleep(for: .seconds(1000)) }
                try simulation.advance(by: .seconds(1))
            }
        }
    }
}
