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
    private let outbox: Outbox
    private let line: ConditionedLine
    private let token: UInt64
    private let start: ContinuousClock.Instant
    private var receiver = SnapshotReceiver()
    package private(set) var prediction: Prediction
    package private(set) var interpolation = Interpolation()
    private var lastDatagram = Duration.zero
    private var frames = 0

    private init(
        _ loop: GuestLoop, _ stream: TCPStream, _ outbox: Outbox, _ line: ConditionedLine, name: String, seat: Int,
        token: UInt64
    ) {
        (self.loop, self.stream, self.outbox, self.line) = (loop, stream, outbox, line)
        (self.name, self.seat, self.token) = (name, seat, token)
        prediction = Prediction(seat: seat)
        start = loop.now
        // A host says something every second.
        stream.silenceLimit = GameProtocol.silence
    }

    /// Connects, and is let in or refused, within ten seconds.
    ///
    /// - Throws: ``Refusal``; `TimeoutError`; what the sockets throw; `Malformed`, if no host of this game is there.
    package static func join(
        _ host: String, port: UInt16, name: String, code: String, conditions: NetworkConditions = .init(),
        on loop: GuestLoop
    ) async throws -> ClientSession {
        try await loop.withTimeout(.seconds(10)) {
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
        let outbox = try Outbox(stream)
        outbox.send(ClientMessage.hello(version: GameProtocol.version, name: name, code: code))
        guard let answer = try await stream.readGameMessage() else {
            throw Malformed("the host ended the connection without a word")
        }
        switch try HostMessage(answer) {
        case .welcome(let seat, let token, let port):
            let address = try SocketAddress(host: stream.peerAddress!.host, port: port)
            let line = try ConditionedLine(to: address, conditions, seed: token, on: loop)
            return ClientSession(loop, stream, outbox, line, name: name, seat: seat, token: token)
        case .refused(let refusal, _): throw refusal
        default: throw Malformed("the host did not begin with a welcome")
        }
    }

    private var time: Duration { start.duration(to: loop.now) }

    /// Plays until the host ends it, or the player leaves.
    ///
    /// - Throws: ``Refusal``, which says why; `CancellationError`. The host is told good-bye all the same.
    package func run() async throws {
        defer {
            leave()
            line.close()
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            group.addTask { try await self.readMessages() }
            group.addTask { try await self.line.run { self.take($0) } }
            group.addTask { try await self.askForDatagrams() }
            try await group.next()
        }
    }

    /// Says good-bye. ``run()`` ends by itself then.
    package func leave() {
        outbox.send(ClientMessage.leave)
        outbox.finish()
    }

    package func say(_ text: String) {
        outbox.send(ClientMessage.chat(String(text.prefix(GameProtocol.mostChatLength))))
    }
    package func setReady(_ isReady: Bool) { outbox.send(ClientMessage.ready(isReady)) }

    // MARK: - What comes

    private func readMessages() async throws {
        do {
            while let content = try await stream.readGameMessage() { try take(HostMessage(content)) }
            throw Refusal.closed
        } catch let error as GuestError {
            switch error.code {
            case .peerUnresponsive: throw Refusal.silent
            // The host's process has ended without a word.
            case .socketFailed: throw Refusal.closed
            // The player has left.
            case .socketClosed: return
            default: throw error
            }
        }
    }

    private func take(_ message: HostMessage) throws {
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

    /// Asks for the way of the datagrams while none comes.
    private func askForDatagrams() async throws {
        while true {
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
