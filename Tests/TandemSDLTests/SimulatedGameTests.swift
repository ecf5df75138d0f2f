// SPDX-License-Identifier: Apache-2.0
// SimulatedGameTests: a small game in virtual time: how much of it fits into how little, and that it repeats exactly.

import TandemTesting
import Testing

@testable import Tandem

/// A game as people write them: main-actor state, child tasks, an actor, sleeps of every kind.
@MainActor final class SmallGame {
    /// Where scores are kept; an actor on the program's pool, outside of simulations.
    actor Scores {
        private var all: [Int] = []
        func add(_ score: Int) async -> Int {
            await Task.yield()
            all.append(score)
            return all.count
        }
        var total: Int { all.reduce(0, +) }
    }

    private let loop: GuestLoop
    private let clock: GameClock
    private let start: ContinuousClock.Instant
    private var random: UInt64
    private let scores = Scores()
    private(set) var journal: [String] = []
    private(set) var steps = 0
    private(set) var player = 0

    init(_ loop: GuestLoop, seed: UInt64) {
        self.loop = loop
        clock = GameClock(loop)
        start = loop.now
        random = seed
    }

    func note(_ line: String) { journal.append("\(start.duration(to: loop.now) / .milliseconds(1)) \(line)") }

    func press(_ key: String) {
        player += key == "left" ? -1 : 1
        note("key \(key)")
    }

    func step() { steps += 1 }

    private func roll(_ sides: Int) -> Int {
        random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(random >> 33) % sides
    }

    /// Waves of drones, each drone a child task, until the time is over.
    func play(waves: Int) async throws -> Int {
        let pilot = Task { try await fly() }
        defer { pilot.cancel() }
        for wave in 1...waves {
            note("wave \(wave)")
            let delays = (0..<5).map { _ in roll(2000) }
            let hits = await withTaskGroup(of: Int.self, returning: [Int].self) { group in
                for (number, delay) in delays.enumerated() {
                    group.addTask { await self.drone(number, delay) }
                }
                var hits: [Int] = []
                for await hit in group { hits.append(hit) }
                return hits
            }
            note("hits \(hits)")
            async let bonus = Task.detached { hits.reduce(0) { ($0 * 31 + $1) % 1009 } }.value
            let count = await scores.add(await bonus)
            note("bonus \(await bonus), \(count) scores")
            try await Task.sleep(for: .milliseconds(250))
        }
        return await scores.total
    }

    private nonisolated func drone(_ number: Int, _ delay: Int) async -> Int {
        if number % 2 == 0 {
            try? await Task.sleep(for: .milliseconds(delay))
        } else {
            try? await clock.sleep(for: .milliseconds(delay))
        }
        await note("drone \(number)")
        return number
    }

    private func fly() async throws {
        for try await beat in clock.timer(every: .milliseconds(100)) {
            player += roll(3) - 1
            if beat.number % 50 == 0 { note("player \(player)") }
        }
    }
}

extension SDL {
    @Suite @MainActor struct SimulatedGameTests {
        private func journal(seed: UInt64, waves: Int) throws -> [String] {
            try Simulation.run { simulation in
                let game = SmallGame(simulation.loop, seed: seed)
                simulation.play([(.milliseconds(700), "left"), (.milliseconds(1500), "right"), (.seconds(2), "left")]) {
                    game.press($0)
                }
                let total = try simulation.run { try await game.play(waves: waves) }
                try simulation.runUntilIdle()
                return game.journal + ["total \(total) after \(simulation.elapsed)"]
            }
        }

        @Test func aGameRepeatsExactly() throws {
            let first = try journal(seed: 7, waves: 4)
            #expect(first.count > 30)
            #expect(first.contains { $0.hasSuffix("key right") })
            for _ in 0..<100 {
                let again = try journal(seed: 7, waves: 4)
                try #require(again == first)
            }
            let other = try journal(seed: 8, waves: 4)
            #expect(other != first)
        }

        /// How fast is printed, not tested: 36,000 frames.
        @Test func tenMinutesOfAGameAreAMomentsWork() throws {
            let took = try ContinuousClock().measure {
                try Simulation.run(allowsLeftovers: true) { simulation in
                    let game = SmallGame(simulation.loop, seed: 3)
                    let play = Task { try await game.play(waves: 10_000) }
                    try simulation.advance(frames: 36_000) { _ in game.step() }
                    play.cancel()
                    try simulation.advance(by: .zero)
                    #expect(game.steps == 36_000)
                    #expect(simulation.elapsed >= .seconds(600) && simulation.elapsed < .seconds(601))
                    #expect(game.journal.count > 2000)
                }
            }
            print("ten minutes of a small game: \(took)")
        }
    }
}
