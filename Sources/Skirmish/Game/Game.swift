// SPDX-License-Identifier: Apache-2.0
// Game: which scene is on, and who gets events, steps and pictures.
// Idea:   scenes change in `update`, at one place of the frame, so that a run in virtual time repeats exactly.

import CSDL2
import SkirmishRules
import Tandem
import TandemSDL

@MainActor
final class Game {
    enum Scene {
        case loading(Double)
        case title
        case match(Match)
        /// The match that was lost; in it nothing moves any more.
        case over(Match)
    }

    private let options: SkirmishCommand
    private let guest: SDLGuest
    private let window: Window
    private let sound: SoundBoard?
    private var scene = Scene.loading(0)
    private var artist: Artist?
    private var input = Input()
    private var starfield = Starfield()
    private var measurements = Measurements()
    private var matches: UInt64 = 0
    /// What ended the game, if it was not the player.
    private(set) var trouble: (any Error)?
    /// A scene that a task or an event asked for; entered in the next update.
    private var wanted: (() -> Void)?
    /// Ends the frames: everything is loaded, or the player leaves.
    var onEnd: () -> Void = {}
    private(set) var isLeft = false

    init(_ options: SkirmishCommand, guest: SDLGuest, window: Window, sound: SoundBoard?) {
        self.options = options
        self.guest = guest
        self.window = window
        self.sound = sound
    }

    private var isAutomatic: Bool { options.headless || options.virtualTime }

    /// Loads pictures and sounds on other threads, while frames go on with a progress bar.
    func load(from folder: String) {
        guest.run { [self] in
            let assets = try await Assets.load(folder, renderer: window.renderer) { self.scene = .loading($0) }
            sound?.take(assets.sounds)
            artist = Artist(window.renderer, assets)
        } onDone: { [self] result in
            if case .failure(let error) = result { trouble = error }
            onEnd()
        }
    }

    /// Everything is loaded.
    func begin() {
        if isAutomatic { beginMatch() } else { showTitle() }
    }

    func handle(_ event: SDL_Event) {
        if event.type == SDL_QUIT.rawValue { isLeft = true }
        switch input.take(event, window) {
        case .none: break
        case .leave:
            if case .match = scene { wanted = showTitle } else { leave() }
        case .pause:
            if case .match(let match) = scene { match.isPaused.toggle() }
        case .start:
            switch scene {
            case .title, .over: wanted = beginMatch
            default: break
            }
        }
    }

    /// One fixed step.
    func step() {
        guard case .match(let match) = scene, !match.isPaused else { return }
        if !isAutomatic || input.isUsed { match.steer(input.intent(match.world)) }
        for event in match.step() { sound?.play(event) }
    }

    func update(_ frame: Frame) {
        measurements.begin(frame, isPlaying: isPlaying)
        let enter = wanted
        wanted = nil
        enter?()
        starfield.move(frame.delta)
        switch scene {
        case .match(let match):
            if !match.isPaused { match.particles.move(frame.delta) }
            if match.world.isOver { finish(match) }
        case .over(let match): match.particles.move(frame.delta)
        default: break
        }
        if let limit = options.frames, measurements.frames >= limit { leave() }
    }

    func draw() {
        window.clear()
        starfield.draw(window.renderer)
        switch (scene, artist) {
        case (.loading(let part), _): window.drawProgress(part)
        case (.title, let artist?): artist.drawTitle()
        case (.match(let match), let artist?):
            artist.drawMatch(match)
            if match.isPaused { artist.drawPause() }
        case (.over(let match), let artist?):
            artist.drawMatch(match)
            artist.drawOver(match.world)
        default: break
        }
    }

    private var isPlaying: Bool {
        switch scene {
        case .match, .over: true
        default: false
        }
    }

    private func showTitle() {
        leaveMatch()
        scene = .title
    }

    private func beginMatch() {
        leaveMatch()
        if matches == 0, let seconds = options.seconds {
            guest.loop.callLater(.seconds(seconds)) { [self] in leave() }
        }
        let match = Match(
            seed: options.seed &+ matches, bots: options.bots, fliesPlayer: isAutomatic, guest: guest)
        matches += 1
        scene = .match(match)
        sound?.play(.wave)
    }

    private func finish(_ match: Match) {
        match.end()
        measurements.finished(match.world)
        scene = .over(match)
        guard isAutomatic else { return }
        guest.run { [self] in
            try await guest.loop.sleep(for: .seconds(3))
            wanted = beginMatch
        }
    }

    private func leaveMatch() {
        if case .match(let match) = scene { match.end() }
    }

    private func leave() {
        isLeft = true
        onEnd()
    }

    func report() -> RunReport {
        let world: World? =
            switch scene {
            case .match(let match), .over(let match): match.world
            default: nil
            }
        return measurements.report(guest.loop.statistics, world, inputEvents: input.count, matches: matches)
    }
}
