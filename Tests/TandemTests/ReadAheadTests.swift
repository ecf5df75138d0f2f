// SPDX-License-Identifier: Apache-2.0
// ReadAheadTests: bytes belong to their stream until they are given out. Behaviour 58, 59, 66.

import Glibc
import TandemTesting
import Testing

@testable import Tandem

extension Core {
    @Suite struct ReadAheadTests {
        // MARK: Cutting

        private func lines(of pieces: [String], maximumLength: Int = 100) throws -> [String] {
            var readAhead = ReadAhead()
            var lines: [String] = []
            for piece in pieces {
                readAhead.append(Array(piece.utf8))
                while let line = try readAhead.line(maximumLength: maximumLength) { lines.append(line) }
            }
            if let rest = try readAhead.rest(maximumLength: maximumLength) { lines.append(rest) }
            return lines
        }

        @Test func linesAreTheSameHoweverTheyWereCutOnTheWay() throws {
            let text = "one\n\ntwo\r\n\r\nthr\ree\nfour"
            let expected = ["one", "", "two", "", "thr\ree", "four"]
            #expect(try lines(of: [text]) == expected)
            #expect(try lines(of: text.utf8.map { String(UnicodeScalar($0)) }) == expected)
            for cut in 1..<text.utf8.count {
                let bytes = Array(text.utf8)
                let pieces = [bytes[..<cut], bytes[cut...]].map { String(decoding: $0, as: UTF8.self) }
                #expect(try lines(of: pieces) == expected)
            }
            #expect(try lines(of: []) == [])
            #expect(try lines(of: ["\n"]) == [""])
        }

        @Test func aLineMayBeAsLongAsItsLimitAndNoByteLonger() throws {
            for end in ["\n", "\r\n"] {
                #expect(try lines(of: ["12345\(end)"], maximumLength: 5) == ["12345"])
                #expect(try lines(of: ["12345", end], maximumLength: 5) == ["12345"])
                #expect(try lines(of: [end], maximumLength: 0) == [""])
                #expect(throws: GuestError.self) { try lines(of: ["x\(end)"], maximumLength: 0) }
            }
            #expect(try lines(of: ["12345\r", "\n"], maximumLength: 5) == ["12345"])
            #expect(try lines(of: ["12345"], maximumLength: 5) == ["12345"])
            for text in ["123456", "123456\n", "123456\r\n", "12345\r6\n", "12345\r", "123456789"] {
                let error = #expect(throws: GuestError.self) { try lines(of: [text], maximumLength: 5) }
                #expect(error?.code == .messageTooLong)
            }
            #expect(try lines(of: ["12345\n", "67\r\n8"], maximumLength: .max) == ["12345", "67", "8"])
        }

        @Test func bytesAreTakenInTheirOrderInWhateverPieces() {
            var generator = SystemRandomNumberGenerator()
            for _ in 0..<200 {
                var readAhead = ReadAhead()
                var (given, taken): ([UInt8], [UInt8]) = ([], [])
                for _ in 0..<50 {
                    switch Int.random(in: 0..<3, using: &generator) {
                    case 0:
                        let more = (0..<Int.random(in: 1...9, using: &generator)).map { UInt8(given.count &+ $0 & 255) }
                        given += more
                        readAhead.append(more)
                    case 1: taken += readAhead.take(upTo: Int.random(in: 0...9, using: &generator))
                    default:
                        var memory = [UInt8](repeating: 0, count: Int.random(in: 0...9, using: &generator))
                        let moved = memory.withUnsafeMutableBytes { readAhead.move(into: $0) }
                        taken += memory[..<moved]
                    }
                    #expect(readAhead.count == given.count - taken.count)
                }
                taken += readAhead.take(upTo: .max)
                #expect(taken == given)
                #expect(readAhead.isEmpty)
            }
        }

        // MARK: Streams

        @Test func leavingTheLinesOfAStreamLosesNothing() throws {
            try onLoop { loop in
                let (one, other) = try UnixStream.pair(on: loop)
                try await other.write("a\nb\nc\nd\nefghijkl\nm\n")
                for try await line in one.lines {
                    #expect(line == "a")
                    break
                }
                for try await line in one.lines {
                    #expect(line == "b")
                    break
                }
                var chunks = one.chunks(upTo: 2).makeAsyncIterator()
                #expect(try await chunks.next(isolation: nil) == Array("c\n".utf8))
                #expect(try await one.read(upTo: 2) == Array("d\n".utf8))
                #expect(try await one.read(exactly: 2) == Array("ef".utf8))
                var memory = [UInt8](repeating: 0, count: 2)
                var span = memory.mutableSpan
                var buffer = span.mutableBytes
                #expect(try await one.read(into: &buffer) == 2)
                #expect(memory == Array("gh".utf8))
                let raw = UnsafeMutableRawBufferPointer.allocate(byteCount: 2, alignment: 1)
                defer { raw.deallocate() }
                #expect(try await one.read(into: raw) == 2)
                #expect(Array(raw) == Array("ij".utf8))
                var output = OutputRawSpan(buffer: raw, initializedCount: 0)
                #expect(try await one.read(into: &output) == 2)
                #expect(output.finalize(for: raw) == 2)
                #expect(Array(raw) == Array("kl".utf8))
                try other.closeWrite()
                var rest: [String] = []
                for try await line in one.lines { rest.append(line) }
                #expect(rest == ["", "m"])
                #expect(try await one.read() == [])
            }
        }

