// SPDX-License-Identifier: Apache-2.0
// HostedMatchTests: the match without a window, in virtual time.

import Foundation
import Tandem
import TandemTesting
import Testing

@testable import SkirmishMatch

extension SDL {
    @Suite @MainActor struct HostedMatchTests {
        /// Plays for so many seconds of virtual time, and gives what an onlooker saw at the end.
        private func play(seed: UInt64, seconds: Double, order: MatchOrder? = nil) throws -> (
            state: MatchState, steps: Int
        ) {
            let host = ManualHost()
            let clock = VirtualClock()
            var configuration = Configuration()
            configuration.timeSource = clock
            let loop = try host.makeLoop(configuration: configuration)
            defer { loop.close() }
            try loop.adoptMainActor()
            let match = HostedMatch(on: loop, seed: seed, bots: 2)
            var steps = 0
            if let order { match.steer(order) }
            let main: @MainActor () async throws -> Void = { try await match.play { steps += 1 } }
            loop.run { try await main() }
            host.tick(budget: .seconds(10))
            while clock.elapsed < .seconds(seconds), !match.state.isOver {
                // Each deadline by itself, as a machine that is never late would.
                clock.advance(to: try #require(loop.nextDeadline))
                while loop.hasWork { host.tick(budget: .seconds(10)) }
            }
            return (match.state, steps)
        }

        @Test func theBotsBeatTheFirstWave() throws {
            let (state, steps) = try play(seed: 7, seconds: 30)
            #expect(state.wave >= 2)
            #expect(state.score > 0)
            #expect(state.step == steps)
            #expect(steps >= 1799)
        }

        @Test func theSameSeedIsTheSameMatch() throws {
            let first = try play(seed: 3, seconds: 20).state
            #expect(try play(seed: 3, seconds: 20).state == first)
            #expect(try play(seed: 4, seconds: 20).state != first)
        }

        @Test func anOrderMovesTheFirstShip() throws {
            let idle = try play(seed: 1, seconds: 1, order: MatchOrder())
            let moved = try play(seed: 1, seconds: 1, order: MatchOrder(x: 1))
            #expect(moved.state.ships[0].x > idle.state.ships[0].x + 100)
            #expect(moved.state.ships[0].y == idle.state.ships[0].y)
        }

        @Test func aStateIsTheSameAfterItsJourney() throws {
            let state = try play(seed: 7, seconds: 10).state
            #expect(!state.things.isEmpty)
            #expect(try JSONDecoder().decode(MatchState.self, from: JSONEncoder().encode(state)) == state)
        }
    }
}
