// SPDX-License-Identifier: Apache-2.0
// ExtremeWaitTests: every duration that the host and the simulation take, at and beyond the ends of what 64 bits of nanoseconds and 128 bits of
// attoseconds hold. As the core's ExtremeTimeTests.

import Foundation
import TandemTesting
import Testing

@testable import Tandem
@testable import TandemSDL

private let extremes: [Duration] = [
    .zero, Duration(attoseconds: 1), Duration(attoseconds: -1), .seconds(-20_000_000_000), .seconds(20_000_000_000),
    .nanoseconds(Int64.max), .nanoseconds(Int64.min), .seconds(Int64.max), .seconds(Int64.min),
    Duration(attoseconds: .max), Duration(attoseconds: .min),
]

extension SDL {
    @Suite @MainActor struct ExtremeWaitTests {
        @Test(arguments: extremes, [false, true])
        func aWaitTakesAnyTimeout(_ timeout: Duration, throughSDL: Bool) throws {
            try withGuest { guest in
                guest.forcesSDLWait = throughSDL
                var event = SDL_Event()
                while guest.waitEvent(&event, timeout: .zero) {}
                var hasFired = false
                guest.loop.callLater(.milliseconds(5)) { hasFired = true }
                #expect(!guest.waitEvent(&event, timeout: timeout))
                let end = ContinuousClock.now + .seconds(20)
                while !hasFired, ContinuousClock.now < end {
                    guest.tick(budget: timeout)
                    if !hasFired { _ = guest.waitEvent(&event, timeout: timeout) }
                }
                #expect(hasFired)
            }
        }

        @Test(arguments: extremes) func aFrameLoopTakesAnyStepAndDelta(_ duration: Duration) throws {
            try withGuest { guest in
                let frames = FrameLoop(guest, pace: .fixed(framesPerSecond: 500))
                if duration > .zero { frames.fixedStep = duration }
                frames.maximumDelta = duration
                frames.frameLimit = 5
                var deltas: [Duration] = []
                #expect(frames.run(update: { deltas.append($0.delta) }) == 5)
                #expect(deltas.allSatisfy { $0 >= .zero })
            }
        }

        @Test(arguments: extremes) func aSimulationTakesAnyTime(_ duration: Duration) throws {
            try Simulation.run(allowsLeftovers: true) { simulation in
                var count = 0
                if duration >= .zero {
                    simulation.at(duration) { count += 1 }
                    simulation.loop.callLater(duration) {}
                }
                let limited = Result { try simulation.runUntilIdle(limit: duration) }
                if duration > .seconds(1) || duration == .zero { #expect(count == 1, "\(limited)") }
                if duration >= .zero {
                    try simulation.advance(by: duration)
                    try simulation.advance(by: duration)
                    try simulation.advance(to: max(simulation.elapsed, duration))
                }
                #expect(simulation.elapsed >= .zero)
            }
            try Simulation.run(allowsLeftovers: true) { simulation in
                let loop = simulation.loop
                simulation.patience = min(duration, .milliseconds(1))
                let value = Result {
                    try simulation.run(limit: duration) { try await loop.sleep(for: .milliseconds(1)) }
                }
                if duration > .seconds(1) {
                    try value.get()
                } else {
                    #expect(throws: SimulationError.self) { try value.get() }
                }
            }
            guard duration > .zero else { return }
            try Simulation.run(allowsLeftovers: true) { simulation in
                simulation.framePeriod = duration
                simulation.fixedStep = duration
                try simulation.advance(frames: 3) { #expect($0.delta >= .zero) }
            }
        }
    }
}
