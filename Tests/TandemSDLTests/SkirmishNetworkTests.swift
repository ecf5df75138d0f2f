// SPDX-License-Identifier: Apache-2.0
// SkirmishNetworkTests: a host and its players on loopback, in one process and on one thread, without a window.

import Foundation
import Logging
import SkirmishNetwork
import SkirmishProtocol
import SkirmishRules
import Tandem
import TandemTesting
import Testing

extension SDL {
    @Suite @MainActor struct SkirmishNetworkTests {
        /// What a host's log said.
        fileprivate final class Journal: LogHandler, @unchecked Sendable {
            // Safe: written on the main actor only.
            var lines: [String] = []
            var metadata: Logger.Metadata = [:]
            var logLevel = Logger.Level.info
            subscript(metadataKey key: String) -> Logger.Metadata.Value? {
                get { metadata[key] }
                set { metadata[key] = newValue }
            }
            func log(event: LogEvent) { lines.append("\(event.message)") }
        }

        @MainActor fileprivate final class Table {
            let loop: GuestLoop
            let host: HostSession
            private let journal: Journal
            let scene: Scene
            private let hosting: GuestRun<Void>
            var ends: [String: any Error] = [:]

            fileprivate init(
                _ scene: Scene, _ options: HostOptions, _ journal: Journal,
                _ onStep: (@MainActor (HostSession) -> Void)?
            ) throws {
                (self.scene, loop) = (scene, scene.loop)
                self.journal = journal
                let session = try HostSession(on: scene.loop, options, logger: Logger(label: "test") { _ in journal })
                host = session
                guard let onStep else {
                    hosting = scene.run({ try await session.runAlone() }) { _ in }
                    return
                }
                hosting = scene.run({ try await session.run() }) { _ in }
                scene.task { try await session.runMatches(scene.clock) }
                scene.task {
                    for try await beat in scene.clock.timer(every: .seconds(World.step)) {
                        for _ in 0...min(beat.missed, 5) {
                            session.step()
                            onStep(session)
                        }
                    }
                }
            }

            var lines: [String] { journal.lines }

            /// Joins, and plays by itself; `wish` is asked for each step.
            func join(
                _ name: String, code: String = "", conditions: NetworkConditions = .init(),
                wish: @escaping @MainActor (ClientSession) -> Intent = { _ in Intent() }
            ) async throws -> ClientSession {
                let session = try await ClientSession.join(
                    "127.0.0.1", port: host.address.port!, name: name, code: code, conditions: conditions, on: loop)
                scene.run({ try await session.run() }) { [self] result in
                    if case .failure(let error) = result { ends[name] = error }
                }
                let loop = loop
                scene.task {
                    for try await beat in loop.clock.timer(every: .seconds(World.step)) {
                        for _ in 0...min(beat.missed, 5) { session.step(wish(session)) }
                        _ = session.picture()
                    }
                }
                return session
            }

            func wait(
                _ what: String, for limit: Duration = .seconds(20), until condition: () -> Bool
            ) async throws {
                let end = loop.now.advanced(by: limit)
                while !condition() {
                    guard loop.now < end else {
                        Issue.record("\(what) did not come within \(limit); the host said \(lines)")
                        throw CancellationError()
                    }
                    try await loop.sleep(for: .milliseconds(5))
                }
            }

            func stopHosting() { hosting.cancel() }
        }

        /// A host on a free port of this machine, and whatever `body` does with it.
        ///
        /// - Parameter onStep: Called after each of the host's steps.
        private func withTable(
            _ change: (inout HostOptions) -> Void = { _ in }, onStep: (@MainActor (HostSession) -> Void)? = nil,
            _ body: @escaping @MainActor (Table) async throws -> Void
        ) throws {
            var options = HostOptions(address: .loopback(port: 0))
            options.discoveryPort = nil
            change(&options)
            let host = ManualHost()
            let loop = try host.makeLoop(configuration: .unhurried)
            defer { loop.close() }
            try loop.adoptMainActor()
            let registrations = loop.statistics.registrations
            var outcome: Result<Void, any Error>?
            let main: @MainActor () async throws -> Void = { [options] in
                try await loop.withScene { scene in
                    try await body(Table(scene, options, Journal(), onStep))
                }
            }
            loop.run({ try await main() }) { outcome = $0 }
            let hasEnded = host.run(within: .seconds(60)) { outcome != nil }
            #expect(hasEnded)
            do { try outcome?.get() } catch is CancellationError {}
            // No descriptor of a session outlives it.
            #expect(loop.statistics.registrations == registrations)
        }

        private func flight(_ session: ClientSession) -> Intent {
            guard let world = session.confirmed.map({ $0.picture(towards: $0, part: 0, seat: nil, own: nil) }) else {
                return Intent()
            }
            return BotPilot.decide(world, ship: session.seat)
        }

