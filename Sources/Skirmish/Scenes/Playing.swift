// SPDX-License-Identifier: Apache-2.0
// Playing: a match with somebody in it.

import SkirmishRules
import Tandem
import TandemSDL

struct Playing {
    let stage: Stage
    let match: Match

    /// Plays the match. Returns whether it was lost; else the player left.
    func run() async throws -> Bool {
        defer { stage.window.showsCursor = true }
        stage.window.showsCursor = false
        stage.screen = .match(match, isPaused: false)
        stage.sound?.play(.wave)
        do {
            try await stage.guest.withScene { scene in
                match.start(in: scene, pilots: (stage.options.isAutomatic ? 0 : 1)..<match.world.ships.count)
                scene.task { await steps(scene.clock) }
                scene.task { try await pauses(scene.clock) }
                scene.task { try await leaves(scene) }
                try await stage.guest.waitUntil { match.world.isOver }
            }
            return true
        } catch is CancellationError where !Task.isCancelled {
            return false
        }
    }

    /// Sixty steps a second, while the clock runs.
    private func steps(_ clock: GameClock) async {
        for await _ in stage.guest.frames(in: .fixedUpdate) where !clock.isPaused {
            if !stage.options.isAutomatic { match.steer(stage.input.intent(match.world)) }
            for event in match.step() { stage.sound?.play(event) }
        }
    }

    /// P stops the clock, and with it whatever sleeps on it.
    private func pauses(_ clock: GameClock) async throws {
        while true {
            _ = try await stage.next(.pause)
            clock.isPaused.toggle()
            stage.screen = .match(match, isPaused: clock.isPaused)
        }
    }

    private func leaves(_ scene: Scene) async throws {
        _ = try await stage.next(.leave)
        scene.end()
    }
}
