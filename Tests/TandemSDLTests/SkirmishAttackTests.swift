// SPDX-License-Identifier: Apache-2.0
// SkirmishAttackTests: what a host of Skirmish bears: strangers, floods, bad messages, and players that cheat.

import Foundation
import SkirmishNetwork
import SkirmishProtocol
import SkirmishRules
import Tandem
import Testing

extension SDL {
    @Suite @MainActor struct SkirmishAttackTests {
        @Test func aPlayerThatFallsSilentIsLostAndTheOthersPlayOn() throws {
            try SkirmishTable.open { table in
                let ann = try await table.join("Ann")
                // Connects, and never says anything again: no datagram, no message.
                let mute = try await TCPStream.connect(to: "127.0.0.1", port: table.host.address.port!, on: table.loop)
                try await mute.write(
                    message: ClientMessage.hello(version: 1, name: "Mute", code: "").bytes, prefix: .twoBytes)
                try await table.wait("Mute") { ann.seats.contains { $0.name == "Mute" } }
                try await table.wait("the silence") { !ann.seats.contains { $0.name == "Mute" } }
                #expect(table.lines.contains { $0.contains("Mute") && $0.contains("five seconds") })
                #expect(table.ends.isEmpty)
            }
        }

        @Test func whoIsNotLetInIsToldWhy() throws {
            try SkirmishTable.open {
                $0.code = MatchCode("blue horse")!
            } _: { table in
                func refusal(_ name: String, _ code: String) async throws -> Refusal? {
                    do { _ = try await table.join(name, code: code) } catch let refusal as Refusal { return refusal }
                    return nil
                }
                var refusals: [Refusal?] = []
                for (name, code) in [("Ann", ""), ("Ann", "red horse"), ("Ann", "blue horse"), ("Ann", "blue horse")] {
                    refusals.append(try await refusal(name, code))
                }
                #expect(refusals == [.code, .code, nil, .name])
                refusals = []
                for number in 1...8 { refusals.append(try await refusal("P\(number)", "blue horse")) }
                #expect(refusals == Array(repeating: nil, count: 7) + [.full])
                // A code is in no line of the log.
                #expect(!table.lines.isEmpty && !table.lines.contains { $0.contains("horse") })
            }
        }