        @Test func twoPlayersJoinAndPlayAndSeeTheSame() throws {
            try withTable { table in
                let ann = try await table.join("Ann", wish: self.flight)
                let bob = try await table.join("Bob", wish: self.flight)
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

        @Test func aMatchEndsForAllWithTheSameScoresAndIsPlayedAgain() throws {
            try withTable { table in
                let ann = try await table.join("Ann", wish: self.flight)
                let bob = try await table.join("Bob", conditions: .init(latency: .milliseconds(40)), wish: self.flight)
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
            try withTable { table in
                let ann = try await table.join("Ann")
                ann.setReady(true)
                try await table.wait("the match") { ann.confirmed?.step ?? 0 > 30 }
                let bob = try await table.join("Bob", wish: self.flight)
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
            try withTable { table in
                _ = try await table.join("Ann")
                await table.host.close()
                try await table.wait("the end") { table.ends["Ann"] != nil }
                #expect(table.ends["Ann"] as? Refusal == .closed)
            }
        }

        @Test func aPlayerThatFallsSilentIsLostAndTheOthersPlayOn() throws {
            try withTable { table in
                let ann = try await table.join("Ann")
                // Connects, and never says anything again: no datagram, no message.
                let mute = try await TCPStream.connect(to: "127.0.0.1", port: table.host.address.port!, on: table.loop)
                try await mute.write(ClientMessage.hello(version: 1, name: "Mute", code: "").bytes)
                try await table.wait("Mute") { ann.seats.contains { $0.name == "Mute" } }
                try await table.wait("the silence") { !ann.seats.contains { $0.name == "Mute" } }
                #expect(table.lines.contains { $0.contains("Mute") && $0.contains("five seconds") })
                #expect(table.ends.isEmpty)
            }
        }

        @Test func whoIsNotLetInIsToldWhy() throws {
            try withTable {
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
            try withTable { table in
                let stream = try await TCPStream.connect(
                    to: "127.0.0.1", port: table.host.address.port!, on: table.loop)
                try await stream.write(ClientMessage.hello(version: 7, name: "Ann", code: "").bytes)
                var framer = MessageFramer()
                framer.append(try await stream.read(upTo: 100))
                let answer = try HostMessage(try #require(try framer.next()))
                #expect(answer == .refused(.version, version: GameProtocol.version))
            }
        }

        @Test func whoTriesTooOftenIsNotLetInAnyMore() throws {
            try withTable {
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
            try withTable { table in
                let ann = try await table.join("Ann")
                let bad = try await TCPStream.connect(to: "127.0.0.1", port: table.host.address.port!, on: table.loop)
                try await bad.write(ClientMessage.hello(version: 1, name: "Bad", code: "").bytes)
                try await table.wait("Bad") { ann.seats.contains { $0.name == "Bad" } }
                try await bad.write([0, 1, 200])
                try await table.wait("its end") { !ann.seats.contains { $0.name == "Bad" } }
                #expect(table.lines.contains { $0.contains("Bad") && $0.contains("unknown kind 200") })
                // It was told, before the connection ended.
                var framer = MessageFramer()
                var told: [HostMessage] = []
                while case let bytes = try await bad.read(upTo: 4096), !bytes.isEmpty { framer.append(bytes) }
                while let content = try framer.next() { told.append(try HostMessage(content)) }
                #expect(told.last == .refused(.malformed, version: GameProtocol.version))
                #expect(table.ends.isEmpty)
                ann.say("still here")
                try await table.wait("the line") { ann.chat.contains { $0.text == "still here" && $0.name == "Ann" } }
            }
        }

        @Test func aFloodOfChatIsCutAndAFloodOfMessagesEndsItsPlayer() throws {
            try withTable { table in
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
            try withTable { table in
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

        @Test func aSearchFindsTheGamesOfThisMachine() throws {
            let port = UInt16.random(in: 20_000..<30_000)
            try withTable {
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
            try withTable(onStep: { host in
                guard let snapshot = host.lastSnapshot else { return }
                hashes[snapshot.step] = snapshot.stateHash
            }) { table in
                var players: [ClientSession] = []
                for name in ["Ann", "Bob", "Cem"] {
                    players.append(try await table.join(name, conditions: bad, wish: self.flight))
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

        @Test func silentConnectionsOfOneAddressDoNotKeepOthersOut() throws {
            try withTable { table in
                var silent: [Int32] = []
                defer { for descriptor in silent { close(descriptor) } }
                for _ in 0..<24 {
                    silent.append(try #require(connected(from: "127.0.0.2", to: table.host.address.port!)))
                }
                try await table.loop.sleep(for: .milliseconds(200))
                let ann = try await table.join("Ann")
                try await table.wait("Ann") { ann.seats.contains { $0.name == "Ann" } }
            }
        }

        /// A connection from an address of this machine. `nil`: there is none.
        private func connected(from host: String, to port: UInt16) -> Int32? {
            func address(_ host: String, _ port: UInt16) -> sockaddr_in {
                var address = sockaddr_in()
                address.sin_family = sa_family_t(AF_INET)
                address.sin_port = port.bigEndian
                inet_pton(AF_INET, host, &address.sin_addr)
                return address
            }
            func with(_ address: sockaddr_in, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
                var address = address
                return withUnsafePointer(to: &address) {
                    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
                    }
                }
            }
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            guard descriptor >= 0 else { return nil }
            guard with(address(host, 0), { bind(descriptor, $0, $1) }) == 0,
                with(address("127.0.0.1", port), { connect(descriptor, $0, $1) }) == 0
            else {
                close(descriptor)
                return nil
            }
            return descriptor
        }

        @Test func aCodeThatIsChangedInTheLobbyHoldsForThoseWhoComeThen() throws {
            try withTable { table in
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

        @Test func aRecordedMatchIsTheSameOnceMore() throws {
            try withTable {
                $0.keepsRecord = true
            } _: { table in
                let ann = try await table.join("Ann", wish: self.flight)
                ann.setReady(true)
                try await table.wait("two seconds of play") { ann.confirmed?.step ?? 0 > 120 }
                let late = try await table.join("Bob", wish: self.flight)
                try await table.wait("more of it") { late.confirmed?.step ?? 0 > 200 }
                let world = table.host.arena!.world
                let record = try #require(table.host.arena!.record)
                #expect(record.orders.count > 50)
                #expect(record.replayed(steps: world.steps).stateHash == world.stateHash)
            }
        }
    }
}
