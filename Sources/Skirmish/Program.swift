// SPDX-License-Identifier: Apache-2.0
// Program: from the window to the last line: sets up SDL and the guest, runs the frames, reports.
// Owner:  the main actor, like everything here that touches SDL.

import CSDL2
import Foundation
import Tandem
import TandemSDL
import TandemTesting

@MainActor
final class Program {
    private let options: SkirmishCommand
    private let isHeadless: Bool

    init(_ options: SkirmishCommand) {
        self.options = options
        isHeadless = options.headless || options.virtualTime
    }

    func run() throws {
        try checkOutputs()
        if isHeadless { setenv("SDL_VIDEODRIVER", "dummy", 1) }
        guard SDL_Init(SDL_INIT_VIDEO) == 0 else {
            throw Trouble("SDL found no display (\(lastSDLError)); start it in a desktop session, or with --headless")
        }
        defer { SDL_Quit() }
        let window = try Window(isHeadless: isHeadless)
        var configuration = Configuration()
        if options.virtualTime { configuration.timeSource = VirtualClock() }
        let guest = try SDLGuest(configuration: configuration)
        defer { guest.close() }
        let game = Game(options, guest: guest, window: window, sound: isHeadless ? nil : SoundBoard())
        let report = try play(game, guest, window)
        if let file = options.screenshot { try window.saveScreenshot(file) }
        if let file = options.stats { try report.save(file) }
        print(report.summary)
    }

    private func play(_ game: Game, _ guest: SDLGuest, _ window: Window) throws -> RunReport {
        var loop = FrameLoop(guest, pace: isHeadless ? .fixed(framesPerSecond: 60) : .display)
        loop.fixedStep = .seconds(1) / 60
        game.onEnd = { loop.stop() }
        game.load(from: try assetsFolder())
        // Once until everything is loaded, which takes as long as it takes; then the game, whose first frame is the beginning of
        // a new series: so that a run in virtual time does not depend on the disk.
        frames(loop, game, window)
        if game.trouble == nil, !game.isLeft {
            game.begin()
            frames(loop, game, window)
        }
        if let trouble = game.trouble { throw trouble }
        game.draw()
        return game.report()
    }

    private func frames(_ loop: FrameLoop, _ game: Game, _ window: Window) {
        loop.run(
            event: { game.handle($0) },
            fixedUpdate: { _ in game.step() },
            update: { game.update($0) },
            draw: { _ in
                // In virtual time only the last picture is of interest.
                guard !self.options.virtualTime else { return }
                game.draw()
                window.present()
            })
    }

    /// Files that cannot be written are said before the game, not after it.
    private func checkOutputs() throws {
        for file in [options.screenshot, options.stats].compactMap({ $0 }) {
            guard let handle = fopen(file, "a") else {
                throw Trouble(
                    "cannot write \(file) (\(String(cString: strerror(errno)))); choose a folder that exists and is yours"
                )
            }
            fclose(handle)
        }
    }

    /// `--assets`, or the folder beside the sources, or one beside the program.
    private func assetsFolder() throws -> String {
        if let folder = options.assets { return folder }
        let program = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
            .deletingLastPathComponent()
        var folders = ["Assets", program.appendingPathComponent("Assets").path]
        // .build/<triple>/<configuration>/Skirmish: the package is some folders up.
        var folder = program
        for _ in 0..<4 {
            folder.deleteLastPathComponent()
            folders.append(folder.appendingPathComponent("Assets").path)
        }
        guard let found = folders.first(where: { access($0 + "/" + AssetNames.font, R_OK) == 0 }) else {
            throw Trouble("the folder Assets was not found; start from the package's folder, or name it with --assets")
        }
        return found
    }
}

/// What SDL said last.
var lastSDLError: String { String(cString: SDL_GetError()) }
