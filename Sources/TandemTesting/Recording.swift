// SPDX-License-Identifier: Apache-2.0
// Recording: a run in a file: what the clock said, what came from outside, and what ran, in its order.
//
//   "TANDEMRUN", the version, then the length of the notes and the notes, as JSON; then, until `end`, one step after the other:
//   a byte that says which, and its numbers (unsigned, seven bits a byte, the lowest first).
//
// Owner:  nobody; a value.

import Foundation
import Tandem

/// A recorded run, as read from its file.
public struct Recording: Sendable {
    /// What cannot be read or replayed.
    public struct Failure: Error, Sendable, CustomStringConvertible {
        /// What was wrong, and what to do.
        public let description: String
    }

    static let magic = Array("TANDEMRUN".utf8)
    static let version: UInt8 = 1

    /// What the program noted when the recording began: its seed and options, as it likes.
    public let notes: [String: String]
    /// How many frames were recorded.
    public let frames: Int
    let steps: [Step]
    /// The kinds of work, by the numbers in `steps`.
    let works: [String]

    /// One step of a run.
    enum Step: Equatable {
        /// A frame or a tick began, at so many nanoseconds since the recording's beginning.
        case frame(Int64)
        case tick(Int64)
        /// A tick within a frame found nothing to do.
        case emptyTick
        case input([UInt8])
        /// A `Task.sleep` began, for so many nanoseconds.
        case sleep(Int64)
        case work(Int)
        /// The budget of a tick was found to be spent, after a piece of work or at the look before a pass.
        case spent(isLook: Bool)
    }

    enum Code: UInt8 { case end, frame, tick, emptyTick, input, work, name, spent, spentAtLook, sleep }

    /// Reads a recording.
    ///
    /// - Parameters:
    ///   - file: Its path.
    ///   - allowsCut: Takes a file that ends in the middle, as that of a program that crashed, up to there.
    /// - Throws: ``Failure`` if the file cannot be read, is no recording, is of a newer version, is cut or damaged.
    public init(contentsOf file: String, allowsCut: Bool = false) throws(Failure) {
        let data: Data
        do { data = try Data(contentsOf: URL(fileURLWithPath: file)) } catch {
            throw Failure(description: "cannot read the recording \(file): \(error.localizedDescription)")
        }
        try self.init(bytes: [UInt8](data), name: file, allowsCut: allowsCut)
    }

    init(bytes: [UInt8], name: String, allowsCut: Bool = false) throws(Failure) {
        guard bytes.starts(with: Self.magic), bytes.count > Self.magic.count else {
            throw Failure(description: "\(name) is no recording of a run: it does not begin as one")
        }
        let version = bytes[Self.magic.count]
        guard version == Self.version else {
            throw Failure(
                description:
                    "\(name) is a recording of version \(version), this program reads version \(Self.version); replay it with the program that made it"
            )
        }
        var reader = Reader(bytes: bytes, position: Self.magic.count + 1)
        var steps: [Step] = []
        var works: [String] = []
        var time: Int64 = 0
        var hasEnded = false
        do throws(Reader.Cut) {
            let notes = try reader.block()
            self.notes = (try? JSONDecoder().decode([String: String].self, from: Data(notes))) ?? [:]
        } catch { throw Self.cut(name, at: 0) }
        do throws(Reader.Cut) {
            while !hasEnded {
                let code = try reader.byte()
                switch Code(rawValue: code) {
                case .end: hasEnded = true
                case .frame:
                    time += Int64(truncatingIfNeeded: try reader.number())
                    steps.append(.frame(time))
                case .tick:
                    time += Int64(truncatingIfNeeded: try reader.number())
                    steps.append(.tick(time))
                case .emptyTick: steps.append(.emptyTick)
                case .input: steps.append(.input(try reader.block()))
                case .work: steps.append(.work(Int(truncatingIfNeeded: try reader.number())))
                case .name: works.append(String(decoding: try reader.block(), as: UTF8.self))
                case .sleep: steps.append(.sleep(Int64(truncatingIfNeeded: try reader.number())))
                case .spent: steps.append(.spent(isLook: false))
                case .spentAtLook: steps.append(.spent(isLook: true))
                case nil: throw Reader.Cut(code: code)
                }
            }
        } catch {
            if let code = error.code {
                throw Failure(
                    description:
                        "\(name) is damaged: step \(steps.count) has the unknown code \(code) at byte \(reader.position - 1)"
                )
            }
            if !allowsCut { throw Self.cut(name, at: steps.count) }
        }
        for case .work(let number) in steps where !works.indices.contains(number) {
            throw Failure(description: "\(name) is damaged: it refers to work \(number) of \(works.count)")
        }
        self.steps = steps
        self.works = works
        frames = steps.reduce(0) { if case .frame = $1 { $0 + 1 } else { $0 } }
    }

    private static func cut(_ name: String, at step: Int) -> Failure {
        Failure(
            description:
                "\(name) is cut off after step \(step): its program did not finish the recording, or the file was not copied whole"
        )
    }
}

/// Reads numbers and bytes.
private struct Reader {
    /// The end came too early, or a code is unknown.
    struct Cut: Error { var code: UInt8? }

    let bytes: [UInt8]
    var position: Int

    mutating func byte() throws(Cut) -> UInt8 {
        guard position < bytes.count else { throw Cut() }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func number() throws(Cut) -> UInt64 {
        var result: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            let byte = try byte()
            result |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return result }
        }
        return result
    }

    mutating func block() throws(Cut) -> [UInt8] {
        let count = try number()
        guard count <= UInt64(bytes.count - position) else { throw Cut() }
        defer { position += Int(count) }
        return Array(bytes[position..<position + Int(count)])
    }
}

/// How a recording names a piece of work. Lines move when a program is edited, so that only the file is compared.
extension RecordedWork {
    var name: String { site.map { "\(kind) \($0)" } ?? "\(kind)" }
    static func withoutLine(_ name: String) -> Substring { name.prefix { $0 != ":" } }
}
