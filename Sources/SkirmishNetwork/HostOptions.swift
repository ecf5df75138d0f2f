// SPDX-License-Identifier: Apache-2.0
// HostOptions: what a host is told.

package import SkirmishProtocol
package import Tandem

nonisolated package struct HostOptions: Sendable {
    /// Where connections and datagrams are taken; port 0: any that is free.
    package var address: SocketAddress
    /// What the game is called in a search.
    package var name = "Skirmish"
    /// Who sits at the host itself; `nil`: nobody, and matches begin when everybody is ready.
    package var player: String?
    package var code = MatchCode("")!
    package var bots = 2
    /// So many people are let in.
    package var capacity = GameProtocol.seats
    package var seed: UInt64 = 1
    /// Where searches are answered; `nil`: nowhere.
    package var discoveryPort: UInt16? = GameProtocol.discoveryPort
    /// Searches are answered only if they come from this machine.
    package var isLocal = false
    package var keepsRecord = false

    package init(address: SocketAddress) { self.address = address }
}

/// A line of the chat. Seat `HostMessage.host` is the game itself.
nonisolated package struct ChatLine: Sendable, Hashable {
    package let seat: Int
    package let name: String
    package let text: String
}

/// How a match ended.
nonisolated package struct Results: Sendable, Hashable {
    package let match: Int
    package let total: Int
    package let seats: [Seat]

    package init(match: Int, total: Int, seats: [Seat]) {
        (self.match, self.total, self.seats) = (match, total, seats)
    }

    /// One line, the same on every machine: who had how many points.
    package var line: String {
        "match \(match): \(total); " + seats.map { "\($0.number) \($0.name) \($0.score)" }.joined(separator: ", ")
    }
}
