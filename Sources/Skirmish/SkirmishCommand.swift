// SPDX-License-Identifier: Apache-2.0
// SkirmishCommand: the options, checked before anything opens.

import ArgumentParser
import Foundation

@main
struct SkirmishCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "Skirmish",
        abstract: "A top-down arena shooter: gather energy, outfly the drones, defend the beacon.",
        discussion: """
            Keys: W A S D or the arrows fly, the mouse aims and its button fires, space fires at the nearest drone, P pauses, \
            F11 fills the screen, Escape leaves. Everything that happens over time is an async function on Tandem's loop.
            """)

    @Flag(help: "Draw to memory, without a window or sound; the player's ship flies by itself.")
    var headless = false
    @Option(help: "End after so many seconds of play.")
    var seconds: Double?
    @Option(help: "End after so many frames of play.")
    var frames: Int?
    @Option(help: "What chance begins with; the same seed gives the same match in virtual time.")
    var seed: UInt64 = 1
    @Option(help: "How many bots fly beside you, 0 to 15.")
    var bots = 2
    @Option(help: ArgumentHelp("Save the last frame.", valueName: "file.bmp"))
    var screenshot: String?
    @Option(help: ArgumentHelp("Save what the run measured.", valueName: "file.json"))
    var stats: String?
    @Flag(
        help: "As fast as the machine can, on a clock that jumps; implies --headless and needs --seconds or --frames.")
    var virtualTime = false
    @Option(help: ArgumentHelp("Write the run down: events, times and order.", valueName: "file"))
    var record: String?
    @Option(
        help: ArgumentHelp(
            "Give a recorded run back, exactly; seed, bots and limits are its own. With --headless, without a window.",
            valueName: "file"))
    var replay: String?
    @Option(help: ArgumentHelp("Where the pictures and sounds are.", valueName: "dir"))
    var assets: String?

    /// Nobody sits in front of it.
    var isAutomatic: Bool { headless || virtualTime }

    func validate() throws {
        if let seconds, !(seconds > 0 && seconds <= 86_400) {
            throw ValidationError("--seconds was \(seconds); expected more than 0 and at most 86400")
        }
        if let frames, frames < 1 { throw ValidationError("--frames was \(frames); expected 1 or more") }
        guard (0...15).contains(bots) else { throw ValidationError("--bots was \(bots); expected 0 to 15") }
        if virtualTime, record != nil || replay != nil {
            throw ValidationError(
                "--virtual-time needs no recording: the same seed gives the same match; leave one of them out")
        }
        if record != nil, replay != nil {
            throw ValidationError("--record and --replay were both given; record a run first, then replay it")
        }
        if virtualTime, seconds == nil, frames == nil {
            throw ValidationError("--virtual-time would never end; add --seconds or --frames")
        }
    }

    func run() throws {
        do {
            // Safe: a synchronous main runs on the main thread.
            try MainActor.assumeIsolated {
                var program = Program(options: self)
                try program.run()
            }
        } catch {
            FileHandle.standardError.write(Data("Skirmish: \(error)\n".utf8))
            throw ExitCode(1)
        }
    }
}

/// Something that a player can mend: one line that says what was wrong and what to do.
nonisolated struct Trouble: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
