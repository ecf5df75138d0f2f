// SPDX-License-Identifier: Apache-2.0
// Title: the name, what can be played, and bots that fight behind it.

import SkirmishNetwork
import SkirmishProtocol
import Tandem
import TandemSDL

/// What is to be played.
nonisolated enum Choice {
    case single
    case host(HostOptions)
    case join(host: String, port: UInt16, code: String)
}

struct Title {
    let stage: Stage

    /// What somebody wants to play; `nil`: nothing more.
    func run() async throws -> Choice? {
        try await stage.guest.withScene { scene in
            scene.task { try await show() }
            let menu = Menu("", ["Single", "Host", "Join", "Options", "Quit"], top: 232)
            while true {
                switch try await stage.choose(menu) {
                case 0: return .single
                case 1: return .host(try stage.options.hostOptions(stage.settings))
                case 2: if let game = try await Join(stage: stage).run() { return game }
                case 3: try await OptionsPage(stage: stage).run()
                default: return nil
                }
            }
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
