// SPDX-License-Identifier: Apache-2.0
// MessageTests: messages with their lengths before them, and datagrams as a sequence.

import Glibc
import TandemTesting
import Testing

@testable import Tandem

/// Counts the turns that a callback gets, which asks for the next one at each.
private final class Turns {
    private(set) var count = 0
    var isOver = false
    private let loop: GuestLoop

    init(_ loop: GuestLoop) {
        self.loop = loop
        turn()
    }

    private func turn() {
        count += 1
        if !isOver { loop.callSoon { [self] in turn() } }
    }
}

extension Core.MessageTests {
    @Test(arguments: LengthPrefix.allCases) func messagesOfAnyBytesArriveWhole(_ prefix: LengthPrefix) throws {
        try onLoop { loop in
            let (one, other) = try UnixStream.pair(on: loop)
            let lengths = [0, 1, 10, 255] + (prefix == .oneByte ? [] : [256, 65_535])
            async let writing: Void = {
                for length in lengths {
                    try await other.write(message: Array(repeating: 10, count: length), prefix: prefix)
                }
                try other.closeWrite()
            }()
            var read: [Int] = []
            for try await message in one.messages(prefix: prefix) {
                #expect(message.allSatisfy { $0 == 10 })
                read.append(message.count)
            }
            try await writing
            #expect(read == lengths)
            let error = try await guestError {
                try await one.write(message: Array(repeating: 0, count: 256), prefix: .oneByte)
            }
            #expect(error.code == .messageTooLong)
        }
    }

    @Test func theLengthHasItsMostSignificantByteFirst() throws {
        try onLoop { loop in
            let (one, other) = try UnixStream.pair(on: loop)
            try await one.write(message: [7, 8], prefix: .fourBytes)
            #expect(try await other.read(exactly: 6) == [0, 0, 0, 2, 7, 8])
            let outbox = try Outbox(one)
            #expect(outbox.send(message: Array(repeating: 9, count: 258), prefix: .twoBytes))
            #expect(try await other.read(exactly: 3) == [1, 2, 9])
        }
    }

    @Test func aMessageThatIsTooLongTakesNothingWithIt() throws {
        try onLoop { loop in
            let (one, other) = try UnixStream.pair(on: loop)
            try await other.write(message: Array("small".utf8))
            try await other.write(message: Array(repeating: 1, count: 3000))
            try await other.write(message: Array("after".utf8))
            // It claims 4 GiB, and the peer is gone.
            try await other.write([0xFF, 0xFF, 0xFF, 0xFF])
            try other.closeWrite()
            var messages = one.messages(maximumLength: 2999).makeAsyncIterator()
            #expect(try await messages.next(isolation: nil) == Array("small".utf8))
            for _ in 0..<2 {
                let error = try await guestError { try await messages.next(isolation: nil) }
                #expect(error.code == .messageTooLong && error.context.contains("3000 bytes; expected at most 2999"))
            }
            var larger = one.messages(maximumLength: 3000).makeAsyncIterator()
            #expect(try await larger.next(isolation: nil)?.count == 3000)
            #expect(try await messages.next(isolation: nil) == Array("after".utf8))
            #expect(try await guestError { try await messages.next(isolation: nil) }.code == .messageTooLong)
            #expect(try await one.read() == [0xFF, 0xFF, 0xFF, 0xFF])
            #expect(try await messages.next(isolation: nil) == nil)
        }
    }

    @Test(arguments: [1, 3, 4, 6]) func aStreamThatEndsWithinAMessageIsAnError(_ count: Int) throws {
        try onLoop { loop in
            let (one, other) = try UnixStream.pair(on: loop)
            try await other.write(Array([0, 0, 0, 3, 1, 2].prefix(count)))
            other.close()
            let error = try await guestError { for try await _ in one.messages() {} }
            #expect(error.code == .socketFailed && error.context.contains("ended after \(count) bytes"))
            #expect(try await one.read().count == count)
        }
    }

    @Test func aMessageThatComesInPiecesSurvivesACancellation() throws {
        try onLoop { loop in
            let (one, other) = try UnixStream.pair(on: loop)
            let whole: [UInt8] = [0, 4, 1, 2, 3, 4]
            for byte in whole {
                let reading = Task(executorPreference: loop) {
                    try await one.messages(prefix: .twoBytes).first { _ in true }
                }
                try await loop.sleep(for: .zero)
                reading.cancel()
                await #expect(throws: CancellationError.self) { try await reading.value }
                try await other.write([byte])
            }
            #expect(try await one.messages(prefix: .twoBytes).first { _ in true } == [1, 2, 3, 4])
        }
    }

