// SPDX-License-Identifier: Apache-2.0
// SimulationXCTests: a simulation under XCTest, whose tests have the main thread itself.

import Tandem
import TandemTesting
import XCTest

// On Linux XCTest does not find synchronous methods of a `@MainActor` class; it calls the others on the main thread.
final class SimulationXCTests: XCTestCase {
    /// A turret that heats up with each shot and cools down by itself.
    @MainActor private final class Turret {
        private let loop: GuestLoop
        private(set) var heat = 0
        private(set) var shots = 0

        init(_ loop: GuestLoop) { self.loop = loop }

        func fire() {
            guard heat < 5 else { return }
            shots += 1
            heat += 1
        }

        func cool() async throws {
            for try await _ in loop.clock.timer(every: .seconds(1)) where heat > 0 { heat -= 1 }
        }
    }

    func testTenMinutesOfAnOverheatingTurret() throws {
        try MainActor.assumeIsolated {
            try Simulation.run { simulation in
                let turret = Turret(simulation.loop)
                let cooling = Task { try await turret.cool() }
                // The player holds the button in every frame.
                try simulation.advance(frames: 36_000) { _ in turret.fire() }
                cooling.cancel()
                try simulation.advance(by: .zero)
                XCTAssertEqual(simulation.frames, 36_000)
                // Five at once, and one for each second after.
                XCTAssertEqual(Double(turret.shots), 604, accuracy: 1)
            }
        }
    }

    func testChildrenSleepInVirtualTime() throws {
        try MainActor.assumeIsolated {
            try Simulation.run { simulation in
                let order = try simulation.run {
                    await withTaskGroup(of: Int.self, returning: [Int].self) { group in
                        for number in [3, 1, 2] {
                            group.addTask {
                                try? await Task.sleep(for: .seconds(number * 60))
                                return number
                            }
                        }
                        var order: [Int] = []
                        for await number in group { order.append(number) }
                        return order
                    }
                }
                XCTAssertEqual(order, [1, 2, 3])
                XCTAssertEqual(simulation.elapsed, .seconds(180))
            }
        }
    }
}
