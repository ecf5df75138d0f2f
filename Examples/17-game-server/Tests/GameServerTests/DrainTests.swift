// SPDX-License-Identifier: Apache-2.0
// DrainTests: how a server ends: nobody comes in, the match ends or its time is up, everybody is told.

import SkirmishNetwork
import SkirmishServer
import Tandem
import Testing

extension MainLoop {
    @Suite @MainActor struct DrainTests {
        private static let goodBye = BotPlayer.Refused("the host has ended the game")

        @Test func aMatchWhoseTimeIsUpEndsWithItsScoresAndEverybodyIsTold() throws {
            try Table.open({ $0.drainLimit = .milliseconds(300) }) { table in
                let (ann, annsRun) = try await table.join("Ann")
                let (bob, bobsRun) = try await table.join("Bob")
                try await table.wait("the match") { ann.confirmedSteps > 10 && bob.confirmedSteps > 10 }
                await table.server.drain()
                await #expect(throws: Self.goodBye) { try await annsRun.value }
                await #expect(throws: Self.goodBye) { try await bobsRun.value }
                #expect(ann.scores?.hasPrefix("match 1: ") == true)
                #expect(ann.scores == bob.scores)
                #expect(ann.chat.contains("The server ends after this match"))
                #expect(table.server.host.standing.phase == "over")
            }
        }

        @Test func whatAnOnlookerSeesAtTheEndIsWhatThePlayersHave() throws {
            try Table.open({ ($0.drainLimit, $0.host.bots) = (.zero, 1) }) { table in
                let (ann, annsRun) = try await table.join("Ann")
                let (bob, bobsRun) = try await table.join("Bob")
                try await table.wait("the match") { ann.confirmedSteps > 10 && bob.confirmedSteps > 10 }
                let views = try #require(table.server.page.join())
                let last = Task {
                    var last = ""
                    for await view in views { last = view }
                    return try last.decoded(as: Seen.self)
                }
                await table.server.drain()
                table.server.page.close()
                for run in [annsRun, bobsRun] { await #expect(throws: Self.goodBye) { try await run.value } }
                let standing = try await last.value.standing
                let seats = standing.players.map { "\($0.seat) \($0.name) \($0.score)" }.joined(separator: ", ")
                #expect("match \(standing.match): \(standing.total); \(seats)" == ann.scores)
                #expect(standing.players.map(\.isPerson) == [true, true, false])
            }
        }

        @Test func aMatchGoesOnWhileTheServerDrainsUntilItsPeopleHaveLeft() throws {
            try Table.open { table in
                let (ann, run) = try await table.join("Ann")
                try await table.wait("the match") { ann.isPlaying }
                let draining = Task { await table.server.drain() }
                try await table.wait("the news") { ann.chat.contains("The server ends after this match") }
                await #expect(throws: BotPlayer.Refused("the host ends soon, and lets nobody in any more")) {
                    _ = try await table.join("Bob")
                }
                let steps = ann.confirmedSteps
                try await table.wait("a second of play") { ann.confirmedSteps > steps + 60 }
                #expect(table.server.host.standing.isDraining)
                run.cancel()
                await draining.value
                #expect(table.server.host.standing.phase == "over")
                #expect(table.server.host.people == 0)
            }
        }

        @Test func aServerThatDrainsBeginsNoMatch() throws {
            try Table.open({ $0.hasExhibition = true }) { table in
                try await table.wait("bots at play") { table.server.host.standing.match == 1 }
                // Bots are not waited for.
                await table.server.drain()
                let steps = table.server.host.figures.steps
                try await table.wait("two seconds") { table.server.host.figures.steps > steps + 120 }
                #expect(table.server.host.standing.match == 1)
            }
        }

        @Test func whoeverIsThereWhenTheServersTaskEndsIsToldToo() throws {
            try withLoop { loop in
                let server = try MatchServer(on: loop)
                let running = Task { try await server.run() }
                let ann = try await BotPlayer.join(port: server.host.port, name: "Ann", on: loop)
                let run = Task { try await ann.run() }
                try await eventually(loop, "the match") { ann.isPlaying }
                running.cancel()
                await #expect(throws: Self.goodBye) { try await run.value }
                _ = await running.result
            }
        }
    }
}
