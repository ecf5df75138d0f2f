// SPDX-License-Identifier: Apache-2.0
// HiddenEvents: all that the guest sees of the binding's events is a number.

import HidingBinding
import TandemSDL

HidingBinding.start()
let guest = try SDLGuest()
var sleeps = 0
var own = 0
guest.run {
    while true {
        try await guest.loop.sleep(for: .milliseconds(1))
        sleeps += 1
    }
}
for _ in 0..<10_000 where sleeps < 5 {
    while let event = HidingBinding.nextEvent() {
        if case .unknown(let type) = event, guest.handle(eventType: type) { own += 1 }
    }
    guest.tick()
    SDL_Delay(1)
}
guard sleeps >= 5, own > 0 else { fatalError("\(sleeps) sleeps, \(own) of the guest's events") }
guest.close()
print("ok")
