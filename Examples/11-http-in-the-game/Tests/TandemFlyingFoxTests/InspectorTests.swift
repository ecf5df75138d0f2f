// SPDX-License-Identifier: Apache-2.0
// InspectorTests: what the page is told of a loop, and who may ask.

import FlyingFox
import Foundation
import Glibc
import Logging
import Synchronization
import Tandem
import TandemTesting
import Testing

@testable import TandemInspector

/// What a loop's trace, watchdog and log have said.
private final class Told: Sendable {
    let trace = Mutex<[UInt8]>([])
    let reports = Mutex<[WatchdogReport]>([])
    let log = Mutex<[String]>([])

    var logger: Logger {
        Logger(label: "told") { _ in Lines(told: self) }
    }

    private struct Lines: LogHandler {
        let told: Told
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.debug
        subscript(metadataKey key: String) -> Logger.MetadataValue? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }
        func log(event: LogEvent) { told.log.withLock { $0.append("\(event.message)") } }
    }
}

extension OneAfterAnother {
    @Suite struct InspectorTests {
        private let file = "TandemFlyingFoxTests/InspectorTests.swift"

        private func ask(_ loop: GuestLoop, _ inspector: Inspector, _ request: String) async throws -> String {
            let port = try #require(UInt16(inspector.url.dropFirst("http://127.0.0.1:".count).dropLast()))
            let connection = try await Connection(loop, port)
            defer { try? connection.socket.close() }
            try await connection.send(request)
            return try await connection.answer()
        }

        private func snapshot(_ loop: GuestLoop, _ inspector: Inspector) async throws -> Snapshot {
            let json = try await ask(loop, inspector, "GET /state.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
            return try JSONDecoder().decode(Snapshot.self, from: Data(json.utf8))
        }

        /// On the loop's thread.
        private func on<Value: Sendable>(
            _ loop: GuestLoop, _ body: @escaping @Sendable (GuestLoop) throws -> Value
        ) async throws -> Value {
            try await handedOver { done in
                try loop.post { done(Result { try body(loop) }) }
            }
        }

        @Test func itTellsWhatWaitsSinceWhenAndTheScenes() async throws {
            try await withLoop { loop in
                let line = #line + 2
                let inspector = try await on(loop) { loop in
                    loop.run { try await loop.sleep(for: .seconds(1000)) }
                    loop.run {
                        try await loop.withScene { scene in
                            scene.clock.isPaused = true
                            try await loop.sleep(for: .seconds(2000))
                        }
                    } onDone: { _ in
                    }
                    return try Inspector(loop, logger: Logger(label: "") { _ in SwiftLogNoOpLogHandler() })
                }
                let state = try await snapshot(loop, inspector)
                let sleep = try #require(state.waiting.first { $0.site == "\(file):\(line)" && $0.kind == "sleep" })
                #expect(try #require(sleep.due) > 900_000 && #require(sleep.waited) < 60_000)
                let run = try #require(state.waiting.first { $0.site == "\(file):\(line)" && $0.kind == "run" })
                #expect(run.isLost && !sleep.isLost && run.waited != nil)
                // Its own server is left out.
                let others = ["TandemFlyingFox/", "TandemInspector/"]
                #expect(!state.waiting.contains { wait in others.contains { wait.site?.hasPrefix($0) ?? false } })
                #expect(state.scenes.map(\.site) == ["\(file):\(line + 2)"] && state.scenes[0].isPaused)
                #expect(state.scenes[0].tasks == 1 && state.figures.ticks > 0 && state.process == getpid())
                try await on(loop) { _ in inspector.close() }
            }
        }

        @Test func aGraphOfTheFramesIsKeptWhileSomebodyAsks() throws {
            let host = ManualHost()
            let loop = try host.makeLoop()
            let inspector = try Inspector(loop, logger: Logger(label: "") { _ in SwiftLogNoOpLogHandler() })
            #expect(!loop.hasFrameWaiters, "a page that nobody has open notes no frames")
            let asked = Atomic<Int>(0)
            let answers = Mutex<[Snapshot]>([])
            loop.run { [self] in
                for _ in 0..<2 {
                    let state = try await snapshot(loop, inspector)
                    answers.withLock { $0.append(state) }
                    asked.add(1, ordering: .releasing)
                    if asked.load(ordering: .acquiring) == 1 { try await loop.waitForFrames(8) }
                }
            } onDone: { _ in
            }
            // The host comes back for the next frame.
            loop.run({ while true { try await loop.sleep(for: .milliseconds(2)) } }, onDone: { _ in })
            var number = 0
            #expect(
                host.run(within: .seconds(60)) {
                    if loop.hasFrameWaiters {
                        let frame = Frame(number: number, time: loop.now, delta: .milliseconds(16))
                        for phase in FramePhase.allCases { loop.runPhase(phase, of: frame) }
                        number += 1
                    }
                    return asked.load(ordering: .acquiring) == 2
                })
            let states = answers.withLock { $0 }
            #expect(states.first?.frames.isEmpty ?? false)
            #expect((6...240).contains(states.last?.frames.count ?? 0))
            #expect(states.last?.frames.allSatisfy { $0.milliseconds >= 0 } ?? false)
            loop.close()
        }

