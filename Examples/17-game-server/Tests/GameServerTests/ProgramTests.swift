// SPDX-License-Identifier: Apache-2.0
// ProgramTests: the server as a process: a whole life under Agones, SIGTERM, wrong use.

import Foundation
import SkirmishNetwork
import Tandem
import Testing

extension MainLoop {
    @Suite @MainActor struct ProgramTests {
        @Test func aWholeLifeUnderAgones() throws {
            try withLoop { loop in
                let agones = SDKStandIn()
                try await agones.serve { sdkPort in
                    let server = try ServerProgram(
                        ["--port", "0", "--drain-seconds", "60"], ["AGONES_SDK_HTTP_PORT": "\(sdkPort)"])
                    defer { server.kill() }
                    let port = try await server.port(loop, after: "hosting on")
                    let page = try await server.port(loop, after: "page on")
                    func standing() async throws -> Standing {
                        try await exchange(loop, page, request("GET /scores.json")).content.decoded(as: Standing.self)
                    }
                    try await eventually(loop, "ready") { agones.now.state == "Ready" }

                    agones.allocate(code: "red horse", capacity: 3)
                    try await eventually(loop, "the capacity") { try await standing().capacity == 3 }
                    await #expect(throws: BotPlayer.Refused("the match code is not this host's")) {
                        _ = try await BotPlayer.join(port: port, name: "Bob", code: "", on: loop)
                    }
                    let ann = try await BotPlayer.join(port: port, name: "Ann", code: "red horse", on: loop)
                    let run = Task { try await ann.run() }
                    try await eventually(loop, "the player") {
                        agones.now.count == 1 && agones.now.state == "Allocated"
                    }
                    try await eventually(loop, "the match") { ann.confirmedSteps > 10 }

                    server.terminate()
                    try await eventually(loop, "the end's beginning") { try await standing().isDraining }
                    // Agones goes on hearing from it while the match is played.
                    let pings = agones.now.pings
                    try await eventually(loop, "pings") { agones.now.pings > pings + 1 }
                    #expect(server.status == nil && ann.isPlaying)
                    run.cancel()
                    try await eventually(loop, "the end") { server.status != nil }
                    #expect(server.status == 0, "\(server.complaint)")
                    #expect(agones.now.state == "Shutdown")
                    #expect(agones.now.calls.first == "POST /ready" && agones.now.calls.last == "POST /shutdown")
                }
                #expect(agones.now.violations == [])
            }
        }

        @Test func aSignalEndsItWhenEverybodyHasBeenTold() throws {
            try withLoop { loop in
                let server = try ServerProgram(["--port", "0", "--drain-seconds", "0"], ["SKIRMISH_CODE": "red horse"])
                defer { server.kill() }
                let port = try await server.port(loop, after: "hosting on")
                _ = try await server.port(loop, after: "page on")
                let ann = try await BotPlayer.join(port: port, name: "Ann", code: "red horse", on: loop)
                let run = Task { try await ann.run() }
                try await eventually(loop, "the match") { ann.isPlaying }
                server.terminate()
                await #expect(throws: BotPlayer.Refused("the host has ended the game")) {
                    try await run.value
                }
                #expect(ann.scores?.hasPrefix("match 1: ") == true)
                try await eventually(loop, "the end") { server.status != nil }
                #expect(server.status == 0, "\(server.complaint)")
                #expect(!server.complaint.contains("red horse"))
            }
        }

        @Test(arguments: [
            (["--bots", "9"], 64), (["--capacity", "0"], 64), (["--frames", "0"], 64), (["--address", "nowhere"], 64),
            (["--port", "65536"], 64), (["--drain-seconds", "-1"], 64), (["--code", "a"], 64),
            (["--address", "192.0.2.1", "--port", "0"], 1),
        ])
        func wrongUseIsTold(arguments: [String], status: Int) throws {
            try withLoop { loop in
                let server = try ServerProgram(arguments)
                defer { server.kill() }
                try await eventually(loop, "the end") { server.status != nil }
                #expect(server.status == Int32(status))
                try await eventually(loop, "the complaint") { !server.complaint.isEmpty }
            }
        }
    }
}
