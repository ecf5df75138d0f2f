// SPDX-License-Identifier: Apache-2.0
// 01-hello-guest: a window, a frame loop, and an async function that lives in it.
// Idea: `guest.run` starts ordinary async code; each `guest.tick()` gives it a piece of the frame, on the game's own thread.

import CSDL2
import TandemSDL

SDL_Init(SDL_INIT_VIDEO)
let window = SDL_CreateWindow("Hello, guest", 0, 0, 320, 240, 0)
let renderer = SDL_CreateRenderer(window, -1, 0)
let guest = try SDLGuest()
var brightness: UInt8 = 0
var isRunning = true

guest.run {
    for step in 1...5 {
        try await guest.loop.sleep(for: .milliseconds(100))
        brightness += 50
        print("step \(step)")
    }
} onDone: { _ in
    isRunning = false
}

var event = SDL_Event()
while isRunning {
    while SDL_PollEvent(&event) != 0 {
        if guest.handle(event) { continue }
        if event.type == SDL_QUIT.rawValue { isRunning = false }
    }
    guest.tick()
    SDL_SetRenderDrawColor(renderer, brightness, brightness, brightness, 255)
    SDL_RenderClear(renderer)
    SDL_RenderPresent(renderer)
    SDL_Delay(10)
}
guest.close()
