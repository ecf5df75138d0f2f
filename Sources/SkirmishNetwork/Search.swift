// SPDX-License-Identifier: Apache-2.0
// Search: the games on the local network, as they come and go.
// Idea:   a question a second to everybody on each interface; who does not answer for four seconds is gone. At most 32 are kept.

package import SkirmishProtocol
package import Tandem

package final class Search {
    package struct Game: Sendable, Hashable, Identifiable {
        package let id: String
        package let host: String
        package let answer: Discovery.Answer
    }

    private let loop: GuestLoop
    private let port: UInt16
    /// This machine alone is asked.
    private let isLocal: Bool
    private var found: [String: (game: Game, seen: ContinuousClock.Instant)] = [:]
    private static let most = 32

    package init(on loop: GuestLoop, port: UInt16 = GameProtocol.discoveryPort, isLocal: Bool) {
        (self.loop, self.port, self.isLocal) = (loop, port, isLocal)
    }

    /// Sorted by name.
    package var games: [Game] { found.values.map(\.game).sorted { ($0.answer.name, $0.id) < ($1.answer.name, $1.id) } }

    /// Searches until its task is cancelled.
    package func run() async throws {
        let socket = try UDPSocket(on: loop, at: .any(.ipv4, port: 0))
        defer { socket.close() }
        try socket.set(.broadcast, to: true)
        let nonce = UInt32.random(in: 1 ... .max)
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            group.addTask { try await self.ask(socket, nonce) }
            for try await answer in socket.datagrams(upTo: Discovery.questionBytes) { take(answer, nonce) }
        }
    }

    private func ask(_ socket: UDPSocket, _ nonce: UInt32) async throws {
        let question = Discovery.question(nonce: nonce)
        while true {
            for host in isLocal ? ["127.255.255.255"] : ["127.255.255.255"] + Interface.all.compactMap(\.broadcast) {
                // An interface that is down is asked again in a second.
                _ = try? socket.sendNow(question, to: SocketAddress(host: host, port: port))
            }
            try await loop.sleep(for: .seconds(1))
            let now = loop.now
            found = found.filter { $0.value.seen.duration(to: now) < .seconds(4) }
        }
    }

    private func take(_ datagram: UDPSocket.Datagram, _ nonce: UInt32) {
        guard let host = datagram.sender?.host, let answer = try? Discovery.Answer(datagram.bytes),
            answer.nonce == nonce
        else { return }
        let id = "\(host):\(answer.port)"
        guard found[id] != nil || found.count < Self.most else { return }
        found[id] = (Game(id: id, host: host, answer: answer), loop.now)
    }
}
