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
            scene.task { try await show() }
            return try await stage.next(.start, .leave) == .start
        }
    }

    /// Match after match between bots: scenes inside the scene, which end with it.
    private func show() async throws {
        for seed: UInt64 in 11... {
            let match = Match(seed: seed, bots: 3)
            stage.screen = .title(match)
            try await stage.guest.withScene { scene in
                match.start(in: scene, pilots: 0..<4)
                scene.task { for await _ in stage.guest.frames(in: .fixedUpdate) { _ = match.step() } }
                try await stage.guest.waitUntil { match.world.isOver }
            }
        }
    }
}
