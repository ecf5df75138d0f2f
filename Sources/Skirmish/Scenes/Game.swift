// SPDX-License-Identifier: Apache-2.0
// Game: the whole game, from top to bottom.
// Idea:   a scene is a function that one awaits. What it starts (waves, pilots, keys, steps) ends with it, so that nothing of a match
//         can reach into the next one.

import Tandem
import TandemSDL

struct Game {
    let stage: Stage

    /// Title, match, game over, for as long as somebody plays.
    func play() async throws {
        try await stage.guest.withScene { evening in
            evening.task { await stage.takeInput() }
            evening.task { await stage.moveStars() }
            evening.task { try await stage.toggleFullScreen() }
            guard try await Title(stage: stage).run() else { return }
            try await session()
        }
    }

    /// From the first match on: what the options limit, and the statistics count.
    private func session() async throws {
        do {
            try await stage.guest.withScene { session in
                session.task { await stage.measureFrames { session.end() } }
                if let seconds = stage.options.seconds { session.callLater(.seconds(seconds)) { session.end() } }
                try await matches()
            }
        } catch is CancellationError where !Task.isCancelled {
            // The limit was reached.
        }
    }

    private func matches() async throws {
        while true {
            let match = stage.newMatch()
            let isLost = try await Playing(stage: stage, match: match).run()
            if isLost, try await GameOver(stage: stage, match: match).run() { continue }
            guard try await Title(stage: stage).run() else { return }
        }
    }
}
