// SPDX-License-Identifier: Apache-2.0
// ManyMatches: many matches in one process and on one thread, each at an address of its own, with nobody at the host itself.
// Idea:   each match is a few tasks; nothing is shared between them but the loop.

import SkirmishNetwork
import Tandem
import TandemSDL

struct ManyMatches {
    let stage: Stage
    let options: HostOptions

    /// Hosts until the time is up. A match that is over is followed by the next one.
    func run(_ count: Int) async throws {
        var sessions: [HostSession] = []
        defer { stage.networkReport = report(sessions) }
        try await stage.guest.withScene { scene in
            for number in 0..<count {
                let session = try HostSession(on: scene.loop, try options(of: number))
                sessions.append(session)
                try session.announce()
                scene.task { try await session.runAlone() }
            }
            while true {
                for session in sessions where session.phase != .playing { session.startMatch() }
                try await scene.loop.sleep(for: .seconds(1))
            }
        }
    }

    private func options(of number: Int) throws -> HostOptions {
        var options = options
        options.player = nil
        options.name = "\(options.name.prefix(12)) \(number + 1)"
        options.seed &+= UInt64(number) &* 1000
        // Port 0 is any that is free, for each of them.
        if let port = options.address.port, port > 0 {
            options.address = try SocketAddress(host: options.address.host, port: port &+ UInt16(number))
        }
        return options
    }

    private func report(_ sessions: [HostSession]) -> NetworkReport {
        var report = NetworkReport()
        report.matches = sessions.count
        report.people = sessions.reduce(0) { $0 + $1.people }
        report.steps = sessions.map(\.steps).min()
        report.missedSteps = sessions.reduce(0) { $0 + $1.missedSteps }
        report.sentBytes = sessions.reduce(0) { $0 + $1.traffic.sentBytes }
        report.receivedBytes = sessions.reduce(0) { $0 + $1.traffic.receivedBytes }
        report.refusedDatagrams = sessions.reduce(0) { $0 + $1.traffic.refusedDatagrams }
        report.largestSnapshot = sessions.map(\.traffic.largestSnapshot).max() ?? 0
        return report
    }
}
