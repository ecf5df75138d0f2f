// SPDX-License-Identifier: Apache-2.0
// SkirmishTable: a host of Skirmish on loopback and those who play there, in one process and on one thread, without a window.
// Owner:  the main actor.

import Foundation
import Logging
import SkirmishNetwork
import SkirmishProtocol
import SkirmishRules
import Tandem
import TandemTesting
import Testing

/// What a host's log said.
final class SkirmishJournal: LogHandler, @unchecked Sendable {
    // Safe: written on the main actor only.
    var lines: [String] = []
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }
    func log(event: LogEvent) { lines.append("\(event.message)") }
}

@MainActor final class SkirmishTable {
    let loop: GuestLoop
    let host: HostSession
    private let journal: SkirmishJournal
    let scene: GuestScene
    private let hosting: GuestRun<Void>
    var ends: [String: any Error] = [:]

    private init(
        _ scene: GuestScene, _ options: HostOptions, _ journal: SkirmishJournal,
        _ onStep: (@MainActor (HostSession) -> Void)?
    ) throws {
        (self.scene, loop) = (scene, scene.loop)
        self.journal = journal
        let session = try HostSession(on: scene.loop, options, logger: Logger(label: "test") { _ in journal })
        host = session
        guard let onStep else {
            hosting = scene.run({ try await session.runAlone() }) { _ in }
            return
        }
        hosting = scene.run({ try await session.run() }) { _ in }
        scene.task { try await session.runMatches(scene.clock) }
        scene.task {
            for try await beat in scene.clock.timer(every: .seconds(World.step)) {
                for _ in 0...min(beat.missed, 5) {
                    session.step()
                    onStep(session)
                }
            }
        }
    }

    var lines: [String] { journal.lines }

    /// Joins, and plays by itself; `wish` is asked for each step.
    func join(
        _ name: String, code: String = "", conditions: NetworkConditions = .init(),
        wish: @escaping @MainActor (ClientSession) -> Intent = { _ in Intent() }
    ) async throws -> ClientSession {
        let session = try await ClientSession.join(
            "127.0.0.1", port: host.address.port!, name: name, code: code, conditions: conditions, on: loop)
        scene.run({ try await session.run() }) { [self] result in
            if case .failure(let error) = result { ends[name] = error }
        }
        let loop = loop
        scene.task {
            for try await beat in loop.clock.timer(every: .seconds(World.step)) {
                for _ in 0...min(beat.missed, 5) { session.step(wish(session)) }
                _ = session.picture()
            }
        }
        return session
    }

    func wait(
        _ what: String, for limit: Duration = .seconds(20), until condition: () -> Bool
    ) async throws {
        let end = loop.now.advanced(by: limit)
        while !condition() {
            guard loop.now < end else {
                Issue.record("\(what) did not come within \(limit); the host said \(lines)")
                throw CancellationError()
            }
            try await loop.sleep(for: .milliseconds(5))
        }
    }

    func stopHosting() { hosting.cancel() }

    /// A host on a free port of this machine, and whatever `body` does with it.
    ///
    /// - Parameter onStep: Called after each of the host's steps.
    static func open(
        _ change: (inout HostOptions) -> Void = { _ in }, onStep: (@MainActor (HostSession) -> Void)? = nil,
        _ body: @escaping @MainActor (SkirmishTable) async throws -> Void
    ) throws {
        var options = HostOptions(address: .loopback(port: 0))
        options.discoveryPort = nil
        change(&options)
        let host = ManualHost()
        let loop = try host.makeLoop(configuration: .unhurried)
        defer { loop.close() }
        try loop.adoptMainActor()
        let registrations = loop.statistics.registrations
        var outcome: Result<Void, any Error>?
        let main: @MainActor () async throws -> Void = { [options] in
            try await loop.withScene { scene in
                try await body(SkirmishTable(scene, options, SkirmishJournal(), onStep))
            }
        }
        loop.run({ try await main() }) { outcome = $0 }
        let hasEnded = host.run(within: .seconds(60)) { outcome != nil }
        #expect(hasEnded)
        do { try outcome?.get() } catch is CancellationError {}
        // No descriptor of a session outlives it by more than its last words.
        let hasLeft = host.run(within: .seconds(5)) { loop.statistics.registrations == registrations }
        #expect(hasLeft)
    }

    /// What a bot in this player's seat would do.
    static func flight(_ session: ClientSession) -> Intent {
        guard let world = session.confirmed.map({ $0.picture(towards: $0, part: 0, seat: nil, own: nil) }) else {
            return Intent()
        }
        return BotPilot.decide(world, ship: session.seat)
    }

    /// A connection from an address of this machine. `nil`: there is none.
    static func connected(from host: String, to port: UInt16) -> Int32? {
        func address(_ host: String, _ port: UInt16) -> sockaddr_in {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            inet_pton(AF_INET, host, &address.sin_addr)
            return address
        }
        func with(_ address: sockaddr_in, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
            var address = address
            return withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        guard with(address(host, 0), { bind(descriptor, $0, $1) }) == 0,
            with(address("127.0.0.1", port), { connect(descriptor, $0, $1) }) == 0
        else {
            close(descriptor)
            return nil
        }
        return descriptor
    }
}
