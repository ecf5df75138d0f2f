// SPDX-License-Identifier: Apache-2.0
// ReadmeTests: the README's simulation, which `DocumentationTests` compares with what stands between the marks.

import Tandem
import TandemTesting
import Testing

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
    }
}
