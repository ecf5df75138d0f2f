// SPDX-License-Identifier: Apache-2.0
// Datagrams: what goes over UDP: the proof of an address, inputs, snapshots, and the search for hosts.
// Idea:   until an address is proved nothing is answered that is longer than its question: questions are filled up.

package import SkirmishRules

/// One step's wish of a player, as it is sent, predicted and carried out: all three are the same.
package struct Wish: Sendable, Hashable {
    private let thrustX, thrustY: Int
    private let fires: Bool
    /// Of the arena's place; `nil`: the aim stays.
    private let targetX, targetY: Int?

    package init(_ intent: Intent) {
        let thrust = intent.thrust.limited(to: 1)
        thrustX = Quantity.whole(thrust.x * 127)
        thrustY = Quantity.whole(thrust.y * 127)
        fires = intent.fires
        targetX = intent.target.map { Quantity.place($0.x) }
        targetY = intent.target.map { Quantity.place($0.y) }
    }

    package var intent: Intent {
        Intent(
            thrust: Vector(Double(thrustX) / 127, Double(thrustY) / 127).limited(to: 1),
            target: targetX.map { Quantity.vector($0, targetY!) }, fires: fires)
    }

    func encode(into writer: inout BitWriter) {
        writer.put(signed: thrustX, 8)
        writer.put(signed: thrustY, 8)
        writer.put(fires)
        writer.put(targetX != nil)
        if let targetX, let targetY {
            writer.put(targetX, Quantity.placeBits)
            writer.put(targetY, Quantity.placeBits)
        }
    }

    init(_ reader: inout BitReader) throws(Malformed) {
        thrustX = try reader.signed(8)
        thrustY = try reader.signed(8)
        fires = try reader.flag()
        let aims = try reader.flag()
        targetX = aims ? try reader.int(Quantity.placeBits) : nil
        targetY = aims ? try reader.int(Quantity.placeBits) : nil
    }
}

/// What a player sends.
package enum ClientDatagram: Sendable, Hashable {
    package struct Inputs: Sendable, Hashable {
        /// Which match they are for.
        package var match: Int
        /// The newest snapshot that the player has; 0: none.
        package var acknowledged: UInt32
        /// The player's clock in milliseconds, to be sent back.
        package var stamp: Int
        /// Milliseconds there and back, as the player measures them.
        package var ping: Int
        /// The number of the first wish; the others follow.
        package var first: UInt32
        /// At most ``mostWishes``.
        package var wishes: [Wish]
        package static let mostWishes = 31

        package init(match: Int, acknowledged: UInt32, stamp: Int, ping: Int, first: UInt32, wishes: [Wish]) {
            (self.match, self.acknowledged, self.stamp, self.ping) = (match, acknowledged, stamp, ping)
            (self.first, self.wishes) = (first, wishes)
        }
    }

    /// "I am the player with this token, at this address."
    case bind(token: UInt64)
    /// The answer to the host's challenge.
    case proof(token: UInt64, nonce: UInt64)
    case inputs(token: UInt64, Inputs)

    package static let bindBytes = 32

    package var bytes: [UInt8] {
        var writer = BitWriter()
        switch self {
        case .bind(let token):
            Header.write(1, &writer)
            writer.put(token)
            return writer.finished(atLeast: Self.bindBytes)
        case .proof(let token, let nonce):
            Header.write(2, &writer)
            writer.put(token)
            writer.put(nonce)
        case .inputs(let token, let inputs):
            Header.write(3, &writer)
            writer.put(token)
            writer.put(inputs.match, 16)
            writer.put(inputs.acknowledged, 32)
            writer.put(inputs.stamp & 0xFFFF, 16)
            writer.put(inputs.ping, 12)
            writer.put(inputs.first, 32)
            writer.put(min(inputs.wishes.count, Inputs.mostWishes), 5)
            for wish in inputs.wishes.prefix(Inputs.mostWishes) { wish.encode(into: &writer) }
        }
        return writer.finished()
    }

    package init(_ bytes: [UInt8]) throws(Malformed) {
        var reader = BitReader(bytes)
        switch try Header.read(&reader) {
        case 1:
            guard bytes.count == Self.bindBytes else {
                throw Malformed("a question for an address of \(bytes.count) bytes")
            }
            self = .bind(token: try reader.long())
            return
        case 2: self = .proof(token: try reader.long(), nonce: try reader.long())
        case 3:
            let token = try reader.long()
            var inputs = Inputs(
                match: try reader.int(16), acknowledged: try reader.take(32), stamp: try reader.int(16),
                ping: try reader.int(12), first: try reader.take(32), wishes: [])
            for _ in 0..<(try reader.int(5)) { inputs.wishes.append(try Wish(&reader)) }
            guard inputs.first < UInt32.max - 64 else { throw Malformed("the wishes' numbers have run out") }
            self = .inputs(token: token, inputs)
        case let kind: throw Malformed("a player's datagram of the unknown kind \(kind)")
        }
        try reader.finish()
    }
}

