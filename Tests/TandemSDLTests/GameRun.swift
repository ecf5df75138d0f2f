// SPDX-License-Identifier: Apache-2.0
// GameRun: the whole game on SDL's dummy driver and a clock that jumps, with keys pressed at chosen frames.
// Owner:  the main actor.

import Foundation
import Tandem
import TandemSDL
import TandemTesting
import Testing

@testable import Skirmish

@MainActor enum GameRun {
    /// Thrown by `watch`: what the run was for has been seen.
    struct Enough: Error {}

    /// Something to be done in the first frame in which it may be.
    struct Step {
        let when: (Stage) -> Bool
        let act: (Stage) -> Void

        init(_ when: @escaping (Stage) -> Bool, _ act: @escaping (Stage) -> Void) {
            (self.when, self.act) = (when, act)
        }
    }

    /// What to call in every frame so that these steps are done one after the other; the last one done, the run is over.
    static func watch(_ steps: [Step]) -> (Int, Stage) throws -> Void {
        var rest = steps[...]
        var frame = 0
        return { number, stage in
            // A moment between two presses, as with people.
            guard number - frame >= 12 else { return }
            guard let next = rest.first else { throw Enough() }
            guard next.when(stage) else { return }
            next.act(stage)
            rest.removeFirst()
            frame = number
        }
    }

    static func click(_ x: Double, _ y: Double) {
        var event = SDL_Event()
        event.motion.type = SDL_MOUSEMOTION.rawValue
        (event.motion.x, event.motion.y) = (Int32(x), Int32(y))
        #expect(SDL_PushEvent(&event) == 1)
        event = SDL_Event()
        event.button.type = SDL_MOUSEBUTTONDOWN.rawValue
        event.button.button = UInt8(SDL_BUTTON_LEFT)
        (event.button.x, event.button.y) = (Int32(x), Int32(y))
        #expect(SDL_PushEvent(&event) == 1)
        event.button.type = SDL_MOUSEBUTTONUP.rawValue
        #expect(SDL_PushEvent(&event) == 1)
    }
    static func press(_ key: SDL_KeyCode) {
        var event = SDL_Event()
        event.key.type = SDL_KEYDOWN.rawValue
        event.key.keysym.sym = Int32(bitPattern: UInt32(key.rawValue))
        #expect(SDL_PushEvent(&event) == 1)
        event.key.type = SDL_KEYUP.rawValue
        #expect(SDL_PushEvent(&event) == 1)
    }

    /// The characters arrive as from an input method.
    static func write(_ text: String) {
        for byte in text.utf8 {
            var event = SDL_Event()
            event.text.type = SDL_TEXTINPUT.rawValue
            event.text.text.0 = CChar(bitPattern: byte)
            #expect(SDL_PushEvent(&event) == 1)
        }
    }

    static func name(_ screen: Screen) -> String {
        switch screen {
        case .loading: "loading"
        case .title: "title"
        case .match(_, let isPaused): isPaused ? "pause" : "match"
        case .over: "over"
        case .lobby: "lobby"
        case .scores: "scores"
        }
    }

    /// Plays with these keys, pressed in these frames. Returns the screens, in order, and whether the game ended by itself.
    ///
    /// - Parameters:
    ///   - assets: The folder of pictures and sounds; `nil`: nothing is drawn.
    ///   - watch: Called in every frame, after its key.
    static func play(
        _ arguments: [String], _ keys: [Int: SDL_KeyCode] = [:], frames limit: Int, assets: String? = nil,
        hasGamepads: Bool = false,
        watch: @escaping (Int, Stage) throws -> Void = { _, _ in }
    ) throws -> (screens: [String], hasEnded: Bool, report: RunReport) {
        setenv("SDL_VIDEODRIVER", "dummy", 1)
        setenv("SDL_AUDIODRIVER", "dummy", 1)
        try #require(SDL_Init(SDL_INIT_VIDEO) == 0)
        defer { SDL_Quit() }
        // Nothing has the keyboard's focus here.
        SDL_SetHint(SDL_HINT_JOYSTICK_ALLOW_BACKGROUND_EVENTS, "1")
        if hasGamepads { try #require(SDL_InitSubSystem(UInt32(SDL_INIT_GAMECONTROLLER)) == 0) }
        let options = try #require(try SkirmishCommand.parseAsRoot(arguments) as? SkirmishCommand)
        let window = try Window(isHeadless: true, size: options.size)
        var configuration = Configuration()
        configuration.timeSource = VirtualClock()
        let guest = try SDLGuest(configuration: configuration, handlesInterrupts: false)
        defer { guest.close() }
        let stage = Stage(options, guest, window)
        if let assets { try run(guest, { try await Loading(stage: stage, folder: assets).run() }) { _, _ in } }
        if let file = options.optionsFile {
            try run(guest, { await stage.loadSettings(SettingsFile(path: file)) }) { _, _ in }
        }
        var screens: [String] = []
        let hasEnded = try run(guest, limit: limit, { try await Game(stage: stage).play() }) { frame, _ in
            if let key = keys[frame] { press(key) }
            try watch(frame, stage)
            let now = name(stage.screen)
            if screens.last != now { screens.append(now) }
        }
        // Nothing of the game waits once it has ended.
        if hasEnded { #expect(guest.loop.waiting.isEmpty, "\(guest.loop.waiting)") }
        return (screens, hasEnded, stage.report())
    }

    /// Runs frames for as long as an async function does, at most so many. Returns whether it has ended.
    @discardableResult
    private static func run(
        _ guest: SDLGuest, limit: Int? = nil, _ body: @escaping @MainActor () async throws -> Void,
        update: @escaping (Int, FrameLoop) throws -> Void
    ) throws -> Bool {
        let frames = FrameLoop(guest, pace: .fixed(framesPerSecond: 60), fixedStep: .seconds(1) / 60)
        frames.frameLimit = limit
        var hasEnded = false
        var failure: (any Error)?
        guest.run(body) { [frames] result in
            if case .failure(let error) = result { failure = error }
            hasEnded = true
            frames.stop()
        }
        frames.run(update: { [frames] frame in
            do { try update(frame.number, frames) } catch {
                if !(error is Enough) { failure = error }
                frames.stop()
            }
        })
        if let failure { throw failure }
        return hasEnded
    }
}
