// SPDX-License-Identifier: Apache-2.0
// SameNames: beside an engine whose types have the names of Tandem's. Names that Tandem no longer has are the engine's. Of those that both have, the
// engine's are chosen in Choices.swift for its file, and Tandem's are written with their module.

import TandemSDL
import UsualNames

/// A type of the game's own: it comes before those of all modules.
struct Trace { let owner = "game" }

SDL_Init(UInt32(SDL_INIT_VIDEO))
var configuration: Tandem.Configuration = .init()
configuration.budget = .milliseconds(2)
let guest = try SDLGuest(configuration: configuration)
var last: Tandem.Frame?
var sent: Tandem.Outbox?
let clock = GameClock(guest.loop)
guest.run {
    for await frame in guest.frames {
        last = frame
        if frame.number >= 5 { break }
    }
}
let frames = FrameLoop(guest, pace: .fixed(framesPerSecond: 500))
frames.frameLimit = 20
let count = frames.run(draw: { _ in })
let statistics: Tandem.Statistics = guest.loop.statistics
guard let last, last.number >= 5, count == 20, statistics.ticks > 0, sent == nil else { fatalError("\(count) frames") }

let owners = [Socket.owner, Signal.owner, Scene.owner, Events.owner, Keys.owner] + chosen()
guard owners.allSatisfy({ $0 == "engine" }), Trace().owner == "game" else { fatalError("\(owners)") }
guest.close()
print("ok")
