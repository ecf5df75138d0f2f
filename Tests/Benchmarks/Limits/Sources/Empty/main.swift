// SPDX-License-Identifier: Apache-2.0
// Empty: example 01 without Tandem, to see what a program with a window takes by itself: Tests/Benchmarks/size .build-limits/release/Empty

import CSDL

SDL_Init(SDL_INIT_VIDEO)
let window = SDL_CreateWindow("Empty", 0, 0, 320, 240, 0)
let renderer = SDL_CreateRenderer(window, -1, 0)
var event = SDL_Event()
var framesLeft = CommandLine.arguments.last.flatMap { Int($0) } ?? .max
while event.type != SDL_QUIT.rawValue, framesLeft > 0 {
    framesLeft -= 1
    SDL_WaitEventTimeout(&event, 16)
    SDL_SetRenderDrawColor(renderer, 128, 128, 128, 255)
    SDL_RenderClear(renderer)
    SDL_RenderPresent(renderer)
}
SDL_Quit()
