// SPDX-License-Identifier: Apache-2.0
// OutboxTests: one writer, a bound, and a last word.

import Glibc
import TandemTesting
import Testing

@testable import Tandem

/// A Unix pair whose kernel buffers are small, so that a peer who does not read is noticed soon.
private func narrowPair(_ loop: GuestLoop) throws -> (UnixStream, UnixStream) {
    let (one, other) = try UnixStream.pair(on: loop)
    try one.set(.sendBufferSize, to: 4096)
    return (one, other)
}

/// A message of 1,000 bytes that says its number.
private func message(_ number: Int) -> String {
    let text = "message \(number) "
    return text + String(repeating: "x", count: 999 - text.utf8.count) + "\n"
}

private func number(of line: String) -> Int? {
    line.hasPrefix("message ") ? Int(line.split(separator: " ")[1]) : nil
}

extension Core.OutboxTests {
    // MARK: The messages alone

    @Test func theOldestGiveWayButNeverOneThatHasBegun() throws {
        var messages = OutgoingMessages()
        for letter in ["aaaa", "bbbb", "cccc"] { messages.append(Array(letter.utf8)) }
        var written: [UInt8] = []
        func write(_ count: Int) throws {
            _ = try messages.writeNext { bytes throws(GuestError) in
                written += bytes.prefix(count)
                return min(count, bytes.count)
            }
        }
        try write(2)
        #expect(messages.byteCount == 10 && messages.cost == 12 + 3 * OutgoingMessages.overhead)
        let hasDropped = messages.dropOldest()
        #expect(hasDropped)
        #expect(messages.byteCount == 6 && !messages.isBetweenMessages)
        #expect(!messages.hasLeft(1) && !messages.hasLeft(2))
        // Over the end of one message and into the next: both are offered together.
        try write(3)
        #expect(String(decoding: written, as: UTF8.self) == "aaaac")
        #expect(messages.hasLeft(2) && !messages.hasLeft(3))
        let dropsWhatHasBegun = messages.dropOldest()
        #expect(!dropsWhatHasBegun)
        messages.insertNext(Array("?".utf8))
        messages.append(Array("dddd".utf8))
        try write(100)
        #expect(String(decoding: written, as: UTF8.self) == "aaaacccc?dddd")
        #expect(messages.isEmpty && messages.cost == 0 && messages.byteCount == 0 && messages.hasLeft(4))
        for _ in 0..<50 { messages.append([UInt8](repeating: 7, count: 1000)) }
        let atOnce = try messages.writeNext { _ throws(GuestError) in nil }
        let removed = messages.removeAll()
        #expect(atOnce == nil && removed == 50 && messages.isEmpty && messages.cost == 0)
    }

    // MARK: Order and bounds

