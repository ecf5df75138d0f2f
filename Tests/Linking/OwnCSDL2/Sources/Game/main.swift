// SPDX-License-Identifier: Apache-2.0
// Game: its own module of SDL beside Tandem's: the same events.

import CSDL2
import TandemSDL

SDL_Init(UInt32(SDL_INIT_VIDEO))
let guest = try SDLGuest()
var sleeps = 0
guest.run {
    while true {
        try await guest.loop.sleep(for: .milliseconds(1))
        sleeps += 1
    }
}
var event = CSDL2.SDL_Event()
for _ in 0..<10_000 where sleeps < 5 {
    while CSDL2.SDL_PollEvent(&event) != 0 { _ = guest.handle(event) }
    _ = guest.waitEvent(&event, timeout: .milliseconds(1))
    guest.tick()
}
guard sleeps >= 5 else { fatalError("\(sleeps) sleeps") }
guest.close()
print("ok")
