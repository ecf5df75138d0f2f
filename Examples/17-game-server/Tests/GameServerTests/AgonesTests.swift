// SPDX-License-Identifier: Apache-2.0
// AgonesTests: what the stand-in of the SDK server is told, and what the record does.

import AgonesSDK
import Foundation
import SkirmishNetwork
import SkirmishServer
import Tandem
import Testing

/// A game that only counts.
@MainActor private final class Game: ManagedGame {
    var occupancy = Occupancy(people: 0, isOpen: true)
    private(set) var records: [GameServerRecord] = []
    func take(_ record: GameServerRecord) { records.append(record) }
}

extension MainLoop {
    @Suite @MainActor struct AgonesTests {
        /// Reports a game that only counts to a stand-in, a hundred times a second.
        private func report(
            _ agones: SDKStandIn = SDKStandIn(),
            _ body: @escaping @MainActor (GuestLoop, Game, SDKStandIn) async throws -> Void
        ) throws {
            try withLoop { loop in
                try await agones.serve { port in
                    let game = Game()
                    let service = AgonesService(game, sdk: SDKClient(port: port), every: .milliseconds(10))
                    let running = Task.detached { try await service.run() }
                    let outcome: Result<Void, any Error>
                    do { outcome = .success(try await body(loop, game, agones)) } catch { outcome = .failure(error) }
                    running.cancel()
                    _ = await running.result
                    try outcome.get()
                }
                #expect(agones.now.violations == [])
            }
        }

        @Test func aLoopThatHangsSendsNoPings() throws {
            try report { loop, _, agones in
                try await eventually(loop, "three pings") { agones.now.pings >= 3 }
                let before = agones.now.pings
                usleep(300_000)
                // One may have been on its way.
                let during = agones.now.pings - before
                #expect(during <= 1)
                try await eventually(loop, "pings again") { agones.now.pings > before + during }
            }
        }

        @Test func whoComesAllocatesTheServerAndWhoLeavesMakesItReadyAgain() throws {
            try report { loop, game, agones in
                try await eventually(loop, "ready") { agones.now.calls.contains("count 0") }
                game.occupancy.people = 2
                try await eventually(loop, "two players") { agones.now.count == 2 }
                #expect(agones.now.state == "Allocated")
                game.occupancy.people = 0
                try await eventually(loop, "no players") { agones.now.count == 0 }
                #expect(agones.now.state == "Ready")
                #expect(
                    agones.now.calls == [
                        "POST /ready", "count 0", "POST /allocate", "count 2", "POST /ready", "count 0",
                    ])
            }
        }

        /// Whoever asks for a server must not get one that ends.
        @Test func aServerThatDrainsIsNotReadyAgain() throws {
            try report { loop, game, agones in
                game.occupancy.people = 1
                try await eventually(loop, "the player") { agones.now.count == 1 }
                game.occupancy = Occupancy(people: 0, isOpen: false)
                try await eventually(loop, "nobody") { agones.now.count == 0 }
                let pings = agones.now.pings
                try await eventually(loop, "pings") { agones.now.pings > pings + 2 }
                #expect(agones.now.state == "Allocated")
            }
        }

        @Test func anSDKServerThatBeginsLaterIsWaitedFor() throws {
            let agones = SDKStandIn()
            agones.change { $0.failures = 5 }
            try report(agones) { loop, game, agones in
                try await eventually(loop, "ready") { agones.now.state == "Ready" && agones.now.pings > 0 }
                try await eventually(loop, "the record") { !game.records.isEmpty }
            }
        }

        @Test func eachChangeOfTheRecordArrives() throws {
            try report { loop, game, agones in
                try await eventually(loop, "ready") { agones.now.state == "Ready" }
                agones.allocate(code: "red horse", capacity: 4)
                try await eventually(loop, "the allocation") { game.records.last?.status?.state == "Allocated" }
                let record = try #require(game.records.last)
                #expect(record.metadata?.annotations?[MatchServer.codeAnnotation] == "red horse")
                #expect(record.status?.counters?["players"]?.capacity == 4)
                // A watch that has ended begins again.
                let seen = game.records.count
                agones.change { state in
                    for watcher in state.watchers { watcher.finish() }
                    state.watchers = []
                }
                try await eventually(loop, "the record, again") { game.records.count > seen }
            }
        }

        @Test func theRecordsCodeAndCapacityAreTheMatchs() throws {
            try Table.open { table in
                let json = #"""
                    {"object_meta": {"annotations": {"skirmish/code": "red horse"}},
                     "status": {"state": "Allocated", "counters": {"players": {"count": "0", "capacity": "1"}}}}
                    """#
                table.server.take(try json.decoded(as: GameServerRecord.self))
                await #expect(throws: BotPlayer.Refused("the match code is not this host's")) {
                    _ = try await table.join("Ann", code: "blue horse")
                }
                let (_, run) = try await table.join("Ann", code: "red horse")
                defer { run.cancel() }
                await #expect(throws: BotPlayer.Refused("all seats are taken")) {
                    _ = try await table.join("Bob", code: "red horse")
                }
            }
        }

        @Test func thePortThatTheServerWasGivenIsAskedFor() throws {
            try withLoop { loop in
                let agones = SDKStandIn()
                agones.change { $0.failures = 2 }
                try await agones.serve { port in
                    let sdk = SDKClient(port: port)
                    let none = try await sdk.port(named: "game", within: .seconds(20))
                    #expect(none == nil)
                    agones.change { $0.gamePort = 7654 }
                    let given = try await sdk.port(named: "game", within: .seconds(20))
                    #expect(given == 7654)
                }
            }
        }

        /// The stand-in would let nothing through that the interface does not have.
        @Test func theStandInIsStrict() throws {
            try withLoop { loop in
                let agones = SDKStandIn()
                try await agones.serve { port in
                    let json = "Content-Type: application/json\r\n"
                    for (line, fields, body, answer) in [
                        ("POST /allocate", json, "{}", 400),
                        ("POST /ready", json, "", 400),
                        ("POST /ready", "", "{}", 400),
                        ("POST /ready", json, #"{"now": true}"#, 400),
                        ("POST /readiness", json, "{}", 404),
                        ("PUT /ready", json, "{}", 404),
                        ("PATCH /v1beta1/counters/players", json, #"{"count": "9"}"#, 400),
                        ("PATCH /v1beta1/counters/players", json, #"{"count": 1}"#, 400),
                        ("POST /ready", json, "{}", 200),
                        ("POST /shutdown", json, "{}", 200),
                        ("POST /ready", json, "{}", 400),
                    ] {
                        let length = "Content-Length: \(body.utf8.count)\r\n"
                        let said = try await exchange(loop, port, request(line, fields + length, body: body))
                        #expect(said.hasPrefix("HTTP/1.1 \(answer)"), "\(line) \(body): \(said)")
                    }
                    #expect(agones.now.violations.count == 9)
                    #expect(agones.now.calls == ["POST /ready", "POST /shutdown"])
                    await #expect(throws: SDKClient.Failure.self) { try await SDKClient(port: port).ready() }
                }
            }
        }
    }
}
