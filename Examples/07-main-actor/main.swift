// SPDX-License-Identifier: Apache-2.0
// 07-main-actor: a model on the main actor, updated by concurrent children, in a program whose main is async.
// Idea: `@MainActor` code is the game's own thread. Children compute elsewhere and await the model; frames, timers and keys are awaited in
// between; nothing is locked, and no line of glue joins the two worlds. The top level awaits, which makes main async: the program's
// main executor runs the frames.
//
// --frames N  ends after N frames; else Escape or closing the window ends it.

import TandemSDL

let limit = CommandLine.arguments.firstIndex(of: "--frames").flatMap { Int(CommandLine.arguments[$0 + 1]) } ?? .max

guard SDL_Init(SDL_INIT_VIDEO) == 0, let window = SDL_CreateWindow("Main actor", 0, 0, 480, 200, 0),
    let renderer = SDL_CreateRenderer(window, -1, 0)
else { fatalError("SDL did not start: \(String(cString: SDL_GetError()))") }
let guest = try SDLGuest()

/// What the game shows.
@MainActor final class Terrain {
    private(set) var heights = [Int32](repeating: 0, count: 48)
    private(set) var finished = 0

    func set(_ column: Int, _ height: Int32) {
        heights[column] = height
        finished += 1
    }

    /// Computes all columns at once, each in a child task on the pool of threads, and takes each when it is ready.
    func grow(seed: Int) async {
        await withTaskGroup(of: (Int, Int32).self) { group in
            for column in heights.indices {
                group.addTask { (column, await height(column, seed)) }
            }
            for await (column, height) in group { set(column, height) }
        }
    }
}

/// Takes its time, on any thread.
@concurrent nonisolated func height(_ column: Int, _ seed: Int) async -> Int32 {
    var value = UInt64(column &* 7919 &+ seed)
    for _ in 0..<20_000 { value = value &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407 }
    return Int32(value >> 40 & 127) + 20
}

let terrain = Terrain()
var seeds = 0

// A new terrain each half second.
let gardener = Task { @MainActor in
    while true {
        seeds += 1
        await terrain.grow(seed: seeds)
        try await guest.loop.sleep(for: .milliseconds(500))
    }
}

// Escape ends the program, whatever it does.
let leaver = Task { @MainActor in
    try await guest.nextEvent { event in
        event.type == SDL_QUIT || event.type == SDL_KEYDOWN && event.key.keysym == SDLK_ESCAPE
    }
    isLeft = true
}
var isLeft = false

var drawn = 0
for await frame in guest.frames(in: .draw) {
    SDL_SetRenderDrawColor(renderer, 14, 18, 34, 255)
    SDL_RenderClear(renderer)
    SDL_SetRenderDrawColor(renderer, 110, 220, 150, 255)
    for (column, height) in terrain.heights.enumerated() {
        var bar = SDL_Rect(x: Int32(column * 10), y: 200 - height, w: 9, h: height)
        SDL_RenderFillRect(renderer, &bar)
    }
    SDL_RenderPresent(renderer)
    drawn = frame.number + 1
    if drawn >= limit || isLeft { break }
}

gardener.cancel()
leaver.cancel()
print("\(drawn) frames, \(seeds) terrains, \(terrain.finished) columns")
guest.close()
SDL_Quit()
