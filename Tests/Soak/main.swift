// SPDX-License-Identifier: Apache-2.0
// Soak: a loop under everything at once, for as long as one likes, and what became of it.
//
//     make soak MINUTES=30
//
// A line a second: what was done in it, and what the process uses. At the end a table, and 0 if nothing was lost, early, out of order or growing.

import Foundation
import Glibc
import Tandem
import TandemCSDL
import TandemSDL

/// The number after an option, or what is usual.
func number(_ option: String, _ usual: Double) -> Double {
    guard let index = CommandLine.arguments.firstIndex(of: option) else { return usual }
    guard index + 1 < CommandLine.arguments.count, let value = Double(CommandLine.arguments[index + 1]), value > 0
    else {
        FileHandle.standardError.write(Data("\(option) needs a number above zero, as in \(option) 30\n".utf8))
        exit(64)
    }
    return value
}

let seconds = Int(number("--minutes", 30) * 60)
let connections = Int(number("--connections", 2000))
// Growth is judged after this.
let warmUp = min(60, max(5, seconds / 4))

if SDL_GetCurrentVideoDriver() == nil { setenv("SDL_VIDEODRIVER", "dummy", 0) }
guard SDL_Init(UInt32(SDL_INIT_VIDEO)) == 0 else { fatalError("SDL did not start: \(String(cString: SDL_GetError()))") }
let limit = raiseDescriptorLimit(to: connections * 2 + 200)
guard limit >= connections * 2 + 100 else {
    FileHandle.standardError.write(
        Data(
            "\(connections) connections need \(connections * 2 + 100) descriptors, and the limit is \(limit); see ulimit -n, or give --connections\n"
                .utf8))
    exit(69)
}

let guest = try SDLGuest()
let load = Load(guest)
let frames = FrameLoop(guest, pace: .fixed(framesPerSecond: 240))
frames.stopsOnQuit = true
try load.converse(connections)
load.keepTime(perSecond: 10_000)
load.post(perSecond: 20_000)
load.play()
load.offload()
load.signal()
load.disturb()

var report = Report(seconds: seconds, warmUp: warmUp)
let beat = guest.run {
    for try await beat in guest.loop.clock.timer(every: .seconds(1)) {
        report.note(load, second: beat.number)
        if beat.number >= seconds {
            frames.stop()
            return
        }
    }
}
frames.run(update: { _ in load.frames += 1 })
beat.cancel()
load.end()
guest.close()
load.checkPosts()
exit(report.conclude(load, guest.loop.statistics) ? 0 : 1)