        @Test func anotherVersionIsAnsweredWithThisOne() throws {
            try SkirmishTable.open { table in
                let stream = try await TCPStream.connect(
                    to: "127.0.0.1", port: table.host.address.port!, on: table.loop)
                try await stream.write(
                    message: ClientMessage.hello(version: 7, name: "Ann", code: "").bytes, prefix: .twoBytes)
                let answer = try HostMessage(try #require(try await stream.readMessage(prefix: .twoBytes)))
                #expect(answer == .refused(.version, version: GameProtocol.version))
            }
        }

        @Test func whoTriesTooOftenIsNotLetInAnyMore() throws {
            try SkirmishTable.open {
                $0.code = MatchCode("x")!
            } _: { table in
                var refusals: [Refusal] = []
                for number in 0..<20 {
                    do { _ = try await table.join("P\(number)", code: "y") } catch let error as Refusal {
                        refusals.append(error)
                    }
                }
                #expect(refusals.first == .code && refusals.last == .tooMany)
            }
        }

        @Test func aMalformedMessageEndsThatPlayerAlone() throws {
            try SkirmishTable.open { table in
                let ann = try await table.join("Ann")
                let bad = try await TCPStream.connect(to: "127.0.0.1", port: table.host.address.port!, on: table.loop)
                try await bad.write(
                    message: ClientMessage.hello(version: 1, name: "Bad", code: "").bytes, prefix: .twoBytes)
                try await table.wait("Bad") { ann.seats.contains { $0.name == "Bad" } }
                try await bad.write([0, 1, 200])
                try await table.wait("its end") { !ann.seats.contains { $0.name == "Bad" } }
                #expect(table.lines.contains { $0.contains("Bad") && $0.contains("unknown kind 200") })
                // It was told, before the connection ended.
                var told: [HostMessage] = []
                for try await content in bad.messages(prefix: .twoBytes) { told.append(try HostMessage(content)) }
                #expect(told.last == .refused(.malformed, version: GameProtocol.version))
                #expect(table.ends.isEmpty)
                ann.say("still here")
                try await table.wait("the line") { ann.chat.contains { $0.text == "still here" && $0.name == "Ann" } }
            }
        }

        @Test func aPlayerThatReadsNothingIsLetGoAndHoldsNobodyUp() throws {
            try SkirmishTable.open { table in
                let ann = try await table.join("Ann")
                let mute = try await TCPStream.connect(to: "127.0.0.1", port: table.host.address.port!, on: table.loop)
                try mute.set(.receiveBufferSize, to: 4096)
                let hello = ClientMessage.hello(version: 1, name: "Mute", code: "")
                try await mute.write(message: hello.bytes, prefix: .twoBytes)
                try await table.wait("Mute") { ann.seats.contains { $0.name == "Mute" } }
                @MainActor func isUnreferenced() -> Bool {
                    table.lines.contains {
                        $0.contains("Mute") && ($0.contains("too slow") || $0.contains("has taken no byte"))
                    }
                }
                var rounds = 0
                var lastWord = table.loop.now
                while !isUnreferenced(), rounds < 2000 {
                    rounds += 1
                    if lastWord.duration(to: table.loop.now) > .seconds(1) {
                        // It says that it is there, and reads nothing.
                        try await mute.write(message: ClientMessage.ready(false).bytes, prefix: .twoBytes)
                        lastWord = table.loop.now
                    }
                    for number in 0..<50 { table.host.setBots(1 + number % 2) }
                    // Only the last roster of a round has so many: who reads has all of it by then.
                    let bots = 3 + rounds % 2
                    table.host.setBots(bots)
                    try await table.wait("the bots") { ann.seats.count { $0.pilot == 1 } == bots }
                }
                #expect(rounds < 2000)
                #expect(table.ends.isEmpty)
                try await table.wait("its end") { !ann.seats.contains { $0.name == "Mute" } }
                ann.say("still here")
                try await table.wait("the line") { ann.chat.contains { $0.text == "still here" } }
            }
        }

        @Test func aFloodOfChatIsCutAndAFloodOfMessagesEndsItsPlayer() throws {
            try SkirmishTable.open { table in
                let ann = try await table.join("Ann")
                let loud = try await table.join("Loud")
                for number in 0..<20 { loud.say("line \(number)") }
                try await table.loop.sleep(for: .milliseconds(300))
                #expect((1...6).contains(ann.chat.count { $0.name == "Loud" }))
                for _ in 0..<60 { loud.setReady(true) }
                try await table.wait("its end") { table.ends["Loud"] != nil }
                #expect(table.ends["Loud"] as? Refusal == .tooMany)
                #expect(table.ends["Ann"] == nil)
            }
        }

        @Test func nobodyFliesAnothersShipNorIsAnAddressTakenThatWasNotProved() throws {
            try SkirmishTable.open { table in
                let ann = try await table.join("Ann")
                ann.setReady(true)
                try await table.wait("play") { ann.confirmed?.step ?? 0 > 10 }
                let stranger = try UDPSocket(on: table.loop, at: .loopback(port: 0))
                let target = try SocketAddress(host: "127.0.0.1", port: table.host.address.port!)
                let before = table.host.traffic.refusedDatagrams
                let wishes = Array(repeating: Wish(Intent(thrust: Vector(1, 0))), count: 20)
                for token in [1, UInt64.max] {
                    let inputs = ClientDatagram.Inputs(
                        match: 1, acknowledged: 0, stamp: 0, ping: 0, first: 1000, wishes: wishes)
                    try await stranger.send(ClientDatagram.inputs(token: token, inputs).bytes, to: target)
                    try await stranger.send(ClientDatagram.bind(token: token).bytes, to: target)
                }
                try await stranger.send("hello", to: target)
                try await table.wait("the count") { table.host.traffic.refusedDatagrams >= before + 3 }
                let steps = table.host.arena!.world.steps
                try await table.wait("ten steps") { table.host.arena!.world.steps > steps + 10 }
                #expect(table.host.arena!.world.ships[ann.seat].velocity == .zero)
                // Nobody answered a stranger.
                await #expect(throws: TimeoutError.self) {
                    try await withTimeout(.milliseconds(100), clock: table.loop.clock) { try await stranger.receive() }
                }
            }
        }

