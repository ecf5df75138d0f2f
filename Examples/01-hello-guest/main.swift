// SPDX-License-Identifier: Apache-2.0
// 01-hello-guest: the smallest complete program.
// Idea: `guest.run` starts ordinary async code, and each `guest.tick()` runs what is ready of it, on the game's own thread.

import TandemSDL

SDL_Init(SDL_INIT_VIDEO)
let window = SDL_CreateWindow("Hello, guest", 0, 0, 320, 240, 0)
let renderer = SDL_CreateRenderer(window, -1, 0)
let guest = try SDLGuest()
var brightness: UInt8 = 0

guest.run {
    while true {
        try await guest.loop.sleep(for: .milliseconds(500))
        brightness = 255 - brightness
    }
}

var event = SDL_Event()
var framesLeft = CommandLine.arguments.last.flatMap { Int($0) } ?? .max  // --frames N
while event.type != SDL_QUIT.rawValue, framesLeft > 0 {
    framesLeft -= 1
    _ = guest.waitEvent(&event, timeout: .milliseconds(16))
    guest.tick()
    SDL_SetRenderDrawColor(renderer, brightness, brightness, brightness, 255)
    SDL_RenderClear(renderer)
    SDL_RenderPresent(renderer)
}
guest.close()
SDL_Quit()
