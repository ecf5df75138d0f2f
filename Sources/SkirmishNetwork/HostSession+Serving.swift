// SPDX-License-Identifier: Apache-2.0
// HostSession+Serving: the host's tasks: connections, datagrams, searches.

import Logging
internal import SkirmishProtocol
internal import SkirmishRules
internal import Tandem

extension HostSession {
    /// Serves everybody who comes, until its task is cancelled; then tells them that the game has ended.
    package func run() async throws {
        defer { closeSockets() }
        do {
            try await withThrowingDiscardingTaskGroup { group in
                group.addTask { try await self.takeDatagrams() }
                group.addTask { try await self.sendDatagrams() }
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
        } catch {
            for peer in peers.values { peer.letGo(.closed, on: loop) }
            throw error
        }
    }

    /// Ends the game for everybody, and waits until they were told.
    package func close() async {
        let leaving = Array(peers.values)
        for peer in leaving { peer.letGo(.closed, on: loop) }
        for _ in 0..<100 where leaving.contains(where: { !$0.stream.socket.isClosed }) {
            try? await loop.sleep(for: .milliseconds(10))
        }
        peers = [:]
    }

    private func closeSockets() {
        listener.close()
        datagrams.close()
    }

    // MARK: - Connections

    private func serve(_ stream: TCPStream, _ host: String) async {
        defer { stream.close() }
        let from = stream.peerAddress?.description ?? "?"
        guard let (peer, framer) = await greet(stream, host, from) else { return }
        do {
            let reason = try await withThrowingTaskGroup(of: String?.self) { group in
                defer { group.cancelAll() }
                group.addTask {
                    try await peer.write()
                    return nil
                }
                group.addTask {
                    try await self.listen(to: peer, framer)
                }
                let reason = try await group.next()!
                // Whoever is let go is told why.
                if reason != nil, peer.hasLeft { _ = try await group.next() }
                return reason
            }
            leave(peer, reason ?? "it was let go")
        } catch is CancellationError {
            leave(peer, "the host has ended the game")
        } catch {
            leave(peer, "\(error)")
        }
    }

    /// The first message, within five seconds. `nil`: refused.
    private func greet(_ stream: TCPStream, _ host: String, _ from: String) async -> (Peer, MessageFramer)? {
        defer { strangers.leave(host) }
        do {
            guard attempts.admits(host, at: time) else { throw Refusal.tooMany }
            let (first, framer) = try await withTimeout(.seconds(5), clock: loop.clock) {
                try await self.firstMessage(stream)
            }
            let peer = try admit(first, stream)
            _ = peer.say(.welcome(seat: peer.seat, token: peer.token, port: datagrams.port))
            join(peer)
            return (peer, framer)
        } catch let refusal as Refusal {
            logger.notice("\(from) is not let in: \(refusal.words)")
            try? await stream.write(HostMessage.refused(refusal, version: GameProtocol.version).bytes)
        } catch {
            logger.notice("\(from) is not let in: \(error)")
        }
        return nil
    }

    private func firstMessage(_ stream: TCPStream) async throws -> (ClientMessage, MessageFramer) {
        var framer = MessageFramer()
        while true {
            if let content = try framer.next() { return (try ClientMessage(content), framer) }
            let bytes = try await stream.read(upTo: 2048)
            guard !bytes.isEmpty else { throw Malformed("it ended before it said who it was") }
            framer.append(bytes)
        }
    }

    private func admit(_ first: ClientMessage, _ stream: TCPStream) throws -> Peer {
        guard case .hello(let version, let name, let code) = first else {
            throw Malformed("it did not begin with a hello")
        }
        guard version == GameProtocol.version else { throw Refusal.version }
        guard let code = MatchCode(code), options.code.isEmpty || code.matches(options.code) else { throw Refusal.code }
        guard !isTaken(name) else { throw Refusal.name }
        guard let seat = freeSeat() else { throw Refusal.full }
        return Peer(stream, name: name, seat: seat, at: time)
    }

    /// Returns why it has ended.
    private func listen(to peer: Peer, _ framer: MessageFramer) async throws -> String {
        do { return try await obey(peer, framer) } catch let error as Malformed {
            drop(peer, .malformed, ": \(error)")
            return "it was dropped"
        }
    }

    private func obey(_ peer: Peer, _ framer: MessageFramer) async throws -> String {
        var framer = framer
        while !peer.hasLeft {
            while let content = try framer.next() {
                let message = try ClientMessage(content)
                peer.lastHeard = time
                guard peer.messageLimit.admits(at: time) else {
                    drop(peer, .tooMany)
                    return "it was dropped"
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
            let bytes = try await peer.stream.read(upTo: 4096)
            if bytes.isEmpty { return "its connection has ended without a good-bye" }
            framer.append(bytes)
        }
        return "it was dropped"
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

    private func sendDatagrams() async throws {
        for await (bytes, address) in outgoing {
            // Somebody who cannot be reached is lost by its silence.
            do { try await datagrams.send(bytes, to: address) } catch let error as GuestError
                where error.code == .socketFailed
            {
                logger.debug("\(error)")
            }
        }
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
        while true {
            let question = try await socket.receive(upTo: Discovery.questionBytes + 1)
            guard let sender = question.sender, !options.isLocal || sender.host.hasPrefix("127."),
                let nonce = try? Discovery.nonce(ofQuestion: question.bytes),
                limit.admits(at: time)
            else { continue }
            let answer = Discovery.Answer(
                nonce: nonce, version: GameProtocol.version, port: address.port ?? 0, people: people,
                needsCode: !options.code.isEmpty, name: options.name)
            do { try await socket.send(answer.bytes, to: sender) } catch let error as GuestError
                where error.code == .socketFailed
            {
                logger.debug("\(error)")
            }
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
