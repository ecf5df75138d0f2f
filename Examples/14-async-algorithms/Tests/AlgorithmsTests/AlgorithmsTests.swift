// SPDX-License-Identifier: Apache-2.0
// AlgorithmsTests: swift-async-algorithms on clocks of ours, in virtual time.

import AsyncAlgorithms
import Foundation
import Tandem
import TandemTesting
import Testing

@Suite struct AlgorithmsTests {
    @Test func debounceWaitsForARest() async throws {
        try await Stage.perform { stage in
            let source = Source<Int>()
            let record = Record<Int>()
            let thread = pthread_self()
            stage.loop.run { [loop = stage.loop, stage] in
                for await value in source.debounce(for: .milliseconds(100), clock: loop.clock) {
                    #expect(pthread_equal(pthread_self(), thread) != 0)
                    record.entries.append(.init(time: stage.time, value: value))
                }
            }
            stage.settle { source.isDrained }
            // Three in a row, 60 ms apart: only the last one has a rest after it.
            for value in 1...3 {
                source.give(value)
                stage.settle { source.isDrained && stage.loop.statistics.timers == 1 }
                stage.pass(60, sleepers: 1)
            }
            #expect(record.entries.isEmpty)
            stage.pass(39, sleepers: 1)
            #expect(record.entries.isEmpty)
            stage.pass(1, sleepers: 0)
            stage.settle { record.entries.count == 1 }
            #expect(record.entries == [.init(time: 220, value: 3)])
        }
    }

    @Test func debounceRestsWithAPausedGame() async throws {
        try await Stage.perform { stage in
            let game = GameClock(stage.loop)
            let source = Source<Int>()
            let record = Record<Int>()
            stage.loop.run { [stage] in
                for await value in source.debounce(for: .milliseconds(100), clock: game) {
                    record.entries.append(.init(time: stage.time, value: value))
                }
            }
            stage.settle { source.isDrained }
            source.give(1)
            stage.settle { source.isDrained && stage.loop.statistics.timers == 1 }
            stage.pass(50, sleepers: 1)
            game.isPaused = true
            // Ten seconds pass for everybody but the game.
            stage.pass(10_000, sleepers: 0)
            #expect(record.entries.isEmpty)
            game.isPaused = false
            stage.pass(49, sleepers: 1)
            #expect(record.entries.isEmpty)
            stage.pass(1, sleepers: 0)
            stage.settle { record.entries.count == 1 }
            #expect(record.entries == [.init(time: 10_100, value: 1)])
        }
    }

    @Test func throttleLetsOneThroughInEachInterval() async throws {
        try await Stage.perform { stage in
            let source = Source<Int>()
            let record = Record<Int>()
            stage.loop.run { [loop = stage.loop, stage] in
                for await value in source._throttle(for: .milliseconds(100), clock: loop.clock) {
                    record.entries.append(.init(time: stage.time, value: value))
                }
            }
            stage.settle { source.isDrained }
            for value in 0..<20 {
                source.give(value)
                stage.settle { source.isDrained }
                stage.pass(30, sleepers: 0)
            }
            #expect(record.entries.map(\.time) == [0, 120, 240, 360, 480])
            #expect(record.entries.map(\.value) == [0, 4, 8, 12, 16])
        }
    }

    @Test func mergedTimersKeepTheirBeats() async throws {
        try await Stage.perform { stage in
            let record = Record<String>()
            stage.loop.run { [loop = stage.loop, stage] in
                let fast = loop.clock.timer(every: .milliseconds(30)).map { "fast \($0.number)" }
                let slow = loop.clock.timer(every: .milliseconds(70)).map { "slow \($0.number)" }
                for try await value in merge(fast, slow) {
                    record.entries.append(.init(time: stage.time, value: value))
                }
            }
            stage.settle { stage.loop.statistics.timers == 2 }
            for step in 1...14 {
                stage.pass(10, sleepers: 2)
                // The consumer has had its turn, too.
                let due = step * 10 / 30 + step * 10 / 70
                stage.settle { record.entries.count == due }
            }
            #expect(record.entries.map(\.time) == [30, 60, 70, 90, 120, 140])
            #expect(record.entries.map(\.value) == ["fast 1", "fast 2", "slow 1", "fast 3", "fast 4", "slow 2"])
        }
    }

    @Test func chunksEndWithABeatOfTheLoops() async throws {
        try await Stage.perform { stage in
            let source = Source<Int>()
            let record = Record<[Int]>()
            stage.loop.run { [loop = stage.loop, stage] in
                for try await lot in source.chunked(by: loop.clock.timer(every: .milliseconds(100))) {
                    record.entries.append(.init(time: stage.time, value: lot))
                }
            }
            stage.settle { source.isDrained && stage.loop.statistics.timers == 1 }
            for value in 1...12 {
                source.give(value)
                stage.settle { source.isDrained }
                stage.pass(25, sleepers: 1)
                stage.settle { record.entries.count == value / 4 }
            }
            #expect(record.entries.map(\.time) == [100, 200, 300])
            #expect(record.entries.map(\.value) == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12]])
        }
    }

    @Test func aTimerOfTheirsSleepsOnTheLoop() async throws {
        try await Stage.perform { stage in
            let record = Record<Int>()
            stage.loop.run { [loop = stage.loop, stage] in
                for await _ in AsyncTimerSequence(interval: .milliseconds(40), clock: loop.clock) {
                    record.entries.append(.init(time: stage.time, value: record.entries.count))
                }
            }
            stage.settle { stage.loop.statistics.timers == 1 }
            for _ in 0..<10 { stage.pass(20, sleepers: 1) }
            #expect(record.entries.map(\.time) == [40, 80, 120, 160, 200])
        }
    }

    @Test func cancellationLeavesNoSleeper() async throws {
        try await Stage.perform { stage in
            let source = Source<Int>()
            let run = stage.loop.run { [loop = stage.loop] in
                for await _ in source.debounce(for: .seconds(100), clock: loop.clock) {}
            }
            stage.settle { source.isDrained }
            source.give(1)
            stage.settle { source.isDrained && stage.loop.statistics.timers == 1 }
            run.cancel()
            stage.settle { run.isDone && stage.loop.statistics.timers == 0 }
        }
    }
}
