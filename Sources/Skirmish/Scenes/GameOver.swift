// SPDX-License-Identifier: Apache-2.0
// GameOver: the end of a match: the sparks fly on, the score stands.

import Tandem
import TandemSDL

struct GameOver {
    let stage: Stage
    let match: Match

    /// Returns whether there is to be another match; else the title.
    func run() async throws -> Bool {
        try await stage.guest.withScene { scene in
            stage.screen = .over(match, isBest: stage.keepScore(match.world))
            scene.task { await match.moveEffects(scene) }
            // Whoever fires to the last must not skip the end.
            try await scene.clock.sleep(for: .seconds(1))
            if stage.options.isAutomatic {
                try await scene.clock.sleep(for: .seconds(2))
                return true
            }
            return try await stage.choose(Menu("", ["Try again", "Title"], top: 400)) == 0
        }
    }
}
