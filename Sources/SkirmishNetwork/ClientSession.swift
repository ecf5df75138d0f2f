// SPDX-License-Identifier: Apache-2.0
// ClientSession: a player of a match that is hosted elsewhere.
// Idea:   the connection is a few tasks that read and write as if nothing else existed; the frame asks for a picture and gives a wish.
// Owner:  the main actor.

import Logging
package import SkirmishProtocol
package import SkirmishRules
package import Tandem

package final class ClientSession {
    /// What is to be drawn.
    package struct Picture {
        package let world: World
        package let events: [WorldEvent]
        package let waveLeft: Double
    }

    package let name: String
    package let seat: Int
    package private(set) var phase = Phase.lobby
    package private(set) var match = 0
    package private(set) var seats: [Seat] = []
    package private(set) var chat: [ChatLine] = []
    /// The last match's end.
    package private(set) var results: Results?
    /// The newest state that the host has confirmed.
    package private(set) var confirmed: Snapshot?
    package private(set) var traffic = Traffic()
    /// There and back, smoothed. Zero: not known yet.
    package private(set) var roundTrip = Duration.zero
    package private(set) var lastSnapshotBytes = 0

    private let loop: GuestLoop
    private let stream: TCPStream
    private let line: ConditionedLine
    private let token: UInt64
    private let start: ContinuousClock.Instant
    private var framer: MessageFramer
    private var receiver = SnapshotReceiver()
    package private(set) var prediction: Prediction
    package private(set) var interpolation = Interpolation()
    private var lastDatagram = Duration.zero
    private var lastMessage = Duration.zero
    private var frames = 0
    private let outbox: AsyncStream<[UInt8]>.Continuation
    private let outgoing: AsyncStream<[UInt8]>

    private init(
        _ loop: GuestLoop, _ stream: TCPStream, _ framer: MessageFramer, _ line: ConditionedLine, name: String,
        seat: Int, token: UInt64
    ) {
        (self.loop, self.stream, self.framer, self.line) = (loop, stream, framer, line)
        (self.name, self.seat, self.token) = (name, seat, token)
        prediction = Prediction(seat: seat)
        start = loop.now
        (outgoing, outbox) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(64))
    }

    /// Connects, and is let in or refused, within ten seconds.
    ///
    /// - Throws: ``Refusal``; `TimeoutError`; what the sockets throw; `Malformed`, if no host of this game is there.
    package static func join(
        _ host: String, port: UInt16, name: String, code: String, conditions: NetworkConditions = .init(),
        on loop: GuestLoop
    ) async throws -> ClientSession {
        try await withTimeout(.seconds(10), clock: loop.clock) {
            let stream = try await TCPStream.connect(to: host, port: port, on: loop)
            do {
                return try await shakeHands(stream, name: name, code: code, conditions, loop)
            } catch {
                stream.close()
                throw error
            }
        }
    }

    private static func shakeHands(
        _ stream: TCPStream, name: String, code: String, _ conditions: NetworkConditions, _ loop: GuestLoop
    ) async throws -> ClientSession {
        try await stream.write(ClientMessage.hello(version: GameProtocol.version, name: name, code: code).bytes)
        var framer = MessageFramer()
        while true {
            if let content = try framer.next() {
                switch try HostMessage(content) {
                case .welcome(let seat, let token, let port):
                    let address = try SocketAddress(host: stream.peerAddress!.host, port: port)
                    let line = try ConditionedLine(to: address, conditions, seed: token, on: loop)
                    return ClientSession(loop, stream, framer, line, name: name, seat: seat, token: token)
                case .refused(let refusal, _): throw refusal
                default: throw Malformed("the host did not begin with a welcome")
                }
            }
            let bytes = try await stream.read(upTo: 2048)
            guard !bytes.isEmpty else { throw Malformed("the host ended the connection without a word") }
            framer.append(bytes)
        }
    }

    private var time: Duration { start.duration(to: loop.now) }

    /// Plays until the host ends it.
    ///
    /// - Throws: ``Refusal``, which says why; `CancellationError`.
    package func run() async throws {
        defer {
            stream.close()
            line.close()
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            group.addTask { try await self.readMessages() }
            group.addTask { for await bytes in self.outgoing { try await self.stream.write(bytes) } }
            group.addTask { try await self.line.run { self.take($0) } }
            group.addTask { try await self.watch() }
            try await group.next()
        }
    }

    /// Says good-bye. ``run()`` ends by itself then.
    package func leave() {
        outbox.yield(ClientMessage.leave.bytes)
        outbox.finish()
    }

    package func say(_ text: String) {
        outbox.yield(ClientMessage.chat(String(text.prefix(GameProtocol.mostChatLength))).bytes)
    }
    package func setReady(_ isReady: Bool) { outbox.yield(ClientMessage.ready(isReady).bytes) }

    // MARK: - What comes

    private func readMessages() async throws {
        do {
            while true {
                while let content = try framer.next() { try take(HostMessage(content)) }
                let bytes = try await stream.read(upTo: 4096)
                guard !bytes.isEmpty else { throw Refusal.closed }
                framer.append(bytes)
            }
        } catch let error as GuestError where error.code == .socketFailed {
            // The host's process has ended without a word.
            throw Refusal.closed
        }
    }

    private func take(_ message: HostMessage) throws {
        lastMessage = time
        switch message {
        case .welcome: throw Malformed("a second welcome")
        case .refused(let refusal, _): throw refusal
        case .roster(let phase, let match, let seats):
            if match != self.match { beginMatch(match) }
            (self.phase, self.seats) = (phase, seats)
        case .said(let seat, let text):
            chat.append(ChatLine(seat: seat, name: seats.first { $0.number == seat }?.name ?? "", text: text))
            if chat.count > 50 { chat.removeFirst() }
        case .over(let match, let total, let seats): results = Results(match: match, total: total, seats: seats)
        }
    }

    private func beginMatch(_ number: Int) {
        match = number
        receiver = SnapshotReceiver()
        prediction = Prediction(seat: seat)
        interpolation = Interpolation()
        confirmed = nil
    }

    private func take(_ bytes: [UInt8]) {
        traffic.receivedDatagrams += 1
        traffic.receivedBytes += bytes.count
        do {
            switch try HostDatagram(bytes) {
            case .challenge(let secret, let nonce):
                guard secret == UInt32(truncatingIfNeeded: token) else { return }
                line.send(ClientDatagram.proof(token: token, nonce: nonce).bytes)
            case .snapshot(let head, let reader):
                guard head.secret == UInt32(truncatingIfNeeded: token), head.match == match else { return }
                try take(head, reader, size: bytes.count)
            }
        } catch {
            // A damaged datagram is a lost one.
            traffic.refusedDatagrams += 1
        }
    }

    private func take(_ head: HostDatagram.Head, _ reader: BitReader, size: Int) throws {
        var reader = reader
        guard let (_, snapshot) = try receiver.read(&reader) else { return }
        lastDatagram = time
        lastSnapshotBytes = size
        let now = Int(time / .milliseconds(1))
        let taken = (now - head.stamp - head.held) & 0xFFFF
        if taken < 5000 {
            let measured = Duration.milliseconds(taken)
            roundTrip = roundTrip == .zero ? measured : roundTrip + (measured - roundTrip) / 8
        }
        confirmed = snapshot
        interpolation.add(snapshot, at: time)
        prediction.confirm(snapshot.ships[seat].ship(seat), step: snapshot.step, carriedOut: head.carriedOut)
    }

    /// Asks for the way of the datagrams while none comes, and ends when the host is silent.
    private func watch() async throws {
        while true {
            if time - lastMessage > GameProtocol.silence { throw Refusal.silent }
            if lastDatagram == .zero || time - lastDatagram > .seconds(1) {
                line.send(ClientDatagram.bind(token: token).bytes)
            }
            try await loop.sleep(for: .milliseconds(250))
        }
    }

    // MARK: - Frames

    /// One sixtieth of a second, with the player's wish.
    package func step(_ intent: Intent) {
        frames += 1
        if phase == .playing { prediction.advance(intent) }
        guard frames % (phase == .playing ? GameProtocol.stepsPerSnapshot : 15) == 0 else { return }
        let (first, wishes) = phase == .playing ? prediction.unconfirmed : (1, [])
        let inputs = ClientDatagram.Inputs(
            match: match, acknowledged: receiver.newest, stamp: Int(time / .milliseconds(1)) & 0xFFFF,
            ping: Int(roundTrip / .milliseconds(1)), first: first, wishes: wishes)
        let bytes = ClientDatagram.inputs(token: token, inputs).bytes
        traffic.sentDatagrams += 1
        traffic.sentBytes += bytes.count
        line.send(bytes)
    }

    /// The picture for now; `nil` before the first snapshot.
    package func picture() -> Picture? {
        guard let (from, to, part) = interpolation.frame(at: time) else { return nil }
        let own = prediction.seen.map { (ship: $0, shots: prediction.shots, step: prediction.step) }
        return Picture(
            world: from.picture(towards: to, part: part, seat: seat, own: own),
            events: interpolation.events(until: interpolation.step(at: time)), waveLeft: Double(to.waveLeft) / 255)
    }
}
