// SPDX-License-Identifier: Apache-2.0
// Match: what is drawn and heard of a match, whether it is played here or far away.
// Idea:   played here it has an arena, whose scripts run in the scene; else each frame shows another picture.

import SkirmishMatch
import SkirmishRules
import Tandem

final class Match {
    private let arena: Arena?
    /// The last picture of a match that is played elsewhere.
    private var picture: World
    private(set) var effects = Effects()
    /// Where the player aims.
    private(set) var crosshair: Vector?
    /// Whose eyes these are.
    let seat: Int
    /// Who sits where, if more than one person plays.
    var names: [Int: String] = [:]
    /// Played elsewhere: each picture is of its own moment, and nothing of it is guessed ahead.
    var isElsewhere: Bool { arena == nil }
    private var unheard: [WorldEvent] = []
    private var wave: (left: Double, announcement: (text: String, since: Int)?) = (1, nil)

    init(seed: UInt64, bots: Int) {
        arena = Arena(seed: seed, pilots: [.person] + Array(repeating: .bot, count: max(0, bots)))
        picture = World(seed: seed, pilots: [])
        seat = 0
    }

    /// A match that is stepped elsewhere: on another machine, or by the session that hosts it.
    init(seat: Int) {
        arena = nil
        picture = World(seed: 0, pilots: Array(repeating: .nobody, count: seat + 1))
        self.seat = seat
    }

    var world: World { arena?.world ?? picture }
    /// The player's own ship.
    var own: Ship { world.ships[seat] }
    /// What the middle of the screen says, and since which step.
    var announcement: (text: String, since: Int)? { arena?.announcement ?? wave.announcement }
    /// How much of the present wave is left, 0…1.
    var waveLeft: Double { arena?.waveLeft ?? wave.left }

    /// Starts the scripts, which end with the scene.
    func start(in scene: GuestScene, pilots: Range<Int>) {
        guard let arena else { return }
        scene.task { try await arena.waves(scene.clock) }
        scene.task { [self] in await moveEffects(scene) }
        for ship in pilots { scene.task { try await arena.fly(ship, scene.clock) } }
    }

    /// Sparks fly at the pace of the frames.
    func moveEffects(_ scene: GuestScene) async {
        for await frame in scene.loop.frames where !scene.clock.isPaused { effects.move(frame.delta) }
    }

    /// What the player wants, from the next step on.
    func steer(_ intent: Intent) {
        arena?.steer(seat, intent)
        crosshair = intent.target
    }

    /// One sixtieth of a second; returns what happened.
    func step() -> [WorldEvent] {
        guard let arena else { return [] }
        let (score, health) = (world.score, own.health)
        let events = arena.step()
        show(events, gained: world.score - score, isHurt: own.health < health)
        return events
    }

    /// The next picture of a match that is stepped elsewhere.
    func show(_ world: World, _ events: [WorldEvent], waveLeft: Double, announcement: (text: String, since: Int)?) {
        let before = picture
        picture = world
        wave = (waveLeft, announcement)
        let was = before.ships.indices.contains(seat) ? before.ships[seat].health : 0
        show(events, gained: world.score - before.score, isHurt: own.health < was)
        unheard += events
    }

    /// What happened since this was asked for last.
    func takeEvents() -> [WorldEvent] {
        defer { unheard = [] }
        return unheard
    }

    private func show(_ events: [WorldEvent], gained: Int, isHurt: Bool) {
        effects.show(events, gained: gained, isHurt: isHurt)
        for ship in world.ships where ship.isFlying { effects.trail(ship) }
    }
}