        @Test(arguments: ["Host: evil.example", "Host: localhost\r\nOrigin: http://evil.example"])
        func pagesOfElsewhereAreRefused(_ fields: String) async throws {
            try await withLoop { loop in
                let inspector = try await on(loop) { loop in
                    try Inspector(loop, logger: Logger(label: "") { _ in SwiftLogNoOpLogHandler() })
                }
                let answer = try await ask(loop, inspector, "GET /state.json HTTP/1.1\r\n\(fields)\r\n\r\n")
                #expect(answer == "only for this machine's own pages and tools\n")
                let page = try await ask(loop, inspector, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                #expect(page.contains("<title>Tandem inspector</title>"))
            }
        }

        /// The same two faults, found by each of those that can see them.
        @Test func aPlantedCallbackAndALostTaskAreFoundByTraceWatchdogInspectorAndLeakReport() throws {
            let told = Told()
            var configuration = Configuration(logger: told.logger)
            configuration.trace = Trace { bytes in told.trace.withLock { $0 += bytes } }
            configuration.watchdog = Watchdog(limit: .milliseconds(10), takesStack: false) { report in
                told.reports.withLock { $0.append(report) }
            }
            configuration.reportsLeftovers = true
            let host = ManualHost()
            let loop = try host.makeLoop(configuration: configuration)
            let inspector = try Inspector(loop, logger: told.logger)
            let slowLine = #line + 1
            loop.callSoon { usleep(40_000) }
            let lostLine = #line + 1
            loop.run { try await loop.sleep(for: .seconds(1000)) }
            let answer = Mutex<Snapshot?>(nil)
            let run = loop.run { [self] in
                let state = try await snapshot(loop, inspector)
                answer.withLock { $0 = state }
            } onDone: { _ in
            }
            #expect(host.run(within: .seconds(60)) { run.isDone })
            loop.close()
            let (slow, lost) = ("\(file):\(slowLine)", "\(file):\(lostLine)")

            let state = try #require(answer.withLock { $0 })
            let seen = try #require(state.slow.first { $0.site == slow }, "the inspector: \(state.slow)")
            #expect(seen.activity == "callback" && seen.milliseconds >= 10)
            #expect(state.waiting.contains { $0.site == lost && $0.isLost && $0.kind == "run" })

            #expect(told.reports.withLock { $0 }.contains { "\($0.site!)" == slow }, "the watchdog")

            let document = try JSONSerialization.jsonObject(with: Data(told.trace.withLock { $0 })) as? [String: Any]
            let events = try #require(document?["traceEvents"] as? [[String: Any]])
            let ran = try #require(events.first { $0["name"] as? String == "callback \(slow)" }, "the trace")
            #expect(try #require(ran["dur"] as? Double) >= 40_000)
            #expect(events.contains { $0["name"] as? String == "lost task \(lost)" })

            let leaks = try #require(told.log.withLock { $0 }.first { $0.contains("waits end with it") })
            #expect(leaks.contains("a task that nobody awaits, started at \(lost)"))
        }
    }
}
