// SPDX-License-Identifier: Apache-2.0
// SimulationEndTests: a loop that closes while it is simulated or replayed.

import Foundation
import Testing

@testable import Tandem
@testable import TandemTesting

extension SDL {
    @Suite @MainActor struct SimulationEndTests {
        /// The run is busy elsewhere and does not answer its cancellation: closing gives it up after the grace period, which is the machine's.
        @Test(.timeLimit(.minutes(1))) func anInputThatClosesTheLoopWaitsNoLongerThanTheGracePeriod() throws {
            let gate = DispatchSemaphore(value: 0)
            defer { gate.signal() }
            var configuration = Configuration()
            configuration.closeGrace = .milliseconds(50)
            let start = ContinuousClock.now
            var closedAt: Duration?
            var seen: [Duration] = []
            let error = #expect(throws: GuestError.self) {
                try Simulation.run(configuration: configuration) { simulation in
                    let loop = simulation.loop
                    let virtualStart = loop.now
                    Task {
                        do { try await Task.sleep(for: .seconds(1_000_000)) } catch {}
                        seen.append(virtualStart.duration(to: ContinuousClock.now))
                    }
                    simulation.at(.seconds(5 * 3600)) {
                        loop.close()
                        closedAt = simulation.elapsed
                        // What comes after the close in the same input is simulated as before.
                        seen.append(virtualStart.duration(to: ContinuousClock.now))
                    }
                    try simulation.run(limit: .seconds(24 * 3600)) {
                        await withUnsafeContinuation { continuation in
                            DispatchQueue.global().async {
                                gate.wait()
                                continuation.resume()
                            }
                        }
                    }
                }
            }
            #expect(error?.code == .abandoned)
            #expect(closedAt == .seconds(5 * 3600))
            #expect(seen == [.seconds(5 * 3600), .seconds(5 * 3600)])
            #expect(start.duration(to: ContinuousClock.now) < .seconds(20))
        }

        /// Callbacks that go on scheduling callbacks have the grace period, too, wherever the loop was closed.
        @Test(.timeLimit(.minutes(1)), arguments: ["an input", "a callback", "a frame", "the simulation"])
        func workWithoutEndIsGivenUpWhenTheLoopCloses(from place: String) throws {
            var configuration = Configuration()
            configuration.closeGrace = .milliseconds(20)
            try Simulation.run(configuration: configuration, allowsLeftovers: true) { simulation in
                let loop = simulation.loop
                var isEndless = false
                func chain() {
                    if isEndless { loop.callSoon { chain() } }
                }
                func close() {
                    isEndless = true
                    chain()
                    if place != "the simulation" { loop.close() }
                }
                switch place {
                case "an input": simulation.at(.seconds(3600)) { close() }
                case "a callback": loop.callLater(.seconds(3600)) { close() }
                case "a frame":
                    Task {
                        try await loop.nextFrame()
                        close()
                    }
                default: simulation.at(.seconds(3600)) {}
                }
                try simulation.advance(to: .seconds(3600))
                try simulation.advance(frames: 1)
                if place == "the simulation" { close() }
                let start = ContinuousClock.now
                simulation.close()
                isEndless = false
                #expect(!loop.isOpen)
                #expect(start.duration(to: ContinuousClock.now) < .seconds(20))
            }
        }

        private let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).tandem").path

        /// Twenty frames of a host, with a timer in each; the loop closes in frame `last`, in the timer or in the host's own code.
        private func play(
            _ loop: GuestLoop, closesIn last: Int, inTimer: Bool, _ frame: (() -> Void) -> Bool
        ) -> [Int] {
            var journal: [Int] = []
            var number = 0
            var isGoingOn = true
            while isGoingOn, number < 20 {
                isGoingOn = frame {
                    let present = number
                    loop.callLater(.zero) {
                        journal.append(present)
                        if inTimer, present == last { loop.close() }
                    }
                    loop.tick()
                    if !inTimer, present == last { loop.close() }
                }
                number += 1
            }
            return journal
        }

        private func record(closesIn last: Int, inTimer: Bool) throws -> [Int] {
            let recorder = try Recorder(file: file)
            let host = ManualHost()
            let loop = try host.makeLoop(configuration: Configuration(budget: .seconds(20), timeSource: recorder))
            defer { loop.close() }
            recorder.begin(on: loop)
            let journal = play(loop, closesIn: last, inTimer: inTimer) { body in
                recorder.frame(body)
                // What the host ticks between two frames.
                while loop.hasWork { loop.tick() }
                return loop.isOpen
            }
            try recorder.finish()
            return journal
        }

        private func replay(closesIn last: Int, inTimer: Bool) throws -> (journal: [Int], replayer: Replayer) {
            let replayer = Replayer(try Recording(contentsOf: file))
            let host = ManualHost()
            let loop = try host.makeLoop(configuration: Configuration(budget: .seconds(20), timeSource: replayer))
            defer { loop.close() }
            replayer.begin(on: loop)
            let journal = play(loop, closesIn: last, inTimer: inTimer) { replayer.frame(of: loop, $0) }
            return (journal, replayer)
        }

        @Test(.timeLimit(.minutes(1)), arguments: [false, true])
        func aReplayEndsWhereTheRecordedLoopClosed(inTimer: Bool) throws {
            defer { try? FileManager.default.removeItem(atPath: file) }
            let live = try record(closesIn: 6, inTimer: inTimer)
            #expect(live == Array(0...6))
            let (journal, replayer) = try replay(closesIn: 6, inTimer: inTimer)
            try replayer.finish()
            #expect(journal == live)
        }

        /// It asked its loop for the ticks that are left, for ever.
        @Test(.timeLimit(.minutes(1)), arguments: [false, true])
        func aReplayWhoseLoopClosesBeforeTheRecordedOneEndsAndIsTold(inTimer: Bool) throws {
            defer { try? FileManager.default.removeItem(atPath: file) }
            _ = try record(closesIn: 12, inTimer: inTimer)
            let (journal, replayer) = try replay(closesIn: 4, inTimer: inTimer)
            #expect(journal == Array(0...4))
            #expect(replayer.isOver)
            let divergence = #expect(throws: Replayer.Divergence.self) { try replayer.finish() }
            #expect(divergence?.found == "the loop closed")
            #expect(divergence?.frame == 4)
        }
    }
}
