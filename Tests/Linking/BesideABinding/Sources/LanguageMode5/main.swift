// SPDX-License-Identifier: Apache-2.0
// LanguageMode5: a game that has not moved to Swift 6.

import TandemSDL

/// What async code changes.
@MainActor final class Model {
    private(set) var beats = 0
    private(set) var frames = 0

    func live(_ guest: SDLGuest) async throws {
        while true {
            try await guest.loop.sleep(for: .milliseconds(1))
            beats += 1
        }
    }

    func draw() { frames += 1 }
}

@MainActor func play() throws {
    SDL_Init(UInt32(SDL_INIT_VIDEO))
    let guest = try SDLGuest()
    let model = Model()
    guest.run { try await model.live(guest) }
    let frames = FrameLoop(guest, pace: .fixed(framesPerSecond: 500))
    let count = frames.run(draw: { _ in
        model.draw()
        if model.frames >= 20, model.beats > 3 || model.frames > 5_000 { frames.stop() }
    })
    guard model.beats > 3 else { fatalError("\(model.beats) beats in \(count) frames") }
    guest.close()
    print("ok")
}

// In that mode the top level is not the main actor's.
try MainActor.assumeIsolated { try play() }
