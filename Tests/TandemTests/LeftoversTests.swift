// SPDX-License-Identifier: Apache-2.0
// LeftoversTests: what still waits at an end is named, where that is asked for.

import TandemTesting
import Testing

@testable import Tandem

extension Core {
    @Suite struct LeftoversTests {
        private let file = "TandemTests/LeftoversTests.swift"

        private func configuration(_ log: Log, reports: Bool = true) -> Configuration {
            var (configuration, _) = virtualConfiguration()
            configuration.logger = log.logger
            configuration.reportsLeftovers = reports
            return configuration
        }

        @Test func theLoopsEndNamesALostTaskAndAHandlerThatNobodyCanCancel() throws {
            let (log, pipe, other) = (Log(), try Pipe(), try Pipe())
            var kept: IOHandle?
            let line = UInt32(#line) + 2
            try withLoop(configuration: configuration(log)) { host, loop in
                loop.run { try await loop.sleep(for: .seconds(100)) }
                _ = try loop.whenReadable(pipe.reader) {}
                kept = try loop.whenReadable(other.reader) {}
                loop.run({ try await loop.sleep(for: .seconds(200)) }, onDone: { _ in })
                host.tick()
            }
            let report = try #require(log.lines.first { $0.contains("waits end with it") })
            #expect(report.contains("2 of them are lost"))
            #expect(report.contains("a task that nobody awaits, started at \(file):\(line)"))
            #expect(
                report.contains(
                    "since its handle was let go: of descriptor \(pipe.reader.rawValue), made at \(file):\(line + 1)"))
            #expect(!report.contains("let go: of descriptor \(other.reader.rawValue)"))
            #expect(report.contains("a sleep, due in 100.0 seconds, from \(file):\(line)"))
            #expect(kept?.isDone == true)
        }

        @Test func aScenesEndNamesWhatItCallsOff() throws {
            let log = Log()
            let line = UInt32(#line) + 3
            try withLoop(configuration: configuration(log)) { host, loop in
                loop.run {
                    try await loop.withScene { scene in
                        scene.task { try await loop.sleep(for: .seconds(100)) }
                        scene.callLater(.seconds(5)) {}
                        scene.callSoon {}
                        try await loop.sleep(for: .zero)
                    }
                }
                for _ in 0..<5 { host.tick() }
            }
            let report = try #require(log.lines.first { $0.hasPrefix("the scene begun at \(file):\(line) ends") })
            #expect(report.contains("a task, started at \(file):\(line + 1)"))
            #expect(report.contains("a callback, scheduled at \(file):\(line + 2)"))
            #expect(!report.contains("\(file):\(line + 3)"))
        }

        @Test func theScenesOfALoopAreATree() throws {
            let (configuration, clock) = virtualConfiguration()
            try withLoop(configuration: configuration) { host, loop in
                #expect(loop.scenes.isEmpty)
                let line = UInt32(#line) + 2
                loop.run {
                    try await loop.withScene { outer in
                        outer.task { try await loop.withScene { _ in try await loop.sleep(for: .seconds(60)) } }
                        outer.callLater(.seconds(50)) {}
                        try await loop.sleep(for: .seconds(60))
                    }
                }
                loop.run {
                    try await loop.withScene { other in
                        other.clock.isPaused = true
                        try await loop.sleep(for: .seconds(60))
                    }
                }
                for _ in 0..<5 { host.tick() }
                clock.advance(by: .seconds(2))
                let scenes = loop.scenes
                #expect(scenes.map(\.depth) == [0, 1, 0])
                #expect(scenes.map(\.site.line) == [line, line + 1, line + 7])
                #expect(scenes.map(\.tasks) == [2, 1, 1] && scenes.map(\.callbacks) == [1, 0, 0])
                #expect(scenes.map(\.isPaused) == [false, false, true] && !scenes.contains { $0.isEnding })
                #expect(scenes[0].elapsed == .seconds(2) && scenes[2].elapsed == .zero)
                #expect(scenes[1].description.hasPrefix("  scene begun at \(file):\(line + 1), for 2.00 s: 1 tasks"))
            }
        }

        @Test func nobodyIsToldUnlessItIsAskedForOrWhereNothingIsLeft() throws {
            for reports in [false, true] {
                let log = Log()
                try withLoop(configuration: configuration(log, reports: reports)) { host, loop in
                    if !reports { loop.callLater(.seconds(1)) {} }
                    loop.callSoon {}
                    host.tick()
                }
                #expect(log.lines.isEmpty)
            }
        }
    }
}
