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
        stage.show(match)
        defer { stage.window.showsCursor = true }
        do {
            try await stage.guest.withScene { scene in
                match.start(in: scene, pilots: (stage.options.isAutomatic ? 0 : 1)..<match.world.ships.count)
                scene.task { await steps(scene.clock) }
                scene.task { try await pauses(scene) }
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
            if !stage.options.isAutomatic { match.steer(stage.input.intent(match.world, ship: 0)) }
            for event in match.step() { stage.sound?.play(event) }
        }
    }

    /// Pause stops the clock, and with it whatever sleeps on it. Escape leaves; a gamepad's B, which a thumb finds by accident, pauses.
    private func pauses(_ scene: GuestScene) async throws {
        while true {
            let event = try await stage.guest.nextEvent { event in
                Command(event) == .leave || Command(event) == .pause || stage.input.asks(for: .pause, event)
            }
            if Command(event) == .leave, event.type == SDL_KEYDOWN.rawValue { return scene.end() }
            scene.clock.isPaused = true
            stage.screen = .match(match, isPaused: true)
            stage.window.showsCursor = true
            guard try await isGoingOn() else { return scene.end() }
            scene.clock.isPaused = false
            stage.screen = .match(match, isPaused: false)
            stage.window.showsCursor = false
        }
    }

    private func isGoingOn() async throws -> Bool {
        let menu = Menu("Paused", ["Go on", "Options", "Leave"])
        while true {
            switch try await stage.choose(menu) {
            case 0: return true
            case 1: try await OptionsPage(stage: stage).run()
            case let line: return line == Menu.resumed
            }
        }
    }
}
