// SPDX-License-Identifier: Apache-2.0
// 18-pause-menu: a loop inside of the loop: a pause menu that is opened by the frame, and by a task.
// Idea: a menu is a function that returns when the player has chosen. It has frames and events of its own, and everything else of the loop's goes
// on meanwhile. A frame just calls it. So does a task: `FrameLoop.run` steps out of the tick that the task is in, and `runModal` does so
// for a loop of one's own.
//
// --frames N  ends after N frames, and opens the menu by itself; else P opens it, Return or P closes it, closing the window ends all.

import TandemSDL

let limit = CommandLine.arguments.firstIndex(of: "--frames").flatMap { Int(CommandLine.arguments[$0 + 1]) }

guard SDL_Init(SDL_INIT_VIDEO) == 0, let window = SDL_CreateWindow("Pause menu", 0, 0, 320, 160, 0),
    let renderer = SDL_CreateRenderer(window, -1, 0)
else { fatalError("SDL did not start: \(String(cString: SDL_GetError()))") }
let guest = try SDLGuest()
let clock = GameClock(guest.loop)
var seconds = 0
var menuFrames = 0
let frames = FrameLoop(guest)
frames.frameLimit = limit

@MainActor func show(_ red: UInt8, _ green: UInt8, _ blue: UInt8) {
    SDL_SetRenderDrawColor(renderer, red, green, blue, 255)
    SDL_RenderClear(renderer)
    SDL_RenderPresent(renderer)
}

@MainActor func isPressed(_ key: SDL_KeyCode, _ event: SDL_Event) -> Bool {
    event.type == SDL_KEYDOWN && event.key.keysym == key
}

/// A frame loop inside of whichever is under way. Returns when the player has chosen, with the game's clock at rest meanwhile.
@MainActor func pauseMenu() {
    clock.isPaused = true
    defer { clock.isPaused = false }
    let menu = FrameLoop(guest)
    if limit != nil { menu.frameLimit = 10 }
    menuFrames += menu.run(
        event: { event in
            if isPressed(SDLK_RETURN, event) || isPressed(SDLK_p, event) { menu.stop() }
            if event.type == SDL_QUIT { frames.stop() }
        },
        draw: { _ in show(70, 60, 20) })
}

/// The same with a loop of one's own.
@MainActor func message() {
    guest.loop.runModal {
        var event = SDL_Event()
        for _ in 0..<10 {
            _ = guest.waitEvent(&event, timeout: .milliseconds(16))
            guest.tick()
            show(90, 20, 20)
            menuFrames += 1
        }
    }
}

// Goes on in the menu, but for what waits on the game's clock.
guest.run {
    for try await _ in clock.timer(every: .milliseconds(100)) { seconds += 1 }
}

// A task that opens both, as a story that the player is told.
guest.run {
    try await clock.sleep(for: .milliseconds(300))
    message()
    if limit != nil { pauseMenu() }
}

let count = frames.run(
    event: { if isPressed(SDLK_p, $0) { pauseMenu() } },
    update: { if limit != nil, $0.number == 5 { pauseMenu() } },
    draw: { _ in show(20, 60, 90) })
print("\(count) frames, \(menuFrames) of menus, \(seconds) tenths of a second played")
guest.close()
SDL_Quit()