    @Test func everythingArrivesInOrderHoweverSlowThePeerIs() throws {
        try onLoop { loop in
            let (one, other) = try narrowPair(loop)
            let outbox = try Outbox(one, capacity: 1_000_000)
            for number in 0..<500 { #expect(outbox.send(message(number))) }
            #expect(outbox.byteCount > 100_000 && outbox.dropped == 0)
            async let flushing: Void = outbox.flush()
            var expected = 0
            for try await line in other.lines() {
                #expect(number(of: line) == expected)
                expected += 1
                if expected == 500 { break }
            }
            try await flushing
            #expect(outbox.byteCount == 0 && outbox.failure == nil)
            // The writer has gone to rest, and wakes up again.
            outbox.send(message(500))
            #expect(number(of: try #require(try await other.lines().first { _ in true })) == 500)
            try await outbox.flush()
        }
    }

    @Test func aFullOutboxRefusesAndCounts() throws {
        try onLoop { loop in
            let (one, other) = try narrowPair(loop)
            let outbox = try Outbox(one, capacity: 10_320)
            var taken = 0
            while outbox.send(message(taken)) { taken += 1 }
            #expect(taken >= 10 && taken < 1000, "\(taken)")
            #expect(outbox.byteCount <= 10_320)
            #expect(!outbox.send([UInt8](repeating: 1, count: 20_000)))
            #expect(!outbox.send(message: [UInt8](repeating: 1, count: 300), prefix: .oneByte))
            #expect(outbox.dropped == 3 && outbox.isOpen && outbox.failure == nil)
            outbox.finish()
            #expect(!outbox.send("late"))
            var read = 0
            for try await line in other.lines() {
                #expect(number(of: line) == read)
                read += 1
            }
            #expect(read == taken)
        }
    }

    @Test func theOldestGiveWayAndThePeerIsToldHowMany() throws {
        try onLoop { loop in
            let (one, other) = try narrowPair(loop)
            let outbox = try Outbox(one, capacity: 10_320, whenFull: .dropOldest { "missed \($0)\n" })
            for number in 0..<400 { #expect(outbox.send(message(number))) }
            #expect(outbox.byteCount <= 11_000)
            let dropped = outbox.dropped
            #expect(dropped > 100)
            outbox.finish()
            var (next, missed, notices) = (0, 0, 0)
            for try await line in other.lines() {
                if let number = number(of: line) {
                    #expect(number == next)
                    next = number + 1
                } else {
                    let count = try #require(Int(line.dropFirst("missed ".count)))
                    (missed, next, notices) = (missed + count, next + count, notices + 1)
                }
            }
            #expect(next == 400 && missed == dropped && notices == 1)
        }
    }

    @Test func aPeerThatReadsTooSlowlyIsDisconnectedWhereThatIsAskedFor() throws {
        try onLoop { loop in
            let (one, other) = try narrowPair(loop)
            defer { withExtendedLifetime(other) {} }
            let outbox = try Outbox(one, capacity: 5000, whenFull: .disconnect)
            let reading = Task(executorPreference: loop) { try await one.read() }
            try await loop.sleep(for: .zero)
            var sent = 0
            while outbox.send(message(sent)) { sent += 1 }
            #expect(outbox.failure?.code == .peerUnresponsive)
            #expect(outbox.byteCount == 0 && outbox.dropped > 0 && !outbox.isOpen)
            #expect(try await guestError { try await reading.value }.code == .socketClosed)
            #expect(try await guestError { try await outbox.flush() }.code == .peerUnresponsive)
        }
    }

    @Test func anOutboxIsTheOnlyWriterOfItsStream() throws {
        try onLoop { loop in
            let (one, other) = try UnixStream.pair(on: loop)
            do {
                let outbox = try Outbox(one)
                #expect(try await guestError { try await one.write("x") }.code == .alreadyRegistered)
                #expect(try await guestError { try Outbox(one) }.code == .alreadyRegistered)
                #expect(outbox.send("hello\n"))
            }
            // It has gone, and nothing was left in it.
            try await one.write("again\n")
            #expect(try await other.read() == Array("hello\nagain\n".utf8))
            one.close()
            #expect(try await guestError { try Outbox(one) }.code == .socketClosed)
        }
    }

    @Test func aPeerThatHasGoneIsTheOutboxesFailure() throws {
        try onLoop { loop in
            let (client, server) = try await tcpPair(loop)
            let outbox = try Outbox(server, capacity: 10_000_000)
            while outbox.byteCount == 0 { outbox.send(message(0)) }
            async let flushing = guestError { try await outbox.flush() }
            try await loop.sleep(for: .zero)
            client.abort()
            let error = try await flushing
            #expect(error.code == .socketFailed && error.errno != nil)
            #expect(outbox.failure == error && !outbox.send("x") && !server.isClosed)
            outbox.finish()
            #expect(server.isClosed)
        }
    }

    @Test func aFlushThatIsCancelledLeavesTheMessages() throws {
        try onLoop { loop in
            let (one, other) = try narrowPair(loop)
            let outbox = try Outbox(one, capacity: 1_000_000)
            for number in 0..<100 { outbox.send(message(number)) }
            let flushing = Task(executorPreference: loop) { try await outbox.flush() }
            try await loop.sleep(for: .zero)
            flushing.cancel()
            await #expect(throws: CancellationError.self) { try await flushing.value }
            outbox.finish()
            var count = 0
            for try await _ in other.lines() { count += 1 }
            #expect(count == 100)
        }
    }

    // MARK: The last word

    /// The stream has bytes that nobody has read: closed as it is, it would be reset, and the goodbye lost.
    @Test func aCancelledTaskSaysGoodbye() throws {
        try onLoop { loop in
            let (client, server) = try await tcpPair(loop)
            try await client.write("unread")
            let serving = Task(executorPreference: loop) {
                do {
                    try await loop.sleep(for: .seconds(100))
                } catch {
                    await #expect(throws: CancellationError.self) { try await server.write("goodbye\n") }
                    #expect(server.close(saying: "goodbye\n"))
                }
            }
            try await loop.sleep(for: .zero)
            serving.cancel()
            _ = await serving.value
            try await loop.sleep(for: .milliseconds(2))
            var lines: [String] = []
            for try await line in client.lines() { lines.append(line) }
            #expect(lines == ["goodbye"])
            #expect(!server.isClosed)
            client.close()
            try await loop.waitForEnd { server.isClosed }
        }
    }

    @Test func aLastWordThatNobodyTakesHasALimit() throws {
        let (configuration, clock) = virtualConfiguration()
        try withLoop(configuration: configuration) { host, loop in
            let (one, other) = try narrowPair(loop)
            let outbox = try Outbox(one, capacity: 100_000)
            while outbox.byteCount == 0 { outbox.send(message(1)) }
            outbox.finish(within: .seconds(5))
            outbox.finish()
            host.tick()
            clock.advance(by: .seconds(4.9))
            host.tick()
            #expect(!one.isClosed)
            clock.advance(by: .seconds(0.1))
            host.tick()
            #expect(one.isClosed && outbox.failure?.code == .peerUnresponsive)
            #expect(loop.statistics.timers == 0 && loop.members.runs.isEmpty)
            withExtendedLifetime(other) {}
        }
    }

    /// What has been written and is not read by the peer is the kernel's; who keeps the connection open is not waited for.
    @Test func aPeerThatDoesNotCloseIsNotWaitedForAfterTheLastWord() throws {
        let (configuration, clock) = virtualConfiguration()
        try withLoop(configuration: configuration) { host, loop in
            let (one, other) = try UnixStream.pair(on: loop)
            one.close(saying: "goodbye\n", within: .seconds(5))
            for _ in 0..<3 { host.tick() }
            clock.advance(by: .seconds(4.9))
            host.tick()
            #expect(!one.isClosed)
            clock.advance(by: .seconds(0.1))
            host.tick()
            #expect(one.isClosed && loop.members.runs.isEmpty && loop.statistics.timers == 0)
            withExtendedLifetime(other) {}
        }
    }

    @Test func aPeerThatTakesNothingIsGivenUpAfterTheStallLimit() throws {
        let (configuration, clock) = virtualConfiguration()
        try withLoop(configuration: configuration) { host, loop in
            let (one, other) = try narrowPair(loop)
            let outbox = try Outbox(one, capacity: 100_000, stallLimit: .seconds(10))
            while outbox.byteCount == 0 { outbox.send(message(1)) }
            host.tick()
            // It takes something within its time: the limit begins anew.
            clock.advance(by: .seconds(9))
            host.tick()
            var buffer = [UInt8](repeating: 0, count: 200_000)
            #expect(read(other.socket.descriptor.rawValue, &buffer, buffer.count) > 0)
            #expect(host.run(until: { outbox.byteCount == 0 }))
            while outbox.byteCount == 0 { outbox.send(message(2)) }
            host.tick()
            clock.advance(by: .seconds(9))
            host.tick()
            #expect(outbox.failure == nil && !one.isClosed)
            clock.advance(by: .seconds(1))
            host.tick()
            #expect(outbox.failure?.code == .peerUnresponsive && one.isClosed)
            #expect(outbox.failure?.context.contains("has taken no byte for 10.0 seconds") == true)
            #expect(loop.statistics.timers == 0)
        }
    }

    /// The kernel says that there is room only when a good part of its buffer is free.
    @Test func aPeerThatTakesLittleAtATimeIsNotGivenUp() throws {
        let (configuration, clock) = virtualConfiguration()
        try withLoop(configuration: configuration) { host, loop in
            let (one, other) = try narrowPair(loop)
            let outbox = try Outbox(one, capacity: 200_000, stallLimit: .seconds(10))
            func send() { outbox.send([UInt8](repeating: 1, count: 100)) }
            while outbox.byteCount == 0 { send() }
            for _ in 0..<600 { send() }
            host.tick()
            var buffer = [UInt8](repeating: 0, count: 100)
            for _ in 0..<3 {
                #expect(read(other.socket.descriptor.rawValue, &buffer, buffer.count) == 100)
                clock.advance(by: .seconds(10))
                for _ in 0..<3 { host.tick() }
                #expect(outbox.failure == nil && outbox.byteCount > 0)
            }
            clock.advance(by: .seconds(10))
            for _ in 0..<3 { host.tick() }
            #expect(outbox.failure?.code == .peerUnresponsive && one.isClosed)
        }
    }

    /// The usual case at a game's end: a task is still reading when the main function says goodbye.
    @Test func aTaskThatReadsIsToldAndDoesNotCutTheLastWordOff() throws {
        try onLoop { loop in
            let (client, server) = try await tcpPair(loop)
            let reading = Task(executorPreference: loop) { for try await _ in server.lines() {} }
            try await loop.sleep(for: .zero)
            let outbox = try Outbox(server)
            outbox.send("goodbye\n")
            outbox.finish()
            #expect(try await guestError { try await reading.value }.code == .socketClosed)
            // It is written to the end, and what comes now does not reset the connection.
            try await client.write("are you there?\n")
            #expect(try await client.readLine() == "goodbye")
            #expect(try await client.readLine() == nil)
            #expect(!server.isClosed)
            client.close()
            try await loop.waitForEnd { server.isClosed }
            #expect(outbox.failure == nil)
        }
    }

    @Test func aLoopThatClosesHasSentTheLastWord() throws {
        let pair = try withLoop { _, loop in
            let (one, other) = try UnixStream.pair(on: loop)
            let outbox = try Outbox(one)
            let descriptor = dup(other.socket.descriptor.rawValue)
            // Bytes that nobody will read, which must not reset the connection.
            write(descriptor, "unread", 6)
            outbox.send("goodbye\n")
            outbox.finish()
            loop.close()
            #expect(one.isClosed && !outbox.send("late") && outbox.byteCount == 0)
            outbox.finish()
            return descriptor
        }
        var buffer = [UInt8](repeating: 0, count: 100)
        #expect(read(pair, &buffer, 100) == 8)
        #expect(read(pair, &buffer, 100) == 0)
        close(pair)
    }

    /// Somebody else closes the stream under the writer.
    @Test func aStreamThatIsClosedEndsItsOutbox() throws {
        try onLoop { loop in
            let (one, other) = try narrowPair(loop)
            let outbox = try Outbox(one, capacity: 100_000)
            while outbox.byteCount == 0 { outbox.send(message(1)) }
            async let flushing = guestError { try await outbox.flush() }
            try await loop.sleep(for: .milliseconds(1))
            one.close()
            #expect(try await flushing.code == .socketClosed)
            #expect(!outbox.send("x") && outbox.failure?.code == .socketClosed)
            withExtendedLifetime(other) {}
        }
    }
}

extension GuestLoop {
    /// Lets ticks go by until `condition` holds, for 20 s at the most.
    func waitForEnd(_ condition: () -> Bool) async throws {
        let end = now.advanced(by: .seconds(20))
        while !condition() {
            guard now < end else { throw TestError(20) }
            try await sleep(for: .milliseconds(1))
        }
    }
}
