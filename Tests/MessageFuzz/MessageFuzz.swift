// SPDX-License-Identifier: Apache-2.0
// MessageFuzz: reads what a peer may have sent, as Skirmish's host and players read it, and checks what was read.
// Idea:   whatever the bytes are, they are refused with a reason, or they are something that the protocol can say: written again, it reads the same,
//         and it is within the rules' bounds. A trap or an endless loop ends the process, which the fuzzer notices.
// Owner:  a value; one for each sequence of messages.

import SkirmishProtocol
import SkirmishRules

package struct MessageFuzz: Sendable {
    /// Who reads: each of the four ways on which something comes from the network.
    package enum Reader: UInt8, CaseIterable, Sendable {
        case hostOverTCP, playerOverTCP, hostOverUDP, playerOverUDP
    }

    /// Something was read that the protocol cannot say.
    package struct Unsound: Error, CustomStringConvertible {
        package let description: String
    }

    private let reader: Reader
    private var inputs = InputQueue()
    private var snapshots: SnapshotReceiver

    package init(_ reader: Reader) {
        self.reader = reader
        snapshots = Originals.shared.receiver
    }

    /// Reads one message.
    ///
    /// - Throws: `Malformed`: it is refused; ``Unsound``: a fault of ours.
    package mutating func read(_ bytes: [UInt8]) throws {
        switch reader {
        case .hostOverTCP:
            let message = try ClientMessage(bytes)
            if case .hello(let version, _, _) = message, version != GameProtocol.version { return }
            try require(try ClientMessage(message.bytes) == message, "\(message) was read")
        case .playerOverTCP:
            let message = try HostMessage(bytes)
            try require(try HostMessage(message.bytes) == message, "\(message) was read")
        case .hostOverUDP:
            if (try? Discovery.nonce(ofQuestion: bytes)) != nil { return }
            guard case .inputs(_, let read) = try ClientDatagram(bytes) else { return }
            inputs.add(read.wishes, first: read.first)
            let intent = inputs.next()
            try require(intent.thrust.length <= 1 + 1e-9 && inputs.count <= 10, "\(intent), \(inputs.count) waiting")
        case .playerOverUDP:
            if (try? Discovery.Answer(bytes)) != nil { return }
            guard case .snapshot(_, var rest) = try HostDatagram(bytes) else { return }
            guard let (_, snapshot) = try snapshots.read(&rest) else { return }
            let isBounded = snapshot.drones.count <= World.mostDrones && snapshot.shots.count <= World.mostShots
            try require(isBounded && snapshot.cells.count <= World.mostCells && snapshot.ships.count == 8, "too much")
        }
    }

    private func require(_ holds: Bool, _ what: @autoclosure () -> String) throws {
        if !holds { throw Unsound(description: what()) }
    }
}

// MARK: - Sequences in bytes, for libFuzzer

extension MessageFuzz {
    /// A byte for the reader; then messages, each with two bytes of length before it. Returns what is wrong.
    package static func play(_ bytes: [UInt8]) -> String? {
        guard let first = bytes.first else { return nil }
        let readers = Reader.allCases
        var fuzz = MessageFuzz(readers[Int(first) % readers.count])
        var rest = bytes.dropFirst()
        while rest.count > 2 {
            // Nothing longer comes in: connections and sockets cut it off before.
            let length = min(Int(rest.removeFirst()) << 8 | Int(rest.removeFirst()), GameProtocol.mostDatagramBytes)
            do { try fuzz.read(Array(rest.prefix(length))) } catch let refusal as Malformed {
                if refusal.description.isEmpty { return "a refusal without a reason" }
                // A connection ends with its first bad message; datagrams go on.
                if fuzz.reader == .hostOverTCP || fuzz.reader == .playerOverTCP { return nil }
            } catch {
                return "\(error)"
            }
            rest = rest.dropFirst(length)
        }
        return nil
    }

    /// The form that ``play(_:)`` reads.
    package static func sequence(_ reader: Reader, _ messages: [[UInt8]]) -> [UInt8] {
        [reader.rawValue] + messages.flatMap { [UInt8($0.count >> 8), UInt8($0.count & 255)] + $0 }
    }
}
