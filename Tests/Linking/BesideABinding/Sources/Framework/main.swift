// SPDX-License-Identifier: Apache-2.0
// Framework: a game in a framework that knows nothing of actors. What stands in its loop needs no actor; making the guest, and a model for async
// code, is said to be the main thread's doing once.

import PlainFramework
import TandemSDL

/// What async code changes.
@MainActor final class Model {
    private(set) var beats = 0

    func live(_ loop: GuestLoop) async throws {
        while true {
            try await loop.sleep(for: .milliseconds(1))
            beats += 1
        }
    }
}

final class Pong: Game {
    private var guest: SDLGuest?
    private var model: Model?
    private var timers = 0
    private(set) var isAlive = false

    override func setup() {
        do {
            let (guest, model) = try MainActor.assumeIsolated { (try SDLGuest(), Model()) }
            self.guest = guest
            self.model = model
            guest.run { try await model.live(guest.loop) }
            guest.loop.callLater(.milliseconds(1)) { [unowned self] in timers += 1 }
        } catch {
            fatalError("\(error)")
        }
    }

    override func filter(type: UInt32) -> Bool { guest?.handle(eventType: type) != true }

    override func update() { guest?.tick(budget: .milliseconds(4)) }

    override func draw() {
        guard let model else { return }
        isAlive = timers == 1 && MainActor.assumeIsolated { model.beats } > 3
    }

    func end() { guest?.close() }
}

let game = Pong()
game.run(frames: 200)
guard game.isAlive else { fatalError("the guest did nothing") }
game.end()
print("ok")
