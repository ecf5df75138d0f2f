// SPDX-License-Identifier: Apache-2.0
// Stage: what all scenes share: the window, the guest, what is on the screen, the player's hands.

import SkirmishRules
import Tandem
import TandemSDL

/// What is to be seen. Scenes set it; drawing only reads.
enum Screen {
    /// How much has been loaded, 0…1.
    case loading(Double)
    /// With a match between bots behind it.
    case title(Match)
    case match(Match, isPaused: Bool)
    case over(Match, isBest: Bool)
}

final class Stage {
    let options: SkirmishCommand
    let guest: SDLGuest
    let window: Window
    let sound: SoundBoard?
    var screen = Screen.loading(0)
    var artist: Artist?
    private(set) var input = Input()
    private(set) var best = 0
    private(set) var matches: UInt64 = 0
    private var starfield = Starfield()
    private var measurements = Measurements()
    /// Since the first frame, for what pulses.
    private var seconds = 0.0

    init(_ options: SkirmishCommand, _ guest: SDLGuest, _ window: Window) {
        self.options = options
        self.guest = guest
        self.window = window
        sound = options.isAutomatic ? nil : SoundBoard()
    }

    // MARK: - Tasks of the whole evening

    /// Keys and mouse, as they come.
    func takeInput() async {
        for await event in guest.events() { input.take(event) }
    }

    func moveStars() async {
        for await frame in guest.frames {
            starfield.move(frame.delta)
            seconds += frame.delta / .seconds(1)
        }
    }

    func toggleFullScreen() async throws {
        while true {
            try await guest.nextKey(SDLK_F11)
            window.isFullScreen.toggle()
        }
    }

    /// Counts frames; `atLimit` is called in the last one that the options allow.
    func measureFrames(atLimit: () -> Void) async {
        for await frame in guest.frames {
            measurements.take(frame)
            if measurements.frames == options.frames { return atLimit() }
        }
    }

    // MARK: - For the scenes

    /// Suspends until the player asks for one of these, and says which.
    func next(_ wanted: Command...) async throws -> Command {
        let event = try await guest.event { Command($0).map(wanted.contains) ?? false }
        return Command(event)!
    }

    func newMatch() -> Match {
        defer { matches += 1 }
        return Match(seed: options.seed &+ matches, bots: options.bots)
    }

    /// A match is lost. Returns whether nobody was better.
    func keepScore(_ world: World) -> Bool {
        defer { best = max(best, world.score) }
        return world.score > best
    }

    /// - Parameter blend: How far the frame is into the next step, 0…1.
    func draw(blend: Double = 0) {
        window.clear()
        switch screen {
        case .loading(let part): window.drawProgress(part)
        default: artist?.draw(screen, starfield, best: best, time: seconds, ahead: blend * World.step)
        }
    }

    func report() -> RunReport {
        let world: World? =
            switch screen {
            case .match(let match, _), .over(let match, _): match.world
            default: nil
            }
        return measurements.report(
            guest.loop.statistics, world, best: best, inputEvents: input.count, matches: Int(matches))
    }
}
