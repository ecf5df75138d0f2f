// SPDX-License-Identifier: Apache-2.0
// Stage: what all scenes share: the window, the guest, what is on the screen, the player's hands.

import SkirmishNetwork
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
    case lobby(Match, any Party)
    /// The end of a match with others.
    case scores(Match, any Party)
}

final class Stage {
    let options: SkirmishCommand
    let guest: SDLGuest
    let window: Window
    let sound: SoundBoard?
    var screen = Screen.loading(0)
    /// What lies over the screen, to choose from or to write in.
    var menu: Menu?
    var typed: (prompt: String, line: String)?
    /// What went wrong last; the next key takes it away.
    var notice: String?
    /// The people of a networked match, while there is one.
    var party: (any Party)?
    var networkReport: NetworkReport?
    /// The options' limit was reached while others play.
    var isTimeUp = false
    var artist: Artist?
    var settings: Settings {
        didSet { apply(settings, before: oldValue) }
    }
    /// `nil`: nothing is kept, since nobody sits here, or since the file is not to be touched.
    private var settingsFile: SettingsFile?
    /// Why the file is not to be touched.
    private var settingsTrouble: String?
    private(set) var input = Input()
    private(set) var best = 0
    private(set) var matches: UInt64 = 0
    private var starfield = Starfield()
    private var measurements = Measurements()
    /// Since the first frame, for what pulses.
    private var seconds = 0.0
    /// The newest line of the chat, and when it came.
    private var newestLine: (line: ChatLine?, since: Double) = (nil, 0)
    /// Somebody has said something in the last ten seconds.
    var showsChat: Bool { newestLine.line != nil && seconds - newestLine.since < 10 }

    init(_ options: SkirmishCommand, _ guest: SDLGuest, _ window: Window) {
        self.options = options
        self.guest = guest
        self.window = window
        sound = options.isAutomatic ? nil : SoundBoard()
        settings = Settings()
        guest.overlay.isShown = false
        guest.overlay.scale = 1.5
    }

    /// A match begins: on the screen, with its sound, and without a cursor, which whoever calls this shows again.
    func show(_ match: Match) {
        window.showsCursor = false
        screen = .match(match, isPaused: false)
        sound?.play(.wave)
    }

    // MARK: - Options

    /// Reads the player's settings. What is wrong with the file is a notice, and the file stays as it is.
    func loadSettings(_ file: SettingsFile) async {
        do {
            settings = try await guest.loop.offload { try file.read() }
            settingsFile = file
        } catch {
            settingsTrouble = "\(error)"
            notice = settingsTrouble
        }
    }

    func keepSettings() async {
        if let settingsTrouble { notice = "The options hold until the game ends: \(settingsTrouble)" }
        guard let file = settingsFile else { return }
        let settings = settings
        do { try await guest.loop.offload { try file.write(settings) } } catch { notice = "\(error)" }
    }

    private func apply(_ new: Settings, before: Settings) {
        input.bind(new)
        sound?.set(volume: new.volume, music: new.music)
        if (new.width, new.height) != (before.width, before.height) { window.resize(new.width, new.height) }
        if new.isFullScreen != window.isFullScreen { window.isFullScreen = new.isFullScreen }
    }

    // MARK: - Tasks of the whole evening

    /// Keys and mouse, as they come.
    func takeInput() async {
        for await event in guest.events() {
            let presses = [SDL_KEYDOWN, SDL_MOUSEBUTTONDOWN, SDL_CONTROLLERBUTTONDOWN]
            if presses.contains(where: { $0.rawValue == event.type }) { notice = nil }
            input.take(event)
        }
    }

    func moveStars() async {
        for await frame in guest.frames {
            starfield.move(frame.delta)
            seconds += frame.delta / .seconds(1)
            if party?.chat.last != newestLine.line { newestLine = (party?.chat.last, seconds) }
        }
    }

    func toggleFullScreen() async throws {
        while true {
            try await guest.nextKey(SDLK_F11)
            settings.isFullScreen.toggle()
        }
    }

    func toggleDisplay() async throws {
        while true {
            try await guest.nextKey(SDLK_F3)
            guest.overlay.isShown.toggle()
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
        default:
            artist?.draw(
                screen, starfield, best: best, time: seconds, ahead: blend * World.step,
                isCovered: menu.map { !$0.title.isEmpty } ?? false)
            artist?.drawOverlay(self, time: seconds)
            drawFigures()
        }
    }

    /// What F3 shows: the loop's figures, and some of the game's.
    func drawFigures() {
        guard guest.overlay.isShown else { return }
        guest.overlay.lines = ["gamepads \(input.gamepads.count)"] + (party?.figures ?? [])
        guest.overlay.draw(window.renderer)
    }

    func report() -> RunReport {
        let world: World? =
            switch screen {
            case .match(let match, _), .over(let match, _), .lobby(let match, _), .scores(let match, _): match.world
            default: nil
            }
        return measurements.report(
            guest.loop.statistics, world, best: best, inputEvents: input.count, matches: Int(matches),
            network: networkReport)
    }
}
