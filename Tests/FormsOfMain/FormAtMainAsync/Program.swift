// SPDX-License-Identifier: Apache-2.0
// FormAtMainAsync: a type marked `@main`, with an async main. See FormsWitness.

import FormsWitness

@main @MainActor enum Program {
    static func main() async throws {
        let cell = Cell()
        if cell.before == "main" { try await Task.sleep(for: .milliseconds(1)) }
        let guest = try SDLGuest()
        if cell.before == "loop" { try await guest.loop.sleep(for: .milliseconds(1)) }
        if cell.before == "frame" { try await guest.nextFrame() }
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
        case ("frames", true): count = try await asyncFrameLoop(guest, witness, atLeast: cell.frames)
        case ("frames", false):
            let frames = FrameLoop.quick(guest)
            count = try await frames.run(draw: { if $0.number >= cell.frames, witness.hasSeenAll { frames.stop() } })
        case ("quit", _): count = await frameSequenceUntilQuit(guest, witness, atLeast: cell.frames)
        case (_, true): count = await frameSequence(guest, witness, atLeast: cell.frames)
        case (_, false):
            for await _ in guest.frames {
                count += 1
                if count >= cell.frames, witness.hasSeenAll { break }
            }
        }
        witness.end(frames: count)
    }
}
