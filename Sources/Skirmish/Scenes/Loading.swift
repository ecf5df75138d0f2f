// SPDX-License-Identifier: Apache-2.0
// Loading: reads pictures and sounds on other threads, while frames go on and a bar grows.

import Tandem
import TandemSDL

struct Loading {
    let stage: Stage
    let folder: String

    func run() async throws {
        let assets = try await Assets.load(folder, stage) { stage.screen = .loading($0) }
        stage.sound?.take(assets.sounds)
        stage.artist = Artist(stage.window.renderer, assets)
    }
}