        @Test func silentConnectionsOfOneAddressDoNotKeepOthersOut() throws {
            try SkirmishTable.open { table in
                var silent: [Int32] = []
                defer { for descriptor in silent { close(descriptor) } }
                for _ in 0..<24 {
                    silent.append(
                        try #require(SkirmishTable.connected(from: "127.0.0.2", to: table.host.address.port!)))
                }
                try await table.loop.sleep(for: .milliseconds(200))
                let ann = try await table.join("Ann")
                try await table.wait("Ann") { ann.seats.contains { $0.name == "Ann" } }
            }
        }

        @Test func aCodeThatIsChangedInTheLobbyHoldsForThoseWhoComeThen() throws {
            try SkirmishTable.open { table in
                let ann = try await table.join("Ann")
                table.host.setCode(MatchCode("blue horse")!)
                await #expect(throws: Refusal.code) { _ = try await table.join("Bob", code: "red horse") }
                _ = try await table.join("Cem", code: "blue horse")
                try await table.wait("Cem") { ann.seats.contains { $0.name == "Cem" } }
                table.host.setBots(5)
                try await table.wait("the bots") { ann.seats.count { $0.pilot == 1 } == 5 }
                #expect(table.host.invitation == "127.0.0.1:\(table.host.address.port!)")
            }
        }

        /// Somebody who speaks the protocol by hand, and says what no game would.
        @MainActor private final class Cheat {
            let stream: TCPStream
            let line: UDPSocket
            let seat: Int
            let token: UInt64
            private let target: SocketAddress

            init(_ table: SkirmishTable, _ name: String) async throws {
                let port = table.host.address.port!
                stream = try await TCPStream.connect(to: "127.0.0.1", port: port, on: table.loop)
                let hello = ClientMessage.hello(version: GameProtocol.version, name: name, code: "")
                try await stream.write(message: hello.bytes, prefix: .twoBytes)
                guard let welcome = try await stream.readMessage(prefix: .twoBytes),
                    case .welcome(let seat, let token, let datagrams) = try HostMessage(welcome)
                else { throw Malformed("no welcome") }
                (self.seat, self.token) = (seat, token)
                target = try SocketAddress(host: "127.0.0.1", port: datagrams)
                line = try UDPSocket(on: table.loop, at: .loopback(port: 0))
            }

            func send(_ datagram: ClientDatagram) async throws { try await line.send(datagram.bytes, to: target) }

            /// Proves the address of its datagrams.
            func bind() async throws {
                try await send(.bind(token: token))
                while true {
                    let bytes = try await line.receive(upTo: 1500).bytes
                    guard case .challenge(_, let nonce) = try HostDatagram(bytes) else { continue }
                    return try await send(.proof(token: token, nonce: nonce))
                }
            }

            func wishes(_ count: Int, first: UInt32, match: Int, _ intent: Intent) -> ClientDatagram {
                .inputs(
                    token: token,
                    .init(
                        match: match, acknowledged: 0, stamp: 0, ping: 0, first: first,
                        wishes: Array(repeating: Wish(intent), count: count)))
            }
        }

        @Test func whoSendsManyTimesTheWishesFliesNoFasterThanTheRules() throws {
            try SkirmishTable.open { table in
                let cheat = try await Cheat(table, "Cheat")
                try await cheat.bind()
                try await cheat.stream.write(message: ClientMessage.ready(true).bytes, prefix: .twoBytes)
                try await table.wait("the match") { table.host.phase == .playing }
                let begin = table.host.arena!.world
                let start = begin.ships[cheat.seat].position
                var first: UInt32 = 1
                // Thirty wishes for each of the host's steps.
                while table.host.arena!.world.steps < begin.steps + 40 {
                    try await cheat.send(cheat.wishes(30, first: first, match: 1, Intent(thrust: Vector(0, -1))))
                    first += 30
                    try await table.loop.sleep(for: .milliseconds(16))
                }
                let world = table.host.arena!.world
                let ship = world.ships[cheat.seat]
                let seconds = Double(world.steps - begin.steps) * World.step
                let flown = (ship.position - start).length
                #expect(ship.velocity.length <= Ship.speed + 0.001)
                #expect(flown > 0 && flown <= Ship.speed * seconds + 0.001, "\(flown) in \(seconds) s")
            }
        }

        @Test func aFloodOfDatagramsEndsItsPlayerAlone() throws {
            try SkirmishTable.open { table in
                let ann = try await table.join("Ann")
                let cheat = try await Cheat(table, "Cheat")
                try await cheat.bind()
                try await table.wait("Cheat") { ann.seats.contains { $0.name == "Cheat" } }
                var sent: UInt32 = 0
                while ann.seats.contains(where: { $0.name == "Cheat" }), sent < 200_000 {
                    for _ in 0..<100 { try await cheat.send(cheat.wishes(1, first: sent, match: 0, Intent())) }
                    sent += 100
                    try await table.loop.sleep(for: .milliseconds(1))
                }
                #expect(sent < 200_000)
                #expect(table.lines.contains { $0.contains("Cheat") && $0.contains("too many") })
                #expect(table.ends.isEmpty)
            }
        }

        @Test func anAddressThatIsNotProvedGetsLessThanItSends() throws {
            try SkirmishTable.open { table in
                // It knows its own token, and writes a victim's address upon its datagrams.
                let cheat = try await Cheat(table, "Cheat")
                try await cheat.stream.write(message: ClientMessage.ready(true).bytes, prefix: .twoBytes)
                try await table.wait("the match") { table.host.phase == .playing }
                let victim = cheat.line
                var sent = 0
                for number in 0..<100 {
                    let bind = ClientDatagram.bind(token: cheat.token)
                    // Proofs that are guessed, and wishes.
                    let proof = ClientDatagram.proof(token: cheat.token, nonce: UInt64(number + 1))
                    for datagram in [bind, proof, cheat.wishes(1, first: 1, match: 1, Intent())] {
                        try await cheat.send(datagram)
                        sent += datagram.bytes.count
                    }
                    try await table.loop.sleep(for: .milliseconds(5))
                }
                var received = 0
                while let bytes = try? await withTimeout(
                    .milliseconds(200), clock: table.loop.clock, { try await victim.receive(upTo: 1500).bytes })
                {
                    #expect(bytes.count <= ClientDatagram.bindBytes)
                    received += bytes.count
                }
                #expect(received > 0 && received < sent / 4, "\(received) of \(sent)")
                #expect(table.host.arena!.world.steps > 10)
            }
        }
    }
}
