// SPDX-License-Identifier: Apache-2.0
// NetworkParts: each kind of socket, both ends of it on this loop.
// Owner:  the main actor.

import Foundation
import Glibc
import SystemPackage
import Tandem

extension Stage {
    static let letter = (0..<60_000).map { UInt8(truncatingIfNeeded: $0 / 7) }

    /// What an outbox has taken and cannot write, the peer waits for in vain.
    static let silence = Duration.milliseconds(1500)

    /// Takes a letter and gives it back, then a line through an outbox, then messages, until the peer has closed.
    private func serve(_ stream: some SocketStream) async throws {
        defer { stream.close() }
        stream.silenceLimit = Self.silence
        try await stream.write(try await stream.read(exactly: Self.letter.count))
        let outbox = try Outbox(stream)
        outbox.send("hello ")
        outbox.send("there\n")
        try await outbox.flush()
        for try await message in stream.messages() where !outbox.send(message: message.reversed()) {
            throw outbox.failure ?? Wrong(text: "an open outbox has refused a message")
        }
        outbox.finish()
    }

    private func ask(_ stream: some SocketStream) async throws {
        defer { stream.close() }
        stream.silenceLimit = Self.silence
        async let answer = stream.read(exactly: Self.letter.count)
        try await stream.write(Self.letter)
        if try await answer != Self.letter { throw Wrong(text: "the letter came back changed") }
        guard let line = try await stream.readLine() else { throw Wrong(text: "the stream ended without a line") }
        if line != "hello there" { throw Wrong(text: "the line is \(line)") }
        for number in 1...3 as ClosedRange<UInt8> {
            try await stream.write(message: [number, 9])
            let message = try await stream.readMessage()
            if message != [9, number] { throw Wrong(text: "the message is \(String(describing: message))") }
        }
        try stream.closeWrite()
        let rest = try await stream.read()
        if !rest.isEmpty { throw Wrong(text: "\(rest.count) bytes came after the end") }
    }

    func expectTCP() throws {
        let listener = try TCPListener(on: loop, at: .loopback(port: 0))
        try listener.set(.receiveBufferSize, to: 16_384)
        let port = listener.port
        expect("a TCP server") { [self] in
            defer { listener.close() }
            for _ in 1...2 {
                let stream = try await listener.accept()
                try stream.set(.sendBufferSize, to: 16_384)
                try await serve(stream)
            }
        }
        expect("a TCP client") { [self] in
            defer { listener.close() }
            try await ask(TCPStream.connect(to: "localhost", port: port, on: loop))
            let second = try await TCPStream.connect(to: .loopback(port: port), on: loop)
            try second.set(.keepAlive, to: true)
            try await ask(second)
        }
    }

    func expectEnds() throws {
        let listener = try TCPListener(on: loop, at: .loopback(port: 0))
        let port = listener.port
        expect("a server of an aborted connection") {
            defer { listener.close() }
            let stream = try await listener.accept()
            defer { stream.close() }
            do {
                while try await !stream.read().isEmpty {}
            } catch let error as GuestError where error.errno == .connectionReset {}
        }
        expect("an aborting client") { [loop] in
            let stream = try await TCPStream.connect(to: .loopback(port: port), on: loop)
            try await stream.write("x")
            stream.abort()
        }
        expect("a refused connection") { [loop] in
            let deserted = try TCPListener(on: loop, at: .loopback(port: 0))
            let address = deserted.localAddress
            deserted.close()
            try await loop.sleep(for: .milliseconds(1))
            do {
                try await TCPStream.connect(to: address, on: loop).close()
                throw Wrong(text: "somebody answered")
            } catch let error as GuestError where error.errno == .connectionRefused {}
        }
    }

    func expectUnix() throws {
        let path = NSTemporaryDirectory() + "/tandem-faults-\(getpid())"
        // A file that a listener has left.
        let left = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        withUnsafePointer(to: &address) {
            // Safe: a sockaddr_un may be read as a sockaddr.
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = bind(left, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        close(left)
        let listener = try UnixListener(on: loop, at: path)
        expect("a server at a path") { [self] in
            defer { listener.close() }
            let stream = try await listener.accept()
            if try stream.peer().process != Int(getpid()) { throw Wrong(text: "the peer is somebody else") }
            try await serve(stream)
        }
        expect("a client of a path") { [self] in
            defer { listener.close() }
            try await ask(UnixStream.connect(to: path, on: loop))
        }
        let (near, far) = try UnixStream.pair(on: loop)
        expect("one end of a pair") { [self] in try await serve(far) }
        expect("the other end of a pair") { [self] in try await ask(near) }
    }

    /// Datagrams may be lost: each is sent until it is answered.
    func expectDatagrams() throws {
        let server = try UDPSocket(on: loop, at: .loopback(port: 0))
        let client = try UDPSocket.connected(to: .loopback(port: server.port), on: loop)
        try client.set(.sendBufferSize, to: 65_536)
        let group = try SocketAddress(host: "239.255.7.7", port: 0)
        expect("a group") {
            let member = try UDPSocket(on: self.loop, at: .any(.ipv4, port: 0), reuseAddress: true)
            defer { member.close() }
            try member.join(group, interface: UDPSocket.interface(named: "lo") ?? 0)
            try member.leave(group, interface: UDPSocket.interface(named: "lo") ?? 0)
        }
        let answering = loop.run { [self] in
            for try await datagram in server.datagrams { try await answer(datagram, server) }
        }
        expect("datagrams") { [self] in
            defer { answering.cancel() }
            for number in 1...3 as ClosedRange<UInt8> { try await exchange([number], client, answering) }
        }
        let (one, other) = (
            try UDPSocket(on: loop, at: .loopback(port: 0)), try UDPSocket(on: loop, at: .loopback(port: 0))
        )
        expect("datagrams by the batch") { [self] in
            let batch = DatagramBatch(capacity: 4, messageSize: 100)
            let received = DatagramBatch(capacity: 4, messageSize: 100)
            var seen = Set<UInt8>()
            while seen.count < 4 {
                batch.removeAll()
                for number in 1...4 as ClosedRange<UInt8> {
                    batch.append([number], to: .loopback(port: other.port))
                }
                try await one.send(batch)
                do {
                    try await loop.withTimeout(.milliseconds(50)) { _ = try await other.receive(received) }
                } catch is TimeoutError { continue }
                for index in 0..<received.count {
                    seen.insert(received.withBytes(at: index) { $0.unsafeLoad(as: UInt8.self) })
                }
            }
        }
    }

    private func answer(_ datagram: UDPSocket.Datagram, _ server: UDPSocket) async throws {
        guard let sender = datagram.sender else { throw Wrong(text: "a datagram without a sender") }
        try await server.send(datagram.bytes + [0], to: sender)
    }

    private func exchange(_ bytes: [UInt8], _ client: UDPSocket, _ answering: GuestRun<Void>) async throws {
        for _ in 1...20 {
            // The other end has failed: it tells why.
            if answering.isDone { return try await answering.value }
            try await client.send(bytes)
            do {
                let answer = try await loop.withTimeout(.milliseconds(50)) { try await client.receive() }
                if answer.bytes == bytes + [0] { return }
            } catch is TimeoutError {}
        }
        throw Wrong(text: "twenty datagrams were lost")
    }
}
