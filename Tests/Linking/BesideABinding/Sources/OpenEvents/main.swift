// SPDX-License-Identifier: Apache-2.0
// OpenEvents: the binding takes the events, and the guest those of the binding.

import OpenBinding
import TandemSDL

OpenBinding.start()
let guest = try SDLGuest()
var sleeps = 0
var key: Int32?
var seen = 0
guest.run {
    while true {
        try await guest.loop.sleep(for: .milliseconds(1))
        sleeps += 1
    }
}
guest.run { key = try await guest.nextKey(consuming: true).sym }
guest.tick()
var press = SDL_Event()
press.type = SDL_KEYDOWN.rawValue
press.key.keysym.sym = 120
SDL_PushEvent(&press)
for _ in 0..<10_000 where sleeps < 5 || key == nil {
    while let event = OpenBinding.nextEvent() {
        if guest.handle(event) { continue }
        if event.type == press.type { seen += 1 }
    }
    guest.tick()
    SDL_Delay(1)
}
guard sleeps >= 5, key == 120, seen == 0 else {
    fatalError("\(sleeps) sleeps, key \(String(describing: key)), \(seen) seen")
}
guest.close()
print("ok")
