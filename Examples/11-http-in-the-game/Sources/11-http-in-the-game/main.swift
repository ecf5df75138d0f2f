// SPDX-License-Identifier: Apache-2.0
// 11-http-in-the-game: the game's state over HTTP, and live over a WebSocket.
// Idea: FlyingFox's sockets wait in the loop's epoll set, and a route is a function on the main actor: it reads and changes the game
// between two frames, with no lock. It is for you and your tools, on this machine: FlyingFox has no limits of its own, and what `LocalHTTPServer`
// puts before it does not make it a server for strangers (that is 16-public-page). Try it while it runs:
//
//     curl localhost:8080/state
//     curl -X POST 'localhost:8080/push?x=3&y=-1'
//     python3 -m websockets ws://localhost:8080/live
//
// --port N    listens there; 0 for any free one (default 8080)
// --frames N  ends after N frames; else closing the window ends it
// --inspect   serves a page about the loop, too; the log says where

import FlyingFox
import Foundation
import Tandem
import TandemFlyingFox
import TandemInspector
import TandemSDL

func option(_ name: String) -> Int? {
    CommandLine.arguments.firstIndex(of: name).flatMap { Int(CommandLine.arguments[$0 + 1]) }
}

/// A ball in a box: all that there is to this game. What is encoded is what the network sees.
@MainActor final class Game {
    struct State: Codable, Sendable {
        var x = 160.0, y = 90.0, vx = 2.0, vy = 1.5
        var frame = 0, bounces = 0
    }

    private(set) var state = State()
    private var watchers: [UUID: AsyncStream<WSMessage>.Continuation] = [:]

    /// `false`: not with such numbers. What is no number would spread into everything, and JSON has no word for it.
    func push(x: Double, y: Double) -> Bool {
        let (vx, vy) = (state.vx + x, state.vy + y)
        guard abs(vx) <= 100, abs(vy) <= 100 else { return false }
        (state.vx, state.vy) = (vx, vy)
        return true
    }

    func step() {
        state.frame += 1
        (state.x, state.y) = (state.x + state.vx, state.y + state.vy)
        for (position, speed, end) in [(\State.x, \State.vx, 320.0), (\State.y, \State.vy, 180.0)]
        where !(0...end).contains(state[keyPath: position]) {
            state[keyPath: position] = min(max(state[keyPath: position], 0), end)
            state[keyPath: speed] *= -1
            state.bounces += 1
        }
        guard !watchers.isEmpty else { return }
        let message = WSMessage.text(String(decoding: json, as: UTF8.self))
        for watcher in watchers.values { watcher.yield(message) }
    }

    var json: Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        return (try? encoder.encode(state)) ?? Data()
    }

    /// A message for each frame, for as long as somebody listens; who is slow misses the oldest ones.
    func watch() -> AsyncStream<WSMessage> {
        let id = UUID()
        let (stream, continuation) = AsyncStream.makeStream(of: WSMessage.self, bufferingPolicy: .bufferingNewest(8))
        watchers[id] = continuation
        continuation.onTermination = { _ in Task { @MainActor in self.watchers[id] = nil } }
        return stream
    }
}

struct Live: WSMessageHandler {
    let game: Game
    func makeMessages(for client: AsyncStream<WSMessage>) async throws -> AsyncStream<WSMessage> { await game.watch() }
}

guard SDL_Init(SDL_INIT_VIDEO) == 0, let window = SDL_CreateWindow("HTTP in the game", 0, 0, 320, 180, 0),
    let renderer = SDL_CreateRenderer(window, -1, 0)
else { fatalError("SDL did not start: \(String(cString: SDL_GetError()))") }
let guest = try SDLGuest()
let inspector = CommandLine.arguments.contains("--inspect") ? try Inspector(guest.loop) : nil
let game = Game()
var routes = RoutedHTTPHandler()
routes.appendRoute("GET /state") { _ in
    await HTTPResponse(statusCode: .ok, headers: [.contentType: "application/json"], body: game.json)
}
routes.appendRoute("POST /push?x=:x&y=:y") { (x: Double, y: Double) in
    HTTPResponse(statusCode: await game.push(x: x, y: y) ? .noContent : .badRequest)
}
routes.appendRoute("GET /live", to: .webSocket(Live(game: game)))

let port = UInt16(clamping: option("--port") ?? 8080)
let server: LocalHTTPServer
do { server = try LocalHTTPServer(on: guest.loop, at: .loopback(port: port), handler: routes) } catch {
    print("the server did not start: \(error)")
    exit(1)
}
print("listening on \(server.localAddress)")
guest.run {
    try await server.run()
} onDone: { result in
    if case .failure(let error) = result, !(error is CancellationError) { print("the server ended: \(error)") }
}

let frames = FrameLoop(guest)
frames.frameLimit = option("--frames")
let count = frames.run(
    update: { _ in game.step() },
    draw: { _ in
        SDL_SetRenderDrawColor(renderer, 12, 16, 28, 255)
        SDL_RenderClear(renderer)
        SDL_SetRenderDrawColor(renderer, 240, 200, 80, 255)
        var ball = SDL_Rect(x: Int32(game.state.x) - 6, y: Int32(game.state.y) - 6, w: 12, h: 12)
        SDL_RenderFillRect(renderer, &ball)
        SDL_RenderPresent(renderer)
    })
print("\(count) frames, \(game.state.bounces) bounces")
guest.close()
SDL_Quit()
