// SPDX-License-Identifier: Apache-2.0
// FuzzTests: a million messages with something wrong in each, the same million at every run: each is refused with a reason or read as
// something that the protocol can say, and nothing traps, hangs or grows.

import SkirmishRules
import Testing

@testable import SkirmishProtocol

@Suite struct FuzzTests {
    /// `#expect` by the hundred thousand would take longer than what it looks at.
    private func require(_ holds: Bool, _ what: String) {
        if !holds { Issue.record("\(what)") }
    }

    /// Changes a message as a careless or hostile peer would.
    private struct Mutator {
        var chance: Generator

        mutating func below(_ limit: Int) -> Int { Int(chance.next() % UInt64(limit)) }

        mutating func mutated(_ bytes: [UInt8]) -> [UInt8] {
            var bytes = bytes
            for _ in 0...below(3) {
                switch below(7) {
                case 0 where !bytes.isEmpty: bytes[below(bytes.count)] ^= 1 << UInt8(below(8))
                case 1 where !bytes.isEmpty: bytes[below(bytes.count)] = [0, 1, 127, 128, 255][below(5)]
                case 2: bytes.removeLast(below(bytes.count + 1))
                case 3: bytes.append(contentsOf: (0...below(8)).map { _ in UInt8(truncatingIfNeeded: chance.next()) })
                case 4 where !bytes.isEmpty:
                    bytes.insert(UInt8(truncatingIfNeeded: chance.next()), at: below(bytes.count))
                case 5 where bytes.count > 1: bytes.swapAt(below(bytes.count), below(bytes.count))
                case 6 where !bytes.isEmpty:
                    let from = below(bytes.count)
                    bytes += bytes[from...].prefix(64)
                default: break
                }
            }
            return bytes
        }
    }

    /// Reads so many changed messages; returns how many were read as something.
    private func read(_ count: Int, seed: UInt64, _ originals: [[UInt8]], _ body: ([UInt8]) throws -> Void) -> Int {
        var mutator = Mutator(chance: Generator(seed: seed))
        var accepted = 0
        for _ in 0..<count {
            do {
                try body(mutator.mutated(originals[mutator.below(originals.count)]))
                accepted += 1
            } catch let error as Malformed {
                if error.description.isEmpty { Issue.record("a refusal without a reason") }
            } catch {
                Issue.record("\(error)")
            }
        }
        return accepted
    }

    @Test func threeHundredThousandMessagesOfAPlayer() {
        let originals = samples.compactMap { if case .client(let message) = $0 { message.bytes } else { nil } }
        let accepted = read(300_000, seed: 1, originals) { bytes in
            let message = try ClientMessage(bytes)
            if case .hello(let version, _, _) = message, version != GameProtocol.version { return }
            require(try ClientMessage(message.bytes) == message, "\(message) was read")
        }
        #expect((1000..<299_000).contains(accepted), "\(accepted)")
    }

    @Test func twoHundredThousandMessagesOfAHost() {
        let originals = samples.compactMap { if case .host(let message) = $0 { message.bytes } else { nil } }
        let accepted = read(200_000, seed: 2, originals) { bytes in
            let message = try HostMessage(bytes)
            require(try HostMessage(message.bytes) == message, "\(message) was read")
        }
        #expect((1000..<199_000).contains(accepted), "\(accepted)")
    }

    @Test func threeHundredThousandDatagramsToAHost() {
        let originals =
            samples.compactMap { if case .datagram(let datagram) = $0 { datagram.bytes } else { nil } }
            + [Discovery.question(nonce: 1)]
        var queue = InputQueue()
        let accepted = read(300_000, seed: 3, originals) { bytes in
            if (try? Discovery.nonce(ofQuestion: bytes)) != nil { return }
            guard case .inputs(_, let inputs) = try ClientDatagram(bytes) else { return }
            queue.add(inputs.wishes, first: inputs.first)
            let intent = queue.next()
            require(intent.thrust.length <= 1 + 1e-9 && queue.count <= 10, "\(intent), \(queue.count) waiting")
        }
        #expect((1000..<299_000).contains(accepted), "\(accepted)")
    }

    @Test func twoHundredThousandDatagramsToAPlayer() {
        var match = BusyMatch()
        var sender = SnapshotSender()
        var receiver = SnapshotReceiver()
        var originals = [
            HostDatagram.challenge(secret: 7, nonce: 9),
            Discovery.Answer(nonce: 1, version: 1, port: 2, people: 3, needsCode: false, name: "x").bytes,
        ]
        let head = HostDatagram.Head(secret: 7, match: 1, stamp: 2, held: 3, carriedOut: 4, waiting: 5)
        for step in 0..<240 {
            match.step()
            guard step % 2 == 0, step > 180 else { continue }
            originals.append(HostDatagram.snapshot(head, match.snapshot(), by: &sender))
            sender.acknowledge(sender.lastSent!.sequence)
        }
        // The player has some of them; the changed ones refer to those.
        for datagram in originals.prefix(12) {
            guard case .snapshot(_, var reader)? = try? HostDatagram(datagram) else { continue }
            _ = try? receiver.read(&reader)
        }
        let start = receiver
        let accepted = read(200_000, seed: 4, originals) { bytes in
            if (try? Discovery.Answer(bytes)) != nil { return }
            guard case .snapshot(_, var reader) = try HostDatagram(bytes) else { return }
            receiver = start
            guard let (_, snapshot) = try receiver.read(&reader) else { return }
            let isBounded = snapshot.drones.count <= World.mostDrones && snapshot.shots.count <= World.mostShots
            require(isBounded && snapshot.cells.count <= World.mostCells && snapshot.ships.count == 8, "too much")
        }
        #expect((1000..<199_000).contains(accepted), "\(accepted)")
    }
}