        @Test func aLineThatIsTooLongStaysInTheStream() throws {
            try onLoop { loop in
                let (one, other) = try UnixStream.pair(on: loop)
                try await other.write("12345\n123456\n")
                var lines = one.lines(maximumLength: 5).makeAsyncIterator()
                #expect(try await lines.next(isolation: nil) == "12345")
                for _ in 0..<2 {
                    let error = try await guestError { try await lines.next(isolation: nil) }
                    #expect(error.code == .messageTooLong)
                }
                var larger = one.lines(maximumLength: .max).makeAsyncIterator()
                #expect(try await larger.next(isolation: nil) == "123456")
            }
        }

        @Test func anExactReadThatIsCutOffLosesNothing() throws {
            try onLoop { loop in
                let (one, other) = try UnixStream.pair(on: loop)
                for round in 0..<3 {
                    for part in ["ab", "cd"] {
                        try await other.write(part)
                        await #expect(throws: TimeoutError.self) {
                            try await withTimeout(.milliseconds(1), clock: loop.clock) {
                                try await one.read(exactly: 10)
                            }
                        }
                    }
                    let reading = Task(executorPreference: loop) { try await one.read(exactly: 10) }
                    while loop.statistics.registrations == 0 { try await loop.sleep(for: .zero) }
                    reading.cancel()
                    await #expect(throws: CancellationError.self) { try await reading.value }
                    try await other.write("efghij\nx\n")
                    #expect(try await one.read(exactly: round == 0 ? 10 : 5).first == UInt8(ascii: "a"))
                    let expected = ["", "fghij", "fghij"][round]
                    var lines = one.lines.makeAsyncIterator()
                    #expect(try await lines.next(isolation: nil) == expected)
                    #expect(try await lines.next(isolation: nil) == "x")
                }
            }
        }

        @Test func aStreamThatEndsTooEarlyGivesWhatHasCome() throws {
            try onLoop { loop in
                let (one, other) = try UnixStream.pair(on: loop)
                try await other.write("abc")
                other.close()
                let error = try await guestError { try await one.read(exactly: 10) }
                #expect(error.context.contains("after 3 bytes of 10"))
                #expect(try await one.read() == Array("abc".utf8))
                #expect(try await one.read() == [])
            }
        }

        @Test func whatWasReadAheadIsNotReadFromAClosedStream() throws {
            try onLoop { loop in
                let (one, other) = try UnixStream.pair(on: loop)
                try await other.write("a\nb\n")
                var lines = one.lines.makeAsyncIterator()
                #expect(try await lines.next(isolation: nil) == "a")
                one.close()
                #expect(try await guestError { try await lines.next(isolation: nil) }.code == .socketClosed)
                #expect(try await guestError { try await one.read() }.code == .socketClosed)
                #expect(try await guestError { try await one.read(exactly: 1) }.code == .socketClosed)
            }
        }

        // MARK: Lengths that a peer claims

        @Test func aLengthThatAPeerClaimsReservesNothing() throws {
            try onLoop { loop in
                let (one, other) = try UnixStream.pair(on: loop)
                try await other.write("abc")
                for count in [1 << 40, Int.max] {
                    await #expect(throws: TimeoutError.self) {
                        try await withTimeout(.milliseconds(1), clock: loop.clock) {
                            try await one.read(exactly: count)
                        }
                    }
                }
                for (count, limit) in [(-1, Int.max), (4, 3), (1 << 40, 1 << 20)] {
                    let error = try await guestError { try await one.read(exactly: count, limit: limit) }
                    #expect(error.code == .messageTooLong)
                    #expect(error.context.contains("\(count) bytes; expected 0 to \(limit)"))
                }
                #expect(try await one.read(exactly: 0, limit: 0) == [])
                #expect(try await one.read(exactly: 3, limit: 3) == Array("abc".utf8))
            }
        }

        @Test func aLongMessageArrivesWhole() throws {
            try onLoop { loop in
                let (one, other) = try UnixStream.pair(on: loop)
                let sent = distinctBytes(3_000_000)
                async let writing: Void = other.write(sent)
                #expect(try await one.read(exactly: 1) == [sent[0]])
                #expect(try await one.read(exactly: 2_999_998) == Array(sent[1..<2_999_999]))
                #expect(try await one.read(exactly: 1) == [sent[2_999_999]])
                try await writing
            }
        }
    }
}
