// SPDX-License-Identifier: Apache-2.0
// VirtualTimeTests: simulated code sees the simulation's time wherever it asks for it, and nobody else does.

import Foundation
import TandemTesting
import Testing

@testable import Tandem

extension SDL {
    @Suite @MainActor struct VirtualTimeTests {
        @Test func sleepsOfTheStandardLibraryAreExactToTheNanosecond() throws {
            try Simulation.run { simulation in
                let clock = simulation.clock
                try simulation.run {
                    for wanted: Duration in [
                        .nanoseconds(1), .nanoseconds(16_666_667), .milliseconds(3), .microseconds(999_999),
                        .seconds(60),
                    ] {
                        let before = clock.elapsed
                        try await Task.sleep(for: wanted)
                        #expect(clock.elapsed - before == wanted)
                        // However long the machine takes between two lines.
                        usleep(200)
                        try await Task.sleep(until: .now + wanted, clock: .continuous)
                        #expect(clock.elapsed - before == wanted * 2)
                        try await SuspendingClock().sleep(for: wanted)
                        #expect(clock.elapsed - before == wanted * 3)
                    }
                }
            }
        }

        @Test func theMachinesClocksReadInSimulatedCodeAreTheSimulations() throws {
            var readings: [[String]] = []
            for _ in 0..<2 {
                try Simulation.run { simulation in
                    var seen: [String] = []
                    try simulation.run {
                        let start = ContinuousClock.now
                        #expect(start == simulation.loop.now)
                        seen.append("\(Date())")
                        try await Task.sleep(for: .seconds(90))
                        usleep(1000)
                        #expect(start.duration(to: .now) == .seconds(90))
                        seen.append("\(Date().timeIntervalSinceReferenceDate)")
                    }
                    readings.append(seen)
                }
            }
            #expect(readings[0] == ["2001-01-01 00:00:00 +0000", "90.0"])
            #expect(readings[1] == readings[0])
        }

        @Test func betweenTicksAndOnOtherThreadsTheMachinesTimeGoesOn() throws {
            try Simulation.run { simulation in
                let before = Date()
                #expect(before.timeIntervalSinceReferenceDate > 700_000_000)
                let other = Box<Date?>(nil)
                try simulation.run {
                    let done = DispatchSemaphore(value: 0)
                    Thread.detachNewThread {
                        other.value = Date()
                        done.signal()
                    }
                    done.wait()
                    #expect(Date().timeIntervalSinceReferenceDate < 1)
                }
                #expect(try #require(other.value) >= before)
                #expect(Date() >= before)
            }
        }
    }
}
