// SPDX-License-Identifier: Apache-2.0
// DatagramTests: UDP, singly and in batches.

import Foundation
import Glibc
import SystemPackage
import TandemTesting
import Testing

@testable import Tandem

extension Core.DatagramTests {
    private func pair(_ loop: GuestLoop) throws -> (one: UDPSocket, other: UDPSocket) {
        (try UDPSocket(on: loop, at: .loopback(port: 0)), try UDPSocket(on: loop, at: .loopback(port: 0)))
    }

    @Test func aDatagramGoesThereAndItsAnswerBack() throws {
        try onLoop { loop in
            let (one, other) = try pair(loop)
            async let answer = one.receive()
            try await one.send("ping", to: other.localAddress)
            let ping = try await other.receive()
            #expect(ping.bytes == Array("ping".utf8))
            #expect(ping.sender == one.localAddress)
            try await other.send(Array("pong".utf8), to: ping.sender)
            #expect(try await answer.bytes == Array("pong".utf8))
        }
    }

    @Test func anEmptyDatagramIsADatagram() throws {
        try onLoop { loop in
            let (one, other) = try pair(loop)
            try await one.send([], to: other.localAddress)
            try await one.send([], to: other.localAddress)
            try await one.send("x", to: other.localAddress)
            #expect(try await other.receive() == .init(bytes: [], sender: one.localAddress, isTruncated: false))
            var memory = [UInt8](repeating: 0, count: 8)
            var span = memory.mutableSpan
            var buffer = span.mutableBytes
            let arrival = try await other.receive(into: &buffer)
            #expect(arrival == .init(count: 0, sentCount: 0, sender: one.localAddress))
            #expect(try await other.receive().bytes == [UInt8(ascii: "x")])
        }
    }

    @Test func aDatagramThatIsTooLongIsCutAndSaysSo() throws {
        try onLoop { loop in
            let (one, other) = try pair(loop)
            for _ in 0..<2 { try await one.send("0123456789", to: other.localAddress) }
            let cut = try await other.receive(upTo: 4)
            #expect(cut == .init(bytes: Array("0123".utf8), sender: one.localAddress, isTruncated: true))
            var memory = [UInt8](repeating: 0, count: 4)
            var span = memory.mutableSpan
            var buffer = span.mutableBytes
            let arrival = try await other.receive(into: &buffer)
            #expect((arrival.count, arrival.sentCount, arrival.isTruncated) == (4, 10, true))
            #expect(memory == Array("0123".utf8))
        }
    }

    @Test func moreThanADatagramHoldsIsAClearError() throws {
        try onLoop { loop in
            let (one, other) = try pair(loop)
            let error = try await guestError {
                try await one.send([UInt8](repeating: 0, count: 65_508), to: other.localAddress)
            }
            #expect(error.errno == .messageTooLong)
            #expect(error.context.contains("65508 bytes to 127.0.0.1:"))
            try await one.send([UInt8](repeating: 1, count: 65_507), to: other.localAddress)
            #expect(try await other.receive().bytes.count == 65_507)
        }
    }

    @Test func aConnectedSocketHearsOfARefusal() throws {
        try onLoop { loop in
            let deserted = try UDPSocket(on: loop, at: .loopback(port: 0))
            let address = deserted.localAddress
            deserted.close()
            let socket = try UDPSocket.connected(to: address, on: loop)
            try await socket.send("anybody?")
            let error = try await guestError { try await socket.receive() }
            #expect(error.errno == .connectionRefused)
            let unconnected = try UDPSocket(on: loop)
            #expect(try await guestError { try await unconnected.send("x") }.errno == .addressRequired)
        }
    }

