// SPDX-License-Identifier: Apache-2.0
// SkirmishNetworkTests: a host and its players on loopback, in one process and on one thread, without a window.

import SkirmishNetwork
import SkirmishProtocol
import SkirmishRules
import Tandem
import Testing

extension SDL {
    @Suite @MainActor struct SkirmishNetworkTests {
        @Test func twoPlayersJoinAndPlayAndSeeTheSame() throws {
            try SkirmishTable.open { table in
                let ann = try await table.join("Ann", wish: SkirmishTable.flight)
                let bob = try await table.join("Bob", wish: SkirmishTable.flight)
                #expect(Set([ann.seat, bob.seat]) == [0, 1])
                ann.setReady(true)
                try await table.wait("the readiness") { bob.seats.first { $0.name == "Ann" }?.isReady == true }
                #expect(table.host.phase == .lobby)
                bob.setReady(true)
                try await table.wait("the match") { ann.phase == .playing && bob.phase == .playing }
                try await table.wait("three seconds of play") {
                    min(ann.confirmed?.step ?? 0, bob.confirmed?.step ?? 0) > 180
                }
                let start = table.host.arena!.world.ships[ann.seat]
                #expect(start.pilot == .person)
                #expect(ann.roundTrip > .zero && ann.roundTrip < .milliseconds(500))
                #expect(ann.traffic.refusedDatagrams == 0)
                // The ship flew where its player wanted.
                #expect(ann.prediction.ship!.velocity != .zero || start.position != World.home(ann.seat, of: 8))
                let gap = (ann.prediction.ship!.position - table.host.arena!.world.ships[ann.seat].position).length
                #expect(gap < 60, "\(gap)")
            }
        }

        /// The system chooses a port by what listeners have. Where other programs have that number for datagrams, it is asked again.
        @Test func aHostFindsAPortThatIsFreeForBothItsSockets() throws {
            try SkirmishTable.open { table in
                var options = HostOptions(address: .loopback(port: 0))
                options.discoveryPort = nil
                let taken = try (0..<300).map { _ in try UDPSocket(on: table.loop, at: .loopback(port: 0)) }
                for _ in 0..<1000 { _ = try HostSession(on: table.loop, options) }
                withExtendedLifetime(taken) {}
            }
        }

        @Test func aMatchEndsForAllWithTheSameScoresAndIsPlayedAgain() throws {
            try SkirmishTable.open { table in
                let ann = try await table.join("Ann", wish: SkirmishTable.flight)
                let bob = try await table.join(
                    "Bob", conditions: .init(latency: .milliseconds(40)), wish: SkirmishTable.flight)
                for match in 1...2 {
                    ann.setReady(true)
                    bob.setReady(true)
                    try await table.wait("match \(match)") { bob.phase == .playing && bob.match == match }
                    try await table.wait("a second of play") {
                        bob.confirmed?.step ?? 0 > 60 && ann.confirmed?.step ?? 0 > 60
                    }
                    table.host.endMatch()
                    try await table.wait("the results") { ann.results?.match == match && bob.results?.match == match }
                    #expect(ann.results == table.host.results && bob.results == table.host.results)
                    #expect(ann.results?.seats.count == 4)
                    try await table.wait("the end") { ann.phase == .over }
                    // What the players have last is what the host has.
                    let steps = table.host.arena!.world.steps
                    try await table.wait("the last state") {
                        ann.confirmed?.step == steps && bob.confirmed?.step == steps
                    }
                    #expect(ann.confirmed?.stateHash == bob.confirmed?.stateHash)
                }
            }
        }

        @Test func whoComesLateTakesASeatAndWhoLeavesGivesItToABot() throws {
            try SkirmishTable.open { table in
                let ann = try await table.join("Ann")
                ann.setReady(true)
                try await table.wait("the match") { ann.confirmed?.step ?? 0 > 30 }
                let bob = try await table.join("Bob", wish: SkirmishTable.flight)
                try await table.wait("Bob's ship") {
                    bob.prediction.ship?.isFlying == true && table.host.arena!.world.ships[bob.seat].pilot == .person
                }
                try await table.wait("Bob at Ann's") { ann.seats.contains { $0.name == "Bob" } }
                bob.leave()
                try await table.wait("a bot") { table.host.arena!.world.ships[bob.seat].pilot == .bot }
                try await table.wait("the news") { ann.chat.contains { $0.text == "Bob has left" } }
                #expect(ann.phase == .playing && table.ends["Ann"] == nil)
                // The name and the seat are free again.
                let again = try await table.join("Bob")
                #expect(again.seat == bob.seat)
            }
        }

        @Test func aHostThatLeavesSaysSo() throws {
            try SkirmishTable.open { table in
                _ = try await table.join("Ann")
                await table.host.close()
                try await table.wait("the end") { table.ends["Ann"] != nil }
                #expect(table.ends["Ann"] as? Refusal == .closed)
            }
        }

