// SPDX-License-Identifier: Apache-2.0
// Notes: the options that a recorded run depends on, in its file.

import TandemTesting

extension SkirmishCommand {
    /// What a replay has to know.
    var notes: [String: String] {
        var notes = ["game": "Skirmish", "seed": "\(seed)", "bots": "\(bots)", "automatic": "\(isAutomatic)"]
        notes["seconds"] = seconds.map { "\($0)" }
        notes["frames"] = frames.map { "\($0)" }
        return notes
    }

    /// Plays as the recorded run did.
    mutating func take(_ notes: [String: String]) throws {
        guard notes["game"] == "Skirmish", let seed = notes["seed"].flatMap({ UInt64($0) }),
            let bots = notes["bots"].flatMap({ Int($0) }), let automatic = notes["automatic"].flatMap({ Bool($0) })
        else { throw Trouble("\(replay ?? "the recording") is not a recording of Skirmish; make one with --record") }
        self.seed = seed
        self.bots = bots
        headless = automatic
        seconds = notes["seconds"].flatMap { Double($0) }
        frames = notes["frames"].flatMap { Int($0) }
    }
}