    /// A peer that has sent thousands of messages does not keep the thread.
    @Test func aReaderThatFindsOneMessageAfterTheOtherTakesTurns() throws {
        try onLoop { loop in
            let (one, other) = try UnixStream.pair(on: loop)
            try await other.write(Array(repeating: 0, count: 40_000))
            try other.closeWrite()
            let turns = Turns(loop)
            defer { turns.isOver = true }
            var count = 0
            for try await message in one.messages() {
                #expect(message.isEmpty)
                count += 1
            }
            #expect(count == 10_000 && turns.count > 50, "\(turns.count) turns")
        }
    }

    @Test func aLineAndAMessageAreReadOneByOne() throws {
        try onLoop { loop in
            let (one, other) = try UnixStream.pair(on: loop)
            try await one.write("hello\nrest")
            #expect(try await other.readLine() == "hello")
            #expect(try await guestError { try await other.readLine(maximumLength: 3) }.code == .messageTooLong)
            #expect(try await other.read() == Array("rest".utf8))
            try await one.write(message: [1, 2, 3], prefix: .oneByte)
            #expect(try await other.readMessage(prefix: .oneByte) == [1, 2, 3])
            one.close()
            #expect(try await other.readMessage() == nil)
            #expect(try await other.readLine() == nil)
        }
    }

    // MARK: Datagrams

    @Test func datagramsAreASequenceThatEndsWithItsSocket() throws {
        try onLoop { loop in
            let receiver = try UDPSocket(on: loop, at: .loopback(port: 0))
            let sender = try UDPSocket.connected(to: receiver.localAddress, on: loop)
            for text in ["one", "", "a longer one"] { try await sender.send(text) }
            var seen: [String] = []
            for try await datagram in receiver.datagrams(upTo: 5) {
                seen.append(String(decoding: datagram.bytes, as: UTF8.self) + (datagram.isTruncated ? "…" : ""))
                #expect(datagram.sender == sender.localAddress)
                if seen.count == 3 { loop.callLater(.milliseconds(1)) { receiver.close() } }
            }
            #expect(seen == ["one", "", "a lon…"])
            #expect(receiver.port == receiver.localAddress.port && receiver.isClosed)
        }
    }

    @Test func aRefusalIsThrownAndTheSequenceGoesOn() throws {
        try onLoop { loop in
            let deserted = try UDPSocket(on: loop, at: .loopback(port: 0))
            let address = deserted.localAddress
            deserted.close()
            let sender = try UDPSocket.connected(to: address, on: loop)
            try await sender.send("is anybody there?")
            #expect(
                try await guestError { for try await _ in sender.datagrams {} }.errno == .connectionRefused)
            let back = try UDPSocket(on: loop, at: address)
            try await back.send("yes", to: sender.localAddress)
            let answer = try await sender.datagrams.first { _ in true }
            #expect(answer?.bytes == Array("yes".utf8))
        }
    }

    @Test func aReaderOfManyDatagramsTakesTurns() throws {
        try onLoop { loop in
            let receiver = try UDPSocket(on: loop, at: .loopback(port: 0))
            try receiver.set(.receiveBufferSize, to: 2_000_000)
            let sender = try UDPSocket.connected(to: receiver.localAddress, on: loop)
            for _ in 0..<1000 { try await sender.send("x") }
            let turns = Turns(loop)
            defer { turns.isOver = true }
            var count = 0
            for try await _ in receiver.datagrams {
                count += 1
                if count == 1000 { break }
            }
            #expect(turns.count > 5, "\(turns.count) turns")
        }
    }

    @Test func aCancelledTaskSendsALastDatagram() throws {
        try onLoop { loop in
            let receiver = try UDPSocket(on: loop, at: .loopback(port: 0))
            let sender = try UDPSocket(on: loop, at: .loopback(port: 0))
            let target = receiver.localAddress
            let leaving = Task(executorPreference: loop) {
                try? await loop.sleep(for: .seconds(100))
                await #expect(throws: CancellationError.self) { try await sender.send("goodbye", to: target) }
                let isSent = try sender.sendNow("goodbye", to: target)
                #expect(isSent)
            }
            try await loop.sleep(for: .zero)
            leaving.cancel()
            try await leaving.value
            #expect(try await receiver.receive().bytes == Array("goodbye".utf8))
            sender.close()
            #expect(try await guestError { try sender.sendNow("x", to: target) }.code == .socketClosed)
        }
    }
}