        @Test func aHostWhoseTaskIsCancelledSaysGoodByeAllTheSame() throws {
            try SkirmishTable.open { table in
                let stream = try await TCPStream.connect(
                    to: "127.0.0.1", port: table.host.address.port!, on: table.loop)
                let hello = ClientMessage.hello(version: GameProtocol.version, name: "Ann", code: "")
                try await stream.write(message: hello.bytes, prefix: .twoBytes)
                let welcome = try await stream.readMessage(prefix: .twoBytes)
                #expect(welcome != nil)
                table.stopHosting()
                var told: [HostMessage] = []
                for try await content in stream.messages(prefix: .twoBytes) { told.append(try HostMessage(content)) }
                #expect(told.last == .refused(.closed, version: GameProtocol.version))
            }
        }

        @Test func theHostKnowsWhyAPlayerHasLeft() throws {
            try SkirmishTable.open { table in
                let ann = try await table.join("Ann")
                ann.leave()
                try await table.wait("Ann's leave") { table.lines.contains("Ann has left: it said so") }
                // A task that is cancelled says good-bye, too.
                let bob = try await ClientSession.join(
                    "127.0.0.1", port: table.host.address.port!, name: "Bob", code: "", on: table.loop)
                let run = table.scene.run({ try await bob.run() }) { _ in }
                run.cancel()
                try await table.wait("Bob's end") { table.lines.contains("Bob has left: it said so") }
                let stream = try await TCPStream.connect(
                    to: "127.0.0.1", port: table.host.address.port!, on: table.loop)
                let hello = ClientMessage.hello(version: GameProtocol.version, name: "Cem", code: "")
                try await stream.write(message: hello.bytes, prefix: .twoBytes)
                try stream.closeWrite()
                try await table.wait("Cem's end") {
                    table.lines.contains("Cem has left: its connection has ended without a good-bye")
                }
            }
        }

        @Test func aSearchFindsTheGamesOfThisMachine() throws {
            let port = UInt16.random(in: 20_000..<30_000)
            try SkirmishTable.open {
                $0 = HostOptions(address: $0.address)
                $0.name = "Ann's game"
                $0.discoveryPort = port
                $0.code = MatchCode("x")!
            } _: { table in
                let search = Search(on: table.loop, port: port, isLocal: true)
                table.scene.task { try await search.run() }
                try await table.wait("the game") { !search.games.isEmpty }
                let game = search.games[0]
                #expect(game.answer.name == "Ann's game" && game.answer.needsCode && game.answer.people == 0)
                #expect(game.answer.port == table.host.address.port)
                table.stopHosting()
                try await table.wait("its end") { search.games.isEmpty }
            }
        }

        @Test func everySecondWhatEachPlayerHasIsWhatTheHostHadAt150MillisecondsAnd5Percent() throws {
            /// The host's states by their steps, as hashes.
            var hashes: [Int: UInt64] = [:]
            let bad = NetworkConditions(latency: .milliseconds(150), jitter: .milliseconds(20), loss: 5)
            try SkirmishTable.open(onStep: { host in
                guard let snapshot = host.lastSnapshot else { return }
                hashes[snapshot.step] = snapshot.stateHash
            }) { table in
                var players: [ClientSession] = []
                for name in ["Ann", "Bob", "Cem"] {
                    players.append(try await table.join(name, conditions: bad, wish: SkirmishTable.flight))
                }
                for player in players { player.setReady(true) }
                try await table.wait("the match") { players.allSatisfy { $0.phase == .playing } }
                var compared = 0
                for second in 1...6 {
                    for player in players {
                        try await table.wait("second \(second)") { player.confirmed?.step ?? 0 >= second * 60 }
                        let confirmed = player.confirmed!
                        #expect(hashes[confirmed.step] == confirmed.stateHash, "\(player.name), step \(confirmed.step)")
                        compared += 1
                    }
                }
                #expect(compared == 18)
                for player in players {
                    #expect(player.traffic.refusedDatagrams == 0)
                    #expect(player.roundTrip > .milliseconds(140))
                }
                #expect(table.host.traffic.largestSnapshot <= GameProtocol.mostDatagramBytes)
            }
        }

        @Test func aRecordedMatchIsTheSameOnceMore() throws {
            try SkirmishTable.open {
                $0.keepsRecord = true
            } _: { table in
                let ann = try await table.join("Ann", wish: SkirmishTable.flight)
                ann.setReady(true)
                try await table.wait("two seconds of play") { ann.confirmed?.step ?? 0 > 120 }
                let late = try await table.join("Bob", wish: SkirmishTable.flight)
                // How many orders come in a second is the machine's affair.
                try await table.wait("more of it") {
                    late.confirmed?.step ?? 0 > 200 && table.host.arena?.record?.orders.count ?? 0 > 50
                }
                let world = table.host.arena!.world
                let record = try #require(table.host.arena!.record)
                #expect(record.orders.count > 50)
                #expect(record.replayed(steps: world.steps).stateHash == world.stateHash)
            }
        }
    }
}
