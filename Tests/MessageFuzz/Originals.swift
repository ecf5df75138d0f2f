// SPDX-License-Identifier: Apache-2.0
// Originals: messages of each kind with nothing wrong in them, from which a fuzzer begins.

import SkirmishProtocol
import SkirmishRules

extension MessageFuzz {
    /// Good messages for a reader.
    package static func originals(_ reader: Reader) -> [[UInt8]] {
        switch reader {
        case .hostOverTCP:
            [
                ClientMessage.hello(version: GameProtocol.version, name: "Ann", code: "blue horse"),
                .chat("Hello, all"),
                .ready(true), .leave,
            ].map(\.bytes)
        case .playerOverTCP:
            [
                HostMessage.welcome(seat: 3, token: 0xFEDC_BA98_7654_3210, port: 40_000),
                .refused(.code, version: GameProtocol.version), .said(seat: HostMessage.host, text: "Welcome"),
                .roster(
                    phase: .playing, match: 7,
                    seats: (0..<8).map {
                        Seat(
                            number: $0, pilot: $0 % 3, name: "Player \($0)", isReady: $0 > 2, score: 100_000 * $0,
                            ping: 80)
                    }), .over(match: 7, total: 12_345, seats: [Seat(number: 0, pilot: 2, name: "Ann", score: 600)]),
            ].map(\.bytes)
        case .hostOverUDP:
            [
                ClientDatagram.bind(token: 77), .proof(token: 77, nonce: 99),
                .inputs(
                    token: 77,
                    .init(
                        match: 7, acknowledged: 900, stamp: 4321, ping: 150, first: 100,
                        wishes: (0..<20).map {
                            Wish(
                                Intent(
                                    thrust: Vector(1, -1), target: $0 % 2 == 0 ? nil : Vector(10, 500), fires: $0 > 9))
                        })),
            ].map(\.bytes) + [Discovery.question(nonce: 1)]
        case .playerOverUDP: Originals.shared.datagrams
        }
    }
}

/// What a player has of a busy match, and what it is sent next.
struct Originals: Sendable {
    static let shared = Originals()

    let datagrams: [[UInt8]]
    /// Has the first of them: the others refer to those.
    let receiver: SnapshotReceiver

    private init() {
        var datagrams = [
            HostDatagram.challenge(secret: 7, nonce: 9),
            Discovery.Answer(nonce: 1, version: 1, port: 2, people: 3, needsCode: false, name: "x").bytes,
        ]
        var receiver = SnapshotReceiver()
        var world = World(seed: 5, pilots: Array(repeating: .bot, count: 8))
        var (sender, last): (SnapshotSender, Snapshot?) = (SnapshotSender(), nil)
        let head = HostDatagram.Head(secret: 7, match: 1, stamp: 2, held: 3, carriedOut: 4, waiting: 5)
        for step in 0..<240 {
            while world.drones.count < 40, world.spawnDrone(Drone.Kind.allCases[world.drones.count % 3]) {}
            for ship in world.ships.indices where step % 6 == 0 {
                world.setIntent(BotPilot.decide(world, ship: ship), ship: ship)
            }
            if step % 60 == 0 { world.spawnCell(at: Vector(Double(100 + step), 100)) }
            _ = world.advance()
            guard step > 180, step % 2 == 0 else { continue }
            let snapshot = Snapshot(world, waveLeft: 0.5, after: last)
            last = snapshot
            datagrams.append(HostDatagram.snapshot(head, snapshot, by: &sender))
            if let sent = sender.lastSent { sender.acknowledge(sent.sequence) }
        }
        for datagram in datagrams.prefix(12) {
            guard case .snapshot(_, var rest)? = try? HostDatagram(datagram) else { continue }
            _ = try? receiver.read(&rest)
        }
        (self.datagrams, self.receiver) = (datagrams, receiver)
    }
}
