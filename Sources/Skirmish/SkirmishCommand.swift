// SPDX-License-Identifier: Apache-2.0
// SkirmishCommand: the options, checked before anything opens.

import ArgumentParser
import Foundation
import SkirmishNetwork
import SkirmishProtocol
import Tandem

@main
struct SkirmishCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "Skirmish",
        abstract: "A top-down arena shooter: gather energy, outfly the drones, defend the beacon.",
        discussion: """
            Keys: W A S D or the arrows fly, the mouse aims and its button fires, space fires at the nearest drone, P pauses, \
            T talks, F3 shows what the loop does, F11 fills the screen, Escape leaves; a gamepad does as well. Everything that \
            happens over time is an async function on Tandem's loop.
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
    @Option(
        defaultAsFlag: "0.0.0.0:47800",
        help: ArgumentHelp("Host a game for up to 8, at an address of this machine.", valueName: "address:port"))
    var host: String?
    @Option(help: ArgumentHelp("Join the game of a host.", valueName: "address:port"))
    var join: String?
    @Option(help: "Your name among others.")
    var name: String?
    @Option(help: "The word that lets people in.")
    var code: String?
    @Option(help: ArgumentHelp("Make the way to the host and back slower.", valueName: "ms"))
    var latency = 0.0
    @Option(help: ArgumentHelp("Make each way uneven.", valueName: "ms"))
    var jitter = 0.0
    @Option(help: ArgumentHelp("Lose so many of a hundred datagrams each way.", valueName: "percent"))
    var loss = 0.0
    @Option(help: "Host so many matches at once, 1 to 512, on successive ports; needs --headless and --host.")
    var matches = 1
    @Flag(help: "Look for games, and be found, on this machine only.")
    var local = false
    @Option(help: ArgumentHelp("Where the options are kept.", valueName: "file"))
    var optionsFile: String?
    @Option(help: ArgumentHelp("The size of the window.", valueName: "width x height"))
    var window: String?
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
        try validateNetwork()
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

    /// What the network's options have wrong.
    private func validateNetwork() throws {
        if host != nil, join != nil {
            throw ValidationError("--host and --join were both given; host a game, or join one")
        }
        if isNetworked, virtualTime || record != nil || replay != nil {
            throw ValidationError(
                "a game with others has no --virtual-time, --record or --replay: what others do is not ours to repeat")
        }
        guard (1...512).contains(matches) else { throw ValidationError("--matches was \(matches); expected 1 to 512") }
        if matches > 1, !headless || host == nil {
            throw ValidationError("--matches needs --headless and --host: nobody can look at more than one")
        }
        if let host, let (_, port) = Self.address(host, standard: GameProtocol.port), port > 0,
            Int(port) + matches - 1 > 65_535
        {
            throw ValidationError("\(matches) matches from port \(port) on end beyond 65535; begin at a lower port")
        }
        for (option, address) in [("--host", host), ("--join", join)] {
            guard let address else { continue }
            guard let (_, port) = Self.address(address, standard: GameProtocol.port), port > 0 || option == "--host"
            else { throw ValidationError("\(option) was \(address); expected ADDRESS or ADDRESS:PORT") }
        }
        if let host, let (address, _) = Self.address(host, standard: 0),
            (try? SocketAddress(host: address, port: 1)) == nil
        {
            throw ValidationError("--host was \(host); expected an address of this machine in figures, such as 0.0.0.0")
        }
        if let name, !GameProtocol.isName(name) {
            throw ValidationError("--name was \"\(name)\"; expected 1 to 16 letters, figures and signs of ASCII")
        }
        // What was given is not repeated: it is a secret.
        if let code, MatchCode(code) == nil {
            throw ValidationError("--code has more than 32 characters, or others than ASCII's; choose another one")
        }
        guard (0...2000).contains(latency) else {
            throw ValidationError("--latency was \(latency); expected 0 to 2000 milliseconds")
        }
        guard (0...1000).contains(jitter) else {
            throw ValidationError("--jitter was \(jitter); expected 0 to 1000 milliseconds")
        }
        guard (0...90).contains(loss) else { throw ValidationError("--loss was \(loss); expected 0 to 90 percent") }
        if window != nil, size == nil {
            throw ValidationError("--window was \(window!); expected a width and a height, such as 1280x720")
        }
    }

    var isNetworked: Bool { host != nil || join != nil }

    /// A host and a port: `10.0.0.5`, `10.0.0.5:4000`, `[::1]:4000`, `example.org:4000`.
    static func address(_ text: String, standard: UInt16) -> (host: String, port: UInt16)? {
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
            let rest = text[text.index(after: end)...]
            let host = String(text[text.index(after: text.startIndex)..<end])
            if rest.isEmpty { return (host, standard) }
            return rest.hasPrefix(":") ? UInt16(rest.dropFirst()).map { (host, $0) } : nil
        }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard let host = parts.first, !host.isEmpty, !host.contains(" ") else { return nil }
        // More than one colon: an IPv6 address without a port.
        if parts.count > 2 { return (text, standard) }
        return parts.count == 1 ? (text, standard) : UInt16(parts[1]).map { (String(host), $0) }
    }

    var conditions: NetworkConditions {
        NetworkConditions(latency: .milliseconds(latency), jitter: .milliseconds(jitter), loss: loss)
    }

    /// The window's size, if one was given.
    var size: (width: Int, height: Int)? {
        let parts = (window ?? "").split(separator: "x").compactMap { Int($0) }
        guard parts.count == 2, (320...7680).contains(parts[0]), (180...4320).contains(parts[1]) else { return nil }
        return (parts[0], parts[1])
    }

    func hostOptions(_ settings: Settings) throws -> HostOptions {
        let (address, port) = Self.address(host ?? "0.0.0.0", standard: GameProtocol.port)!
        var options = HostOptions(address: try SocketAddress(host: address, port: port))
        options.player = name ?? settings.name
        options.name = String("\(options.player!)'s game".prefix(GameProtocol.mostNameLength))
        options.code = MatchCode(code ?? "")!
        options.bots = bots
        options.seed = seed
        options.isLocal = local
        // What a run without a player measures, it also proves.
        options.keepsRecord = isAutomatic && stats != nil && matches == 1
        return options
    }

    /// What the command line wants to play; `nil`: it is to be asked for.
    func choice(_ settings: Settings) throws -> Choice? {
        if host != nil { return .host(try hostOptions(settings)) }
        guard let join, let (host, port) = Self.address(join, standard: GameProtocol.port) else { return nil }
        return .join(host: host, port: port, code: code ?? "")
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
