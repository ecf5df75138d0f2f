// SPDX-License-Identifier: Apache-2.0
// InspectorProbe: a game without a picture that has one of everything that the inspector's page shows, with two faults planted among them.
// Idea:   `.ci/inspector` opens the page in a browser. What it has to find there stands on a line that ends in its name after "page:", so that the line's
//         number is known to it.
// Owner:  the main thread. It ends by SIGTERM, or after five minutes.

import SystemPackage
import Tandem
import TandemInspector
import TandemSDL

guard SDL_Init(SDL_INIT_EVENTS) == 0 else { fatalError("SDL did not start: \(String(cString: SDL_GetError()))") }
var configuration = Configuration()
// The planted callback takes four times that. Each time is reported, so that other slow code of a busy machine does not keep it out.
configuration.watchdog = Watchdog(limit: .milliseconds(10), minimumInterval: .zero) { _ in }
let guest = try SDLGuest(configuration: configuration)
let loop = guest.loop
let inspector = try Inspector(loop)

/// Longer than the program runs.
let ever = Duration.seconds(100_000)

/// A task whose end somebody is told of.
func start(line: UInt = #line, _ body: @escaping @Sendable () async throws -> Void) {
    loop.run(line: line, body, onDone: { _ in })
}

// What waits.
let clock = GameClock(loop)
// Nothing is ever written into them.
let (watched, awaited, abandoned, inScene) = (
    try FileDescriptor.pipe(), try FileDescriptor.pipe(), try FileDescriptor.pipe(), try FileDescriptor.pipe()
)
let timer = loop.callLater(ever) {}  // page: timer
let watch = try loop.whenReadable(watched.readEnd) {}  // page: handler
let drawing = loop.everyFrame(in: .draw) { _ in }  // page: frame handler
start { try await loop.sleep(for: ever) }  // page: sleep
start { try await clock.sleep(for: ever) }  // page: game sleep
start { try await loop.waitUntilReadable(awaited.readEnd) }  // page: descriptor
start { try await loop.waitUntil { false } }  // page: frame

// Scenes: one in another, the inner one's clock at rest.
start {
    try await loop.withScene { level in  // page: outer scene
        level.task { try await level.clock.sleep(for: ever) }  // page: task of a scene
        level.callLater(ever) {}  // page: timer of a scene
        _ = try level.whenReadable(inScene.readEnd) {}  // page: handler of a scene
        try await loop.withScene { pause in  // page: inner scene
            pause.clock.isPaused = true
            try await pause.clock.sleep(for: ever)  // page: sleep of a paused scene
        }
    }
}

extension Duration {
    /// Keeps the thread for so long. A sleep would be ended by the watchdog's signal.
    nonisolated func compute() {
        let end = ContinuousClock.now + self
        while ContinuousClock.now < end {}
    }
}

// The faults: a callback of 40 ms once a second, which also takes its tick over its budget; a task that nobody awaits; a handler that nobody can cancel.
start {
    for try await _ in loop.clock.timer(every: .seconds(1)) {  // page: beat
        loop.callSoon { Duration.milliseconds(40).compute() }  // page: slow
    }
}
loop.run { try await loop.sleep(for: ever) }  // page: lost task
_ = try loop.whenReadable(abandoned.readEnd) {}  // page: lost handler

let frames = FrameLoop(guest, pace: .fixed(framesPerSecond: 60))
frames.frameLimit = 60 * 300
frames.run()
inspector.close()
guest.close()
SDL_Quit()
