// SPDX-License-Identifier: Apache-2.0
// 02-timers: things that move because time passes.
// Idea: a task that sleeps moves one square, a callback that arms itself again moves the other; neither counts frames.
//
// --frames N  ends after N frames.
// --idle      draws on demand: one timer a second, nothing in between, until Ctrl-C.
// --overlay   shows what the loop does, over the picture.

import TandemSDL

let isIdle = CommandLine.arguments.contains("--idle")
let showsOverlay = CommandLine.arguments.contains("--overlay")
let limit = CommandLine.arguments.firstIndex(of: "--frames").flatMap { Int(CommandLine.arguments[$0 + 1]) }

guard SDL_Init(SDL_INIT_VIDEO) == 0, let window = SDL_CreateWindow("Timers", 0, 0, 480, 180, 0),
    let renderer = SDL_CreateRenderer(window, -1, 0)
else { fatalError("SDL did not start: \(String(cString: SDL_GetError()))") }
let guest = try SDLGuest()
var slept = 0
var called = 0

if isIdle {
    everySecond()
} else {
    guest.run {
        while true {
            try await guest.loop.sleep(for: .milliseconds(50))
            slept += 1
        }
    }
    callAgain()
}

@MainActor func callAgain() {
    called += 1
    guest.loop.callLater(.milliseconds(30)) { callAgain() }
}

@MainActor func everySecond() {
    slept += 1
    guest.loop.callLater(.seconds(1)) { everySecond() }
}

@MainActor func drawSquare(_ steps: Int, y: Int32, _ red: UInt8, _ green: UInt8) {
    var square = SDL_Rect(x: Int32(steps * 8 % 440), y: y, w: 40, h: 40)
    SDL_SetRenderDrawColor(renderer, red, green, 255, 255)
    SDL_RenderFillRect(renderer, &square)
}

let frames = FrameLoop(guest, pace: isIdle ? .onDemand : .display)
frames.frameLimit = limit
let count = frames.run(draw: { _ in
    SDL_SetRenderDrawColor(renderer, 12, 14, 30, 255)
    SDL_RenderClear(renderer)
    drawSquare(slept, y: 30, 90, 200)
    drawSquare(called, y: 90, 250, 140)
    if showsOverlay { guest.overlay.draw(renderer) }
    SDL_RenderPresent(renderer)
})
print("\(count) frames, \(slept) sleeps, \(called) calls")
guest.close()
SDL_Quit()
