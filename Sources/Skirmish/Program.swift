// SPDX-License-Identifier: Apache-2.0
// Program: from the window to the last line: sets up SDL and the guest, runs the frames, reports.
// Owner:  the main actor, like everything in this target that does not say otherwise.

import Foundation
import Tandem
import TandemSDL
import TandemTesting

struct Program {
    var options: SkirmishCommand

    mutating func run() throws {
        try checkOutputs()
        let isHidden = options.isAutomatic
        let replayer = try options.replay.map { Replayer(try Recording(contentsOf: $0)) }
        if let replayer { try options.take(replayer.recording.notes) }
        let recorder = try options.record.map { try Recorder(file: $0, notes: options.notes) }
        if isHidden { setenv("SDL_VIDEODRIVER", "dummy", 1) }
        guard SDL_Init(SDL_INIT_VIDEO) == 0 else {
            throw Trouble("SDL found no display (\(lastSDLError)); start it in a desktop session, or with --headless")
        }
        defer { SDL_Quit() }
        // Gamepads are welcome, and not needed. A replay has its own events.
        if !isHidden, replayer == nil { SDL_InitSubSystem(UInt32(SDL_INIT_GAMECONTROLLER)) }
        let window = try Window(isHeadless: isHidden, size: options.size)
        var configuration = Configuration()
        configuration.timeSource = recorder ?? replayer ?? (options.virtualTime ? VirtualClock() : nil)
        let guest = try SDLGuest(configuration: configuration)
        defer { guest.close() }
        let stage = Stage(options, guest, window)
        let folder = try assetsFolder()
        // Loading has frames of its own: it takes as long as it takes, and the game's first frame begins a new series, so that a run
        // in virtual time, or a recorded one, does not depend on the disk.
        let file = options.optionsFile.map(SettingsFile.init) ?? (isHidden || replayer != nil ? nil : .usual)
        if try runFrames(
            stage,
            during: {
                if let file { await stage.loadSettings(file) }
                try await Loading(stage: stage, folder: folder).run()
            })
        {
            recorder?.begin(on: guest.loop)
            replayer?.begin(on: guest.loop)
            _ = try runFrames(stage, during: { try await Game(stage: stage).play() })
        }
        try recorder?.finish()
        try replayer?.finish()
        stage.draw()
        if let file = options.screenshot { try window.saveScreenshot(file) }
        let report = stage.report()
        if let file = options.stats { try report.save(file) }
        print(report.summary)
    }

    /// Runs frames for as long as an async function does; `false` if the window was closed first.
    private func runFrames(_ stage: Stage, during body: @escaping @MainActor () async throws -> Void) throws -> Bool {
        let frames = FrameLoop(
            stage.guest, pace: options.isAutomatic ? .fixed(framesPerSecond: 60) : .display, fixedStep: .seconds(1) / 60
        )
        var outcome: Result<Void, any Error>?
        let run = stage.guest.run(body) { result in
            outcome = result
            frames.stop()
        }
        frames.run(draw: { frame in
            // In virtual time only the last picture is of interest.
            // Of a party without players, too.
            guard !options.virtualTime, !(options.isAutomatic && options.isNetworked) else { return }
            stage.draw(blend: frame.blend)
            stage.window.present()
        })
        run.cancel()
        try outcome?.get()
        return outcome != nil
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
nonisolated var lastSDLError: String { String(cString: SDL_GetError()) }
