// SPDX-License-Identifier: Apache-2.0
// FormTopLevel: a top level that awaits nothing, so that main is synchronous. See FormsWitness.

import FormsWitness

let cell = Cell()
let guest = try SDLGuest()
let witness = Witness(guest)
var count = 0
switch (cell.kind, cell.isCalled) {
case ("own", true): count = ownLoop(guest, witness, atLeast: cell.frames)
case ("own", false):
    var event = SDL_Event()
    while count < cell.frames || !witness.hasSeenAll {
        while SDL_PollEvent(&event) != 0 { _ = guest.handle(event) }
        guest.tick()
        SDL_Delay(1)
        count += 1
    }
case (_, true): count = frameLoop(guest, witness, atLeast: cell.frames)
case (_, false):
    let frames = FrameLoop.quick(guest)
    count = frames.run(draw: { if $0.number >= cell.frames, witness.hasSeenAll { frames.stop() } })
}
witness.end(frames: count)
