// SPDX-License-Identifier: Apache-2.0
// Game: the whole game, from top to bottom.
// Idea:   a scene is a function that one awaits. What it starts (waves, pilots, keys, steps, connections) ends with it, so that nothing of
//         a match can reach into the next one.

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
            evening.task { try await stage.toggleDisplay() }
            guard let choice = try await firstChoice() else { return }
            try await session(choice)
        }
    }

    /// The command line may have chosen already, and nobody is asked in a run without a window.
    private func firstChoice() async throws -> Choice? {
        if let choice = try stage.options.choice(stage.settings) { return choice }
        return stage.options.isAutomatic ? .single : try await Title(stage: stage).run()
    }

    /// From the first match on: what the options limit, and the statistics count.
    private func session(_ first: Choice) async throws {
        do {
            try await stage.guest.withScene { session in
                @MainActor func end() {
                    // Others are told before the end.
                    if stage.party != nil, stage.options.isAutomatic { stage.isTimeUp = true } else { session.end() }
                }
                session.task { await stage.measureFrames { end() } }
                if let seconds = stage.options.seconds { session.callLater(.seconds(seconds)) { end() } }
                try await matches(first)
            }
        } catch is CancellationError where !Task.isCancelled {
            // The limit was reached.
        }
    }

    private func matches(_ first: Choice) async throws {
        var choice: Choice? = first
        while let now = choice {
            switch now {
            case .single: try await alone()
            case .host(let options): try await NetworkGame(stage: stage).host(options)
            case .join(let host, let port, let code): try await NetworkGame(stage: stage).join(host, port, code: code)
            }
            if stage.options.isAutomatic { return }
            choice = try await Title(stage: stage).run()
        }
    }

    /// Match after match, until the player leaves.
    private func alone() async throws {
        while true {
            let match = stage.newMatch()
            guard try await Playing(stage: stage, match: match).run(),
                try await GameOver(stage: stage, match: match).run()
            else { return }
        }
    }
}
