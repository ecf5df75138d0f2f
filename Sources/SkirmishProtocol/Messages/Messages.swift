// SPDX-License-Identifier: Apache-2.0
// Messages: what goes over the TCP connection: the handshake, the lobby, the chat, a match's beginning and end.
//
// A message is a byte of kind and its content; on the way two bytes of length stand before it. A connection begins with the player's hello, whose first bytes stay the
// same in all versions, so that any host can say that it speaks another one.

/// What a player says to the host.
package enum ClientMessage: Sendable, Hashable {
    case hello(version: UInt16, name: String, code: String)
    case chat(String)
    case ready(Bool)
    case leave

    package var bytes: [UInt8] {
        var writer = BitWriter()
        switch self {
        case .hello(let version, let name, let code):
            writer.put(1, 8)
            for byte in GameProtocol.greeting { writer.put(UInt32(byte), 8) }
            writer.put(UInt32(version), 16)
            writer.put(name)
            writer.put(code)
        case .chat(let text):
            writer.put(2, 8)
            writer.put(text)
        case .ready(let isReady):
            writer.put(3, 8)
            writer.put(isReady ? 1 : 0, 8)
        case .leave: writer.put(4, 8)
        }
        return writer.finished()
    }

    package init(_ bytes: [UInt8]) throws(Malformed) {
        var reader = BitReader(bytes)
        switch try reader.int(8) {
        case 1:
            for byte in GameProtocol.greeting {
                guard UInt32(byte) == (try reader.take(8)) else {
                    throw Malformed("it does not begin as Skirmish does")
                }
            }
            let version = UInt16(try reader.take(16))
            guard version == GameProtocol.version else {
                // What follows is that version's own.
                self = .hello(version: version, name: "", code: "")
                return
            }
            let name = try reader.text(limit: GameProtocol.mostNameLength, "the name")
            guard GameProtocol.isName(name) else { throw Malformed("the name is empty, or has a blank at an end") }
            self = .hello(
                version: version, name: name, code: try reader.text(limit: GameProtocol.mostCodeLength, "the code"))
        case 2: self = .chat(try reader.text(limit: GameProtocol.mostChatLength, "the line of chat"))
        case 3: self = .ready(try reader.int(8, in: 0...1, "ready") == 1)
        case 4: self = .leave
        case let kind: throw Malformed("a player's message of the unknown kind \(kind)")
        }
        try reader.finish()
    }
}

/// Why somebody is not let in, or not any longer. Its number stays the same in all versions.
package enum Refusal: UInt8, Sendable, Hashable, CaseIterable, Error {
    case version = 1, code, full, name, tooMany, closed, slow, malformed, silent, draining

    package var words: String {
        switch self {
        case .version: "the host has another version of Skirmish"
        case .code: "the match code is not this host's"
        case .full: "all seats are taken"
        case .name: "somebody there has this name"
        case .tooMany: "too many messages or attempts"
        case .closed: "the host has ended the game"
        case .slow: "the connection is too slow"
        case .malformed: "the host did not understand this game's messages"
        case .silent: "nothing came for five seconds"
        case .draining: "the host ends soon, and lets nobody in any more"
        }
    }
}

/// A seat as everybody sees it.
package struct Seat: Sendable, Hashable {
    package var number: Int
    package var pilot: Int
    package var name: String
    package var isReady: Bool
    package var score: Int
    /// Milliseconds there and back.
    package var ping: Int

    package init(number: Int, pilot: Int, name: String, isReady: Bool = false, score: Int = 0, ping: Int = 0) {
        (self.number, self.pilot, self.name) = (number, pilot, name)
        (self.isReady, self.score, self.ping) = (isReady, score, ping)
    }
}

/// What the host is doing.
package enum Phase: UInt8, Sendable, Hashable { case lobby, playing, over }

/// What the host says to a player.
package enum HostMessage: Sendable, Hashable {
    /// Let in: the seat, the secret by which the player's datagrams are known, and where they go.
    case welcome(seat: Int, token: UInt64, port: UInt16)
    case refused(Refusal, version: UInt16)
    /// Who is there, and which match is on.
    case roster(phase: Phase, match: Int, seats: [Seat])
    /// `seat` 15: the host itself.
    case said(seat: Int, text: String)
    /// The last scores of a match.
    case over(match: Int, total: Int, seats: [Seat])

    package static let host = 15

    package var bytes: [UInt8] {
        var writer = BitWriter()
        switch self {
        case .welcome(let seat, let token, let port):
            writer.put(1, 8)
            writer.put(seat, 8)
            writer.put(token)
            writer.put(UInt32(port), 16)
        case .refused(let refusal, let version):
            writer.put(2, 8)
            writer.put(UInt32(refusal.rawValue), 8)
            writer.put(UInt32(version), 16)
        case .roster(let phase, let match, let seats):
            writer.put(3, 8)
            writer.put(UInt32(phase.rawValue), 8)
            writer.put(match, 16)
            Self.put(seats, &writer)
        case .said(let seat, let text):
            writer.put(4, 8)
            writer.put(seat, 8)
            writer.put(text)
        case .over(let match, let total, let seats):
            writer.put(5, 8)
            writer.put(match, 16)
            writer.put(total, 24)
            Self.put(seats, &writer)
        }
        return writer.finished()
    }

    package init(_ bytes: [UInt8]) throws(Malformed) {
        var reader = BitReader(bytes)
        let seats = 0...(GameProtocol.seats - 1)
        switch try reader.int(8) {
        case 1:
            self = .welcome(
                seat: try reader.int(8, in: seats, "the seat"), token: try reader.long(),
                port: UInt16(try reader.int(16, in: 1...65_535, "the port")))
        case 2:
            let number = UInt8(try reader.take(8))
            guard let refusal = Refusal(rawValue: number) else {
                throw Malformed("a refusal for the unknown reason \(number)")
            }
            self = .refused(refusal, version: UInt16(try reader.take(16)))
        case 3:
            let phase = Phase(rawValue: UInt8(try reader.int(8, in: 0...2, "the phase")))!
            self = .roster(phase: phase, match: try reader.int(16), seats: try Self.seats(&reader))
        case 4:
            self = .said(
                seat: try reader.int(8, in: 0...15, "the speaker's seat"),
                text: try reader.text(limit: GameProtocol.mostChatLength, "the line of chat"))
        case 5: self = .over(match: try reader.int(16), total: try reader.int(24), seats: try Self.seats(&reader))
        case let kind: throw Malformed("a host's message of the unknown kind \(kind)")
        }
        try reader.finish()
    }

    private static func put(_ seats: [Seat], _ writer: inout BitWriter) {
        writer.put(seats.count, 8)
        for seat in seats {
            writer.put(seat.number, 4)
            writer.put(seat.pilot, 3)
            writer.put(seat.isReady)
            writer.put(seat.score, 24)
            writer.put(seat.ping, 16)
            writer.put(seat.name)
        }
    }

    private static func seats(_ reader: inout BitReader) throws(Malformed) -> [Seat] {
        var seats: [Seat] = []
        for _ in 0..<(try reader.int(8, in: 0...GameProtocol.seats, "the number of seats")) {
            var seat = Seat(number: try reader.int(4, in: 0...(GameProtocol.seats - 1), "a seat"), pilot: 0, name: "")
            seat.pilot = try reader.int(3, in: 0...2, "a pilot")
            seat.isReady = try reader.flag()
            seat.score = try reader.int(24)
            seat.ping = try reader.int(16)
            seat.name = try reader.text(limit: GameProtocol.mostNameLength, "a name")
            seats.append(seat)
        }
        return seats
    }
}
