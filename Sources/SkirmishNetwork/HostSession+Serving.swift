// SPDX-License-Identifier: Apache-2.0
// HostSession+Serving: the host's tasks: connections, datagrams, searches.

import Logging
internal import SkirmishProtocol
internal import SkirmishRules
internal import Tandem

extension HostSession {
    /// Serves everybody who comes, until its task is cancelled; then tells them that the game has ended.
    package func run() async throws {
        defer {
            listener.close()
            datagrams.close()
        }
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask { try await self.takeDatagrams() }
            group.addTask { try await self.answerSearches() }
            for try await stream in listener.connections {
                let host = stream.peerAddress?.host ?? ""
                guard strangers.enter(host) else {
                    stream.abort()
                    continue
                }
                group.addTask { await self.serve(stream, host) }
            }
        }
    }

    /// Ends the game for everybody, and waits until they were told; a second at the most.
    package func close() async {
        let leaving = Array(peers.values)
        letAllGo()
        for peer in leaving { try? await peer.outbox.flush() }
        peers = [:]
    }

    private func letAllGo() {
        for peer in peers.values { peer.letGo(.closed) }
    }

    // MARK: - Connections

    private func serve(_ stream: TCPStream, _ host: String) async {
        guard let peer = await greet(stream, host) else { return stream.close() }
        do {
            leave(peer, try await obey(peer))
        } catch let error as Malformed {
            drop(peer, .malformed, ": \(error)")
        } catch is CancellationError {
            letAllGo()
            leave(peer, "the host has ended the game")
        } catch {
            leave(peer, "\(peer.outbox.failure?.description ?? "\(error)")")
        }
        peer.outbox.finish(within: .seconds(1))
    }

    /// The first message, within five seconds. `nil`: refused.
    private func greet(_ stream: TCPStream, _ host: String) async -> Peer? {
        defer { strangers.leave(host) }
        let from = stream.peerAddress?.description ?? "?"
        do {
            // A buffer of the kernel's that grows would hide for minutes that somebody does not read.
            try stream.set(.sendBufferSize, to: 65_536)
            let outbox = try Outbox(stream, capacity: 32_768, stallLimit: GameProtocol.silence)
            do {
                let peer = try await admit(stream, outbox, host)
                outbox.send(.welcome(seat: peer.seat, token: peer.token, port: datagrams.port))
                join(peer)
                return peer
            } catch let refusal as Refusal {
                logger.notice("\(from) is not let in: \(refusal.words)")
                outbox.send(.refused(refusal, version: GameProtocol.version))
                try await outbox.flush()
            }
        } catch {
            logger.notice("\(from) is not let in: \(error)")
        }
        return nil
    }

    private func admit(_ stream: TCPStream, _ outbox: Outbox, _ host: String) async throws -> Peer {
        guard attempts.admits(host, at: time) else { throw Refusal.tooMany }
        guard let first = try await loop.withTimeout(.seconds(5), { try await stream.readGameMessage() }) else {
            throw Malformed("it ended before it said who it was")
        }
        guard case .hello(let version, let name, let code) = try ClientMessage(first) else {
            throw Malformed("it did not begin with a hello")
        }
        guard version == GameProtocol.version else { throw Refusal.version }
        guard let code = MatchCode(code), options.code.isEmpty || code.matches(options.code) else { throw Refusal.code }
        guard !isDraining else { throw Refusal.draining }
        guard !isTaken(name) else { throw Refusal.name }
        guard people < options.capacity, let seat = freeSeat() else { throw Refusal.full }
        return Peer(stream, outbox, name: name, seat: seat, at: time)
    }

    /// Does what a player asks for. Returns why it has ended.
    private func obey(_ peer: Peer) async throws -> String {
        while !peer.hasLeft, let content = try await peer.stream.readGameMessage() {
            let message = try ClientMessage(content)
            peer.lastHeard = time
            guard peer.messageLimit.admits(at: time) else {
                drop(peer, .tooMany)
                break
            }
            switch message {
            case .hello: throw Malformed("a second hello")
            case .chat(let text): if peer.chatLimit.admits(at: time) { said(text, by: peer.seat) }
            case .ready(let isReady):
                peer.isReady = isReady
                sayRoster()
                startIfReady()
            case .leave: return "it said so"
            }
        }
        return peer.hasLeft ? "it was dropped" : "its connection has ended without a good-bye"
    }

    // MARK: - Datagrams

    private func takeDatagrams() async throws {
        let batch = DatagramBatch(capacity: 64, messageSize: 512)
        while true {
            try await datagrams.receive(batch)
            for index in 0..<batch.count {
                count { $0.receivedDatagrams += 1 }
                // Most of a flood ends here, before anything is copied or looked up.
                guard !batch.isTruncated(at: index),
                    let bytes = batch.withBytes(at: index, { $0.looksLikeOurs ? $0.array : nil }),
                    let address = batch.address(at: index)
                else {
                    count { $0.refusedDatagrams += 1 }
                    continue
                }
                take(bytes, from: address)
            }
        }
    }

    private func take(_ bytes: [UInt8], from address: SocketAddress) {
        guard let datagram = try? ClientDatagram(bytes) else {
            // Anybody can send these, and write any address upon them: they are counted, not answered and not logged.
            return count { $0.refusedDatagrams += 1 }
        }
        count { $0.receivedBytes += bytes.count }
        switch datagram {
        case .bind(let token):
            if let answer = peers[token]?.challenge(address, at: time) { send(answer, to: address) }
        case .proof(let token, let nonce): peers[token]?.prove(nonce, from: address)
        case .inputs(let token, let inputs):
            guard let peer = peers[token], peer.address == address else { return count { $0.refusedDatagrams += 1 } }
            guard peer.datagramLimit.admits(at: time) else {
                if peer.datagramLimit.refused > 1000 { drop(peer, .tooMany) }
                return
            }
            take(inputs, of: peer)
        }
    }

    private func take(_ inputs: ClientDatagram.Inputs, of peer: Peer) {
        peer.lastHeard = time
        peer.stamp = (inputs.stamp, time)
        peer.ping = inputs.ping
        guard inputs.match == match else { return }
        peer.snapshots.acknowledge(inputs.acknowledged)
        peer.inputs.add(inputs.wishes, first: inputs.first)
    }

    // MARK: - Searches

    private func answerSearches() async throws {
        guard let port = options.discoveryPort else { return }
        let socket: UDPSocket
        do {
            socket = try UDPSocket(on: loop, at: .any(.ipv4, port: port), reuseAddress: true)
        } catch {
            logger.notice("searches for games are not answered: \(error)")
            return
        }
        defer { socket.close() }
        var limit = RateLimit(perSecond: 20, burst: 40)
        for try await question in socket.datagrams(upTo: Discovery.questionBytes + 1) {
            guard let sender = question.sender, !options.isLocal || sender.host.hasPrefix("127."),
                let nonce = try? Discovery.nonce(ofQuestion: question.bytes),
                limit.admits(at: time)
            else { continue }
            let answer = Discovery.Answer(
                nonce: nonce, version: GameProtocol.version, port: address.port ?? 0, people: people,
                needsCode: !options.code.isEmpty, name: options.name)
            do { try socket.sendNow(answer.bytes, to: sender) } catch { logger.debug("\(error)") }
        }
    }
}

extension RawSpan {
    /// The first two bytes are those of this game: what is not is never copied.
    var looksLikeOurs: Bool {
        withUnsafeBytes { $0.count >= 4 && UInt32($0[0]) << 8 | UInt32($0[1]) == GameProtocol.datagramMark }
    }

    var array: [UInt8] { withUnsafeBytes { Array($0) } }
}
