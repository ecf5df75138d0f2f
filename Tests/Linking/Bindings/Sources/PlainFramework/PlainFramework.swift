// SPDX-License-Identifier: Apache-2.0
// PlainFramework: a framework of plain classes that knows nothing of actors: the game overrides what the framework calls.

import CSDL2

/// What a game overrides.
open class Game {
    /// A game.
    public init() {}
    /// Once, before the first frame.
    open func setup() {}
    /// Once a frame.
    open func update() {}
    /// Once a frame, last.
    open func draw() {}
    /// Whether the game has to do with it.
    open func filter(type: UInt32) -> Bool { true }

    /// Runs so many frames.
    public func run(frames: Int) {
        SDL_Init(UInt32(SDL_INIT_VIDEO))
        setup()
        for _ in 0..<frames {
            var event = SDL_Event()
            while SDL_PollEvent(&event) != 0 { _ = filter(type: event.type) }
            update()
            draw()
            SDL_Delay(1)
        }
    }
}
