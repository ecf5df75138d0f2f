// SPDX-License-Identifier: Apache-2.0
// 16-public-page: what strangers may see of a running game.
// Idea: a server that is made for strangers, Hummingbird, runs on threads of its own and keeps its own limits; the game publishes its state once a frame, and
// takes what onlookers send as posts to its loop. However many there are, and whatever they send, the frame does not wait for them.
//
//     curl localhost:8082/state
//     curl -N localhost:8082/live
//     curl -d 'well played' localhost:8082/cheer
//
// --port N    listens there; 0 for any free one (default 8082)
// --frames N  ends after N frames; else closing the window ends it
// --open      listens on every interface, for whoever can reach this machine; otherwise for this machine alone

import Foundation
import PublicPage
import Tandem
import TandemSDL

func option(_ name: String) -> Int? {
    CommandLine.arguments.firstIndex(of: name).flatMap { Int(CommandLine.arguments[$0 + 1]) }
}

guard SDL_Init(SDL_INIT_VIDEO) == 0, let window = SDL_CreateWindow("Public page", 0, 0, 320, 180, 0),
    let renderer = SDL_CreateRenderer(window, -1, 0)
else { fatalError("SDL did not start: \(String(cString: SDL_GetError()))") }
let guest = try SDLGuest()

var (x, y, vx, vy) = (160.0, 90.0, 2.0, 1.5)
var frame = 0
var cheers = 0
/// How much brighter the ball is since somebody has cheered.
var glow = 0.0

let page = PublicPage(on: guest.loop) { _ in
    cheers += 1
    glow = 1
}
let host = CommandLine.arguments.contains("--open") ? "0.0.0.0" : "127.0.0.1"
guest.run {
    try await page.run(host: host, port: option("--port") ?? 8082) { print("listening on \($0)") }
} onDone: { result in
    if case .failure(let error) = result, !(error is CancellationError) { print("the page ended: \(error)") }
}

@MainActor func step() {
    frame += 1
    (x, y) = (x + vx, y + vy)
    if !(0...320).contains(x) { vx = -vx }
    if !(0...180).contains(y) { vy = -vy }
    glow *= 0.95
    page.publish(#"{"frame": \#(frame), "x": \#(x), "y": \#(y), "cheers": \#(cheers)}"#)
}

@MainActor func draw() {
    SDL_SetRenderDrawColor(renderer, 12, 16, 28, 255)
    SDL_RenderClear(renderer)
    SDL_SetRenderDrawColor(renderer, 240, UInt8(160 + 95 * glow), UInt8(80 + 175 * glow), 255)
    var ball = SDL_Rect(x: Int32(x) - 6, y: Int32(y) - 6, w: 12, h: 12)
    SDL_RenderFillRect(renderer, &ball)
    SDL_RenderPresent(renderer)
}

let frames = FrameLoop(guest)
frames.frameLimit = option("--frames")
let count = frames.run(update: { _ in step() }, draw: { _ in draw() })
print("\(count) frames, \(cheers) cheers")
guest.close()
SDL_Quit()
