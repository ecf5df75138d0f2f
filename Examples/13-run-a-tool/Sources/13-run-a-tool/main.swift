// SPDX-License-Identifier: Apache-2.0
// 13-run-a-tool: another program's output, line by line, while the frames go on.
// Idea: swift-subprocess starts the tool and waits for it; awaited from the main actor, each line arrives on the game's thread, in a tick, and a
// tool that prints without end takes its turns with the frames. Cancelling the task ends the tool: politely, and after a moment by force.
//
//     13-run-a-tool find /usr/include -name '*.h'
//
// The window shows a bar for each line. Without a command the tool is a shell that counts.
// --frames N  ends after N frames, and the tool with them; else closing the window does

import Foundation
import Tandem
import TandemSDL
import ToolRunning

var command = Array(CommandLine.arguments.dropFirst())
var limit: Int?
if let place = command.firstIndex(of: "--frames") {
    limit = Int(command[place + 1])
    command.removeSubrange(place...)
}
if command.isEmpty { command = ["sh", "-c", "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.05; done"] }

guard SDL_Init(SDL_INIT_VIDEO) == 0, let window = SDL_CreateWindow("Run a tool", 0, 0, 320, 240, 0),
    let renderer = SDL_CreateRenderer(window, -1, 0)
else { fatalError("SDL did not start: \(String(cString: SDL_GetError()))") }
let guest = try SDLGuest()
/// The lengths of the last lines.
var lengths: [Int] = []
var lines = 0

let tool = guest.run {
    try await runTool(command, on: guest.loop) { line in
        lines += 1
        lengths = (lengths + [line.count]).suffix(30)
    }
} onDone: { result in
    switch result {
    case .success(let status): print("\(command[0]): \(status), \(lines) lines")
    case .failure(let error): print("\(command[0]) after \(lines) lines: \(error)")
    }
}

let frames = FrameLoop(guest)
frames.frameLimit = limit
let count = frames.run(draw: { _ in
    SDL_SetRenderDrawColor(renderer, 20, 24, 28, 255)
    SDL_RenderClear(renderer)
    SDL_SetRenderDrawColor(renderer, 120, 170, 230, 255)
    for (row, length) in lengths.enumerated() {
        var bar = SDL_Rect(x: 8, y: Int32(row * 8), w: Int32(min(length * 4, 304)), h: 6)
        SDL_RenderFillRect(renderer, &bar)
    }
    SDL_RenderPresent(renderer)
})
print("\(count) frames")
tool.cancel()
guest.close()
SDL_Quit()