/// What the host sends.
package enum HostDatagram {
    /// What stands before a snapshot.
    package struct Head: Sendable, Hashable {
        /// The lower half of the player's token, so that nobody else's datagram is taken for the host's.
        package var secret: UInt32
        package var match: Int
        /// The player's stamp, sent back, and how many milliseconds it lay here.
        package var stamp: Int
        package var held: Int
        /// The last wish that was carried out, and how many are waiting.
        package var carriedOut: UInt32
        package var waiting: Int

        package init(secret: UInt32, match: Int, stamp: Int, held: Int, carriedOut: UInt32, waiting: Int) {
            (self.secret, self.match, self.stamp, self.held) = (secret, match, stamp, held)
            (self.carriedOut, self.waiting) = (carriedOut, waiting)
        }
    }

    /// "Say this number again", to an address that is not proved yet.
    case challenge(secret: UInt32, nonce: UInt64)
    /// A snapshot follows; the reader stands before it.
    case snapshot(Head, BitReader)

    package static func challenge(secret: UInt32, nonce: UInt64) -> [UInt8] {
        var writer = BitWriter()
        Header.write(4, &writer)
        writer.put(secret, 32)
        writer.put(nonce)
        return writer.finished()
    }

    package static func snapshot(_ head: Head, _ snapshot: Snapshot, by sender: inout SnapshotSender) -> [UInt8] {
        var writer = BitWriter()
        Header.write(5, &writer)
        writer.put(head.secret, 32)
        writer.put(head.match, 16)
        writer.put(head.stamp & 0xFFFF, 16)
        writer.put(head.held, 10)
        writer.put(head.carriedOut, 32)
        writer.put(head.waiting, 6)
        sender.write(snapshot, into: &writer)
        return writer.finished()
    }

    package init(_ bytes: [UInt8]) throws(Malformed) {
        var reader = BitReader(bytes)
        switch try Header.read(&reader) {
        case 4:
            self = .challenge(secret: try reader.take(32), nonce: try reader.long())
            try reader.finish()
        case 5:
            let head = Head(
                secret: try reader.take(32), match: try reader.int(16), stamp: try reader.int(16),
                held: try reader.int(10), carriedOut: try reader.take(32), waiting: try reader.int(6))
            self = .snapshot(head, reader)
        case let kind: throw Malformed("a host's datagram of the unknown kind \(kind)")
        }
    }
}

enum Header {
    static func write(_ kind: UInt32, _ writer: inout BitWriter) {
        writer.put(GameProtocol.datagramMark, 16)
        writer.put(UInt32(GameProtocol.version & 255), 8)
        writer.put(kind, 8)
    }

    static func read(_ reader: inout BitReader) throws(Malformed) -> Int {
        guard try reader.take(16) == GameProtocol.datagramMark else { throw Malformed("it is no datagram of Skirmish") }
        let version = try reader.take(8)
        guard version == UInt32(GameProtocol.version & 255) else { throw Malformed("it is of version \(version)") }
        return try reader.int(8)
    }
}
