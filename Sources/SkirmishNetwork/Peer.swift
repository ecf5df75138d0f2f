// SPDX-License-Identifier: Apache-2.0
// Peer: one player, as the host knows it.
// Idea:   what is to be written stands in an outbox of its own with a limit: a player that reads too slowly is let go, and holds nobody up.

import Logging
internal import SkirmishProtocol
internal import Tandem

final class Peer {
    let stream: TCPStream
    let name: String
    let seat: Int
    /// What its datagrams are known by.
    let token: UInt64
    var isReady = false
    /// Where its datagrams come from, once that is proved; and what is under way to prove it.
    private(set) var address: SocketAddress?
    private var candidate: (address: SocketAddress, nonce: UInt64)?
    var inputs = InputQueue()
    var snapshots = SnapshotSender()
    /// When something came last, by the host's clock.
    var lastHeard: Duration
    /// The player's stamp, and when it came.
    var stamp: (value: Int, came: Duration) = (0, .zero)
    var ping = 0
    var messageLimit = RateLimit(perSecond: 20, burst: 40)
    var chatLimit = RateLimit(perSecond: 2, burst: 5)
    var datagramLimit = RateLimit(perSecond: 120, burst: 120)
    private var bindLimit = RateLimit(perSecond: 4, burst: 8)
    private(set) var hasLeft = false
    let outbox: Outbox

    init(_ stream: TCPStream, _ outbox: Outbox, name: String, seat: Int, at time: Duration) {
        (self.stream, self.outbox, self.name, self.seat) = (stream, outbox, name, seat)
        token = .random(in: 1 ... .max)
        lastHeard = time
    }

    /// The part of the token that the host's datagrams carry.
    var secret: UInt32 { UInt32(truncatingIfNeeded: token) }

    /// `false`: it reads so slowly that its outbox is full. A connection that has failed ends with its reader.
    func say(_ message: HostMessage) -> Bool { outbox.send(message) || !outbox.isOpen }

    /// The last message; what stands before it is still written, for a second.
    func letGo(_ refusal: Refusal) {
        guard !hasLeft else { return }
        hasLeft = true
        outbox.send(.refused(refusal, version: GameProtocol.version))
        outbox.finish(within: .seconds(1))
    }

    /// Somebody with this player's token asks from an address. Returns what to answer, if anything.
    func challenge(_ from: SocketAddress, at time: Duration) -> [UInt8]? {
        guard bindLimit.admits(at: time) else { return nil }
        let nonce = UInt64.random(in: 1 ... .max)
        candidate = (from, nonce)
        return HostDatagram.challenge(secret: secret, nonce: nonce)
    }

    func prove(_ nonce: UInt64, from: SocketAddress) {
        guard let candidate, candidate.address == from, candidate.nonce == nonce else { return }
        address = from
        self.candidate = nil
    }

    /// Nothing of an earlier match is left.
    func beginMatch() {
        isReady = false
        inputs = InputQueue()
        snapshots = SnapshotSender()
    }
}