    @Test func closingAndCancellingEndAReceive() throws {
        try onLoop { loop in
            let (one, other) = try pair(loop)
            loop.callLater(.milliseconds(2)) { one.close() }
            #expect(try await guestError { try await one.receive() }.code == .socketClosed)
            await #expect(throws: TimeoutError.self) {
                try await withTimeout(.milliseconds(2), clock: loop.clock) { try await other.receive() }
            }
            #expect(loop.statistics.registrations == 0)
        }
    }

    @Test func broadcastNeedsItsOption() throws {
        try onLoop { loop in
            let socket = try UDPSocket(on: loop)
            let everybody = try SocketAddress(host: "127.255.255.255", port: 9)
            #expect(try await guestError { try await socket.send("x", to: everybody) }.errno == .permissionDenied)
            try socket.set(.broadcast, to: true)
            #expect(try socket.get(.broadcast))
            try await socket.send("x", to: everybody)
        }
    }

    @Test func optionsAreSetAndRead() throws {
        try onLoop { loop in
            let socket = try UDPSocket(on: loop).socket
            try socket.set(.receiveBufferSize, to: 100_000)
            try socket.set(.sendBufferSize, to: 50_000)
            // The kernel says twice what it was asked for.
            #expect(try socket.get(.receiveBufferSize) == 200_000)
            #expect(try socket.get(.sendBufferSize) == 100_000)
            try socket.set(.multicastTimeToLive, to: 3)
            #expect(try socket.get(.multicastTimeToLive) == 3)
            let error = #expect(throws: GuestError.self) { try socket.set(.noDelay, to: true) }
            #expect(error?.context.contains("noDelay") == true)
        }
    }

    @Test func aMulticastGroupIsJoinedAndLeft() throws {
        try onLoop { loop in
            let lo = try #require(UDPSocket.interface(named: "lo"))
            let group = try SocketAddress(host: "239.255.77.1", port: 0)
            let receiver = try UDPSocket(on: loop, at: .any(.ipv4, port: 0), reuseAddress: true)
            try receiver.join(group, interface: lo)
            let sender = try UDPSocket(on: loop, at: .loopback(port: 0))
            let target = try SocketAddress(host: "239.255.77.1", port: receiver.port)
            // The sender's address says by which interface it goes out.
            var out = in_addr(s_addr: INADDR_LOOPBACK.bigEndian)
            _ = try sender.socket.attempt {
                setsockopt($0, Int32(IPPROTO_IP), IP_MULTICAST_IF, &out, socklen_t(MemoryLayout<in_addr>.size))
            }
            try await sender.send("to the group", to: target)
            #expect(try await receiver.receive().bytes == Array("to the group".utf8))
            try receiver.leave(group, interface: lo)
            let error = #expect(throws: GuestError.self) { try receiver.leave(group, interface: lo) }
            #expect(error?.errno == .addressNotAvailable)
            #expect(throws: GuestError.self) { try receiver.join(.loopback(port: 0)) }
        }
    }

    @Test func aBatchIsSentAndReceivedInFewCalls() throws {
        try onLoop { loop in
            let (one, other) = try pair(loop)
            let out = DatagramBatch(capacity: 40, messageSize: 16)
            for number in 0..<40 {
                #expect(out.append([UInt8](repeating: UInt8(number), count: number % 16), to: other.localAddress))
            }
            #expect(!out.append([1], to: other.localAddress))
            try await one.send(out)
            #expect(out.sentCount == 40)
            let batch = DatagramBatch(capacity: 32, messageSize: 8)
            var next = 0
            var calls = 0
            while next < 40 {
                let count = try await other.receive(batch)
                calls += 1
                #expect(count == batch.count)
                for index in 0..<count {
                    let bytes = batch.withBytes(at: index) { $0.withUnsafeBytes { Array($0) } }
                    #expect(bytes == [UInt8](repeating: UInt8(next), count: min(8, next % 16)))
                    #expect(batch.isTruncated(at: index) == (next % 16 > 8))
                    #expect(batch.address(at: index) == one.localAddress)
                    next += 1
                }
            }
            #expect(calls == 2)
            // A connected socket needs no addresses.
            let connected = try UDPSocket.connected(to: other.localAddress, on: loop)
            out.removeAll()
            out.append([1, 2])
            try await connected.send(out)
            try await other.receive(batch)
            #expect(batch.count == 1 && batch.address(at: 0) == connected.localAddress)
        }
    }

    /// The entries of a batch are made ready to be received into once, and again after each use.
    @Test func aBatchThatWasUsedInEveryWayReceivesWholeDatagramsAgain() throws {
        try onLoop { loop in
            let (one, other) = try pair(loop)
            let batch = DatagramBatch(capacity: 4, messageSize: 16)
            for round in 0..<8 {
                let count = round % 4 + 1
                batch.removeAll()
                for _ in 0..<count { batch.append([UInt8](repeating: 7, count: round), to: one.localAddress) }
                try await other.send(batch)
                // Received into while its entries are those of what was sent, or shorter ones of an earlier round.
                #expect(try await one.receive(batch) == count)
                for number in 0..<count {
                    try await one.send([UInt8](repeating: UInt8(number), count: 16), to: other.localAddress)
                }
                #expect(try await other.receive(batch) == count)
                for index in 0..<count {
                    #expect(batch.withBytes(at: index) { $0.byteCount } == 16)
                    #expect(batch.address(at: index) == one.localAddress && !batch.isTruncated(at: index))
                }
                #expect(try other.socket.attempt("receive", { recv($0, nil, 0, 0) }) == nil)
            }
        }
    }

    @Test func aHandlerOfDatagramsGetsEachOnceAndLeavesTheSocketToATaskAfterwards() throws {
        try withLoop { host, loop in
            let (one, other) = try pair(loop)
            let batch = DatagramBatch(capacity: 3, messageSize: 16)
            var received: [UInt8] = []
            var sizes: [Int] = []
            let watch = try other.whenReceived(batch) { batch in
                sizes.append(batch.count)
                for index in 0..<batch.count {
                    received.append(batch.withBytes(at: index) { $0.unsafeLoad(as: UInt8.self) })
                }
                if received.count == 10 { throw TestError(10) }
            }
            for number in 0..<10 { try one.sendNow([UInt8(number)], to: other.localAddress) }
            #expect(host.run { received.count >= 10 })
            #expect(received == Array(0..<10))
            #expect(sizes == [3, 3, 3, 1])
            #expect(loop.statistics.callbackErrors == 1)
            // What threw stays.
            try one.sendNow([10], to: other.localAddress)
            #expect(host.run { received.count == 11 })
            watch.cancel()
            var outcome: Result<UDPSocket.Datagram, any Error>?
            loop.run({ try await other.receive() }) { outcome = $0 }
            try one.sendNow([11], to: other.localAddress)
            #expect(host.run { outcome != nil })
            #expect(try outcome?.get().bytes == [11])
            #expect(received.count == 11)
        }
    }

    @Test func aBatchIsSentAtOnceWithoutATask() throws {
        try withLoop { host, loop in
            let (one, other) = try pair(loop)
            let batch = DatagramBatch(capacity: 3, messageSize: 16)
            for number in 0..<3 { batch.append([UInt8(number)], to: other.localAddress) }
            #expect(try one.sendNow(batch))
            #expect(batch.sentCount == 3)
            batch.append([0], to: .loopback(port: 0))
            batch.removeAll()
            batch.append([3], to: other.localAddress)
            batch.append([4], to: .loopback(port: 0))
            // The second is refused, and told so; the first has gone.
            #expect(throws: GuestError.self) { try one.sendNow(batch) }
            #expect(batch.sentCount == 1)
            var bytes: [UInt8] = []
            _ = try other.whenReceived(batch) { batch in
                for index in 0..<batch.count {
                    bytes.append(batch.withBytes(at: index) { $0.unsafeLoad(as: UInt8.self) })
                }
            }
            #expect(host.run { bytes.count == 4 })
            #expect(bytes == [0, 1, 2, 3])
            one.close()
            #expect(throws: GuestError.self) { try one.sendNow(batch) }
        }
    }

    /// Port 0 is nobody's, and a broadcast needs an option: the kernel refuses both.
    @Test func anAnswerThatTheKernelRefusesIsDroppedAndTheOthersGo() throws {
        try onLoop { loop in
            let (server, client) = try pair(loop)
            let answers = DatagramBatch(capacity: 8)
            let places: [SocketAddress?] = [
                .loopback(port: 0), client.localAddress, try SocketAddress(host: "255.255.255.255", port: 9),
                .loopback(port: 0), client.localAddress, .loopback(port: 0),
            ]
            for (number, place) in places.enumerated() { answers.append([UInt8(number)], to: place) }
            #expect(try await server.sendDroppingRefused(answers) == 4)
            #expect(answers.sentCount == places.count)
            #expect(try await client.receive().bytes == [1])
            #expect(try await client.receive().bytes == [4])
        }
    }

    @Test func aClosedSocketDropsNothing() throws {
        try onLoop { loop in
            let (server, client) = try pair(loop)
            let answers = DatagramBatch(capacity: 1)
            answers.append([1], to: client.localAddress)
            server.close()
            let error = try await guestError { try await server.sendDroppingRefused(answers) }
            #expect(error.code == .socketClosed)
        }
    }
}
