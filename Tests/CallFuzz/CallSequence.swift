// SPDX-License-Identifier: Apache-2.0
// CallSequence: a sequence of calls of the loop's interface, read from bytes.
// Idea:   every string of bytes is some sequence, so that a generator and a fuzzer need no grammar, and cutting bytes out shortens a failure.
// Owner:  a value.

/// One call, or something that happens around the loop.
indirect enum Step {
    case arm(id: Int, milliseconds: Int, [Step])
    case callSoon(id: Int, [Step])
    case post(id: Int, [Step])
    /// From another thread, which has ended when the next step begins. At the top only.
    case postFromElsewhere(id: Int, [Step])
    case cancel(Int)
    /// Ends the callback. In one only.
    case fail
    /// In a callback it runs nothing.
    case tick
    case advance(milliseconds: Int)
    case watch(id: Int)
    case write(Int)
    case cancelWatch(Int)
    case closeReader(Int)
    case task(id: Int, milliseconds: Int)
    case gameTask(id: Int, milliseconds: Int)
    case cancelTask(Int)
    case scene(id: Int, milliseconds: Int)
    case endScene(Int)
    case pause(Bool)
    /// Ticks until nothing is left.
    case settle
    case close
}

/// What the bytes say.
public struct CallSequence: CustomStringConvertible {
    let steps: [Step]

    /// Reads them all; the rest of a step that is cut off is zeros.
    public init(_ bytes: [UInt8]) {
        var reader = Reader(bytes: bytes)
        var steps: [Step] = []
        while !reader.isAtEnd { steps.append(reader.step(depth: 0)) }
        self.steps = steps
    }

    /// One step a line.
    public var description: String { steps.map { "\($0)" }.joined(separator: "\n") }

    private struct Reader {
        let bytes: [UInt8]
        var position = 0
        var nextID = 0

        var isAtEnd: Bool { position >= bytes.count }

        mutating func byte() -> Int {
            guard position < bytes.count else { return 0 }
            defer { position += 1 }
            return Int(bytes[position])
        }

        mutating func id() -> Int {
            defer { nextID += 1 }
            return nextID
        }

        /// Any that has been given out; 0 before the first.
        mutating func knownID() -> Int { byte() % max(1, nextID) }

        mutating func inner(_ depth: Int) -> [Step] {
            guard depth < 3 else { return [] }
            return (0..<[0, 0, 0, 1, 1, 2, 3][byte() % 7]).map { _ in step(depth: depth + 1) }
        }

        mutating func step(depth: Int) -> Step {
            switch byte() % (depth == 0 ? 24 : 15) {
            case 0, 1: .arm(id: id(), milliseconds: byte() % 6, inner(depth))
            case 2, 3: .callSoon(id: id(), inner(depth))
            case 4, 5: .post(id: id(), inner(depth))
            case 6, 7: .cancel(knownID())
            case 8: depth == 0 ? .postFromElsewhere(id: id(), inner(depth)) : .fail
            case 9: .tick
            case 10: .task(id: id(), milliseconds: byte() % 6)
            case 11: .cancelTask(knownID())
            case 12: .endScene(knownID())
            case 13: .pause(byte() % 2 == 0)
            case 14: byte() % 4 == 0 ? .close : .cancelWatch(knownID())
            case 15, 16: .advance(milliseconds: byte() % 8)
            case 17: .settle
            case 18: .watch(id: id())
            case 19: .write(knownID())
            case 20: .closeReader(knownID())
            case 21: .scene(id: id(), milliseconds: byte() % 6)
            case 22: .gameTask(id: id(), milliseconds: byte() % 6)
            default: .tick
            }
        }
    }
}
