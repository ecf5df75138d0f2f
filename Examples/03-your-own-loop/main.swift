// SPDX-License-Identifier: Apache-2.0
// 03-your-own-loop: a plain SDL_PollEvent loop, and the three lines that bring Tandem into it.
// Idea: Tandem does not own the loop. Make a guest, let it take its own event out, give it a moment in each frame.
//
// --frames N  ends after N frames.

import TandemSDL

let limit = CommandLine.arguments.firstIndex(of: "--frames").flatMap { Int(CommandLine.arguments[$0 + 1]) } ?? .max

guard SDL_Init(SDL_INIT_VIDEO) == 0, let window = SDL_CreateWindow("Your own loop", 0, 0, 320, 240, 0),
    let renderer = SDL_CreateRenderer(window, -1, SDL_RENDERER_PRESENTVSYNC.rawValue)
        ?? SDL_CreateRenderer(window, -1, 0)
else { fatalError("SDL did not start: \(String(cString: SDL_GetError()))") }

let guest = try SDLGuest()  // (1) after SDL_Init

var ticks = 0
guest.run {
    for _ in 1... {
        try await guest.loop.sleep(for: .milliseconds(100))
        ticks += 1
    }
}

var isRunning = true
var frame = 0
while isRunning, frame < limit {
    var event = SDL_Event()
    while SDL_PollEvent(&event) != 0 {
        if guest.handle(event) { continue }  // (2) Tandem's own event is of no meaning to the game
        if event.type == SDL_QUIT { isRunning = false }
    }
    guest.tick(budget: .milliseconds(4))  // (3) at most a quarter of a frame

    SDL_SetRenderDrawColor(renderer, 20, UInt8(ticks * 20 % 256), 80, 255)
    SDL_RenderClear(renderer)
    SDL_RenderPresent(renderer)
    SDL_Delay(10)
    frame += 1
}
print("\(frame) frames, \(ticks) wake-ups of the task")
guest.close()
SDL_Quit()
