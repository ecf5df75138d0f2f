// SPDX-License-Identifier: Apache-2.0
// Start (W14): from a program that has SDL, until the loop's first callback: time, and the memory that came with it. Its size is told by
//              Tests/Benchmarks/size.
// Idea:   `resident` counts pages of code, too, which other processes share; `private` what is this process's alone.

import CBench
import Glibc
import Tandem
import TandemSDL

@MainActor func start(_ options: Options) throws {
    try startSDL(options)
    // What asking costs is paid before.
    _ = (bench_resident(), bench_private(), now())
    let (resident, own, begin) = (bench_resident(), bench_private(), now())
    let guest = try SDLGuest()
    var first: Int64 = 0
    guest.loop.callSoon { first = now() }
    while first == 0 { guest.tick() }
    let (residentAfter, ownAfter) = (bench_resident(), bench_private())
    // A timer comes by way of the backend thread.
    var timer: Int64 = 0
    guest.loop.callLater(.nanoseconds(1)) { timer = now() }
    var event = SDL_Event()
    while timer == 0 {
        _ = guest.waitEvent(&event, timeout: nil)
        guest.tick()
    }
    guest.close()
    SDL_Quit()
    metric("first_callback", "ms", Double(first - begin) / 1e6)
    metric("resident", "KB", residentAfter - resident)
    metric("private", "KB", ownAfter - own)
}

/// A guest from nothing to its end, for counting instructions: once with n=0, which does all but that, and once with n=1.
@MainActor func countStart(_ options: Options) throws {
    try startSDL(options)
    var ran = 0
    if try options.number("n", 1, least: 0) > 0 {
        let guest = try SDLGuest()
        guest.loop.callSoon { ran += 1 }
        while ran == 0 { guest.tick() }
        guest.close()
    }
    SDL_Quit()
    metric("ran", "count", ran)
}

private func startSDL(_ options: Options) throws {
    setenv("SDL_VIDEODRIVER", options.word("driver", "dummy"), 1)
    guard SDL_Init(SDL_INIT_VIDEO) == 0 else {
        throw Unsupported("SDL did not start: \(String(cString: SDL_GetError()))")
    }
}
