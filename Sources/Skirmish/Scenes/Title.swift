// SPDX-License-Identifier: Apache-2.0
// Title: the name, the keys, and bots that fight behind them.

import Tandem
import TandemSDL

struct Title {
    let stage: Stage

    /// Returns whether somebody wants to play. Nobody is asked in a run without a window.
    func run() async throws -> Bool {
        if stage.options.isAutomatic { return true }
        return try await stage.guest.withScene { scene in
            let show = Match(seed: 11, bots: 3)
            stage.screen = .title(show)
            show.start(in: scene, pilots: 0..<4)
            scene.task { for await _ in stage.guest.frames(in: .fixedUpdate) { _ = show.step() } }
            return try await stage.next(.start, .leave) == .start
        }
    }
}
