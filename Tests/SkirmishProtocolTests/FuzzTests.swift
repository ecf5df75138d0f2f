// SPDX-License-Identifier: Apache-2.0
// FuzzTests: a million messages with something wrong in each, the same million at every run: each is refused with a reason or read as
// something that the protocol can say, and nothing traps, hangs or grows.

import MessageFuzz
import SkirmishRules
import Testing

@testable import SkirmishProtocol

@Suite struct FuzzTests {
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
    ///
    /// - Parameter fresh: Each is read by one that knows nothing of those before it.
    private func read(_ count: Int, seed: UInt64, _ reader: MessageFuzz.Reader, fresh: Bool = false) -> Int {
        var mutator = Mutator(chance: Generator(seed: seed))
        let originals = MessageFuzz.originals(reader)
        let start = MessageFuzz(reader)
        var fuzz = start
        var accepted = 0
        for _ in 0..<count {
            do {
                try fuzz.read(mutator.mutated(originals[mutator.below(originals.count)]))
                accepted += 1
            } catch let error as Malformed {
                if error.description.isEmpty { Issue.record("a refusal without a reason") }
            } catch {
                Issue.record("\(error)")
            }
            if fresh { fuzz = start }
        }
        return accepted
    }

    @Test func threeHundredThousandMessagesOfAPlayer() {
        let accepted = read(300_000, seed: 1, .hostOverTCP)
        #expect((1000..<299_000).contains(accepted), "\(accepted)")
    }

    @Test func twoHundredThousandMessagesOfAHost() {
        let accepted = read(200_000, seed: 2, .playerOverTCP)
        #expect((1000..<199_000).contains(accepted), "\(accepted)")
    }

    @Test func threeHundredThousandDatagramsToAHost() {
        let accepted = read(300_000, seed: 3, .hostOverUDP)
        #expect((1000..<299_000).contains(accepted), "\(accepted)")
    }

    @Test func twoHundredThousandDatagramsToAPlayer() {
        let accepted = read(200_000, seed: 4, .playerOverUDP, fresh: true)
        #expect((1000..<199_000).contains(accepted), "\(accepted)")
    }

    @Test(arguments: MessageFuzz.Reader.allCases) func sequencesInBytesReadTheMessagesInThem(
        _ reader: MessageFuzz.Reader
    ) {
        let originals = MessageFuzz.originals(reader)
        var fuzz = MessageFuzz(reader)
        for original in originals { #expect(throws: Never.self) { try fuzz.read(original) } }
        #expect(MessageFuzz.play(MessageFuzz.sequence(reader, originals)) == nil)
        #expect(MessageFuzz.play([]) == nil)
        #expect(MessageFuzz.play([reader.rawValue, 255, 255, 1]) == nil)
    }
}
