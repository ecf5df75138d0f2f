// SPDX-License-Identifier: Apache-2.0
// SimulatedGuestTests: a guest in a simulation: its events come at their time, and a test that waits in the wrong way is told so.

import Foundation
import Logging
import Testing

@testable import Tandem
@testable import TandemSDL
@testable import TandemTesting

extension SDL {
    @Suite @MainActor struct SimulatedGuestTests {
        private func press(_ key: SDL_KeyCode) {
            var event = SDL_Event()
            event.type = SDL_KEYDOWN.rawValue
            event.key.keysym.sym = Int32(bitPattern: UInt32(key.rawValue))
            SDL_PushEvent(&event)
        }

        private func withVirtualGuest(_ body: (SDLGuest) throws -> Void) throws {
            var configuration = Configuration.unhurried
            configuration.timeSource = VirtualClock()
            try withGuest(configuration: configuration, body)
        }

        @Test func aScriptedKeyComesAtItsTime() throws {
            try withVirtualGuest { guest in
                let simulation = Simulation(guest)
                defer { simulation.close() }
                for tenths in [3, 20, 55] { simulation.at(.milliseconds(100 * tenths)) { press(SDLK_SPACE) } }
                let times = try simulation.run {
                    var times: [Duration] = []
                    for _ in 0..<3 {
                        try await guest.nextKey(SDLK_SPACE)
                        times.append(simulation.elapsed)
                    }
                    return times
                }
                #expect(times == [3, 20, 55].map { .milliseconds(100 * $0) })
                #expect(simulation.frames == 0)
            }
        }

        /// The same without an async main: advancing, running until idle, running frames.
        @Test func keysReachTasksAndTheGameHoweverTheSimulationIsDriven() throws {
            try withVirtualGuest { guest in
                var game: [Int32] = []
                let simulation = Simulation(guest) { event in
                    if event.type == SDL_KEYDOWN.rawValue { game.append(event.key.keysym.sym) }
                }
                defer { simulation.close() }
                var keys: [String] = []
                let task = Task {
                    while true {
                        let key = try await guest.nextKey(consuming: true).sym
                        keys.append("\(UnicodeScalar(UInt32(key))!) at \(simulation.elapsed)")
                        if keys.count == 3 { return }
                    }
                }
                simulation.at(.seconds(1)) { press(SDLK_a) }
                simulation.at(.seconds(2)) { press(SDLK_b) }
                simulation.at(.milliseconds(2010)) { press(SDLK_c) }
                simulation.at(.seconds(3)) { press(SDLK_d) }
                // Work of the game's own may push events, too.
                guest.loop.callLater(.seconds(4)) { press(SDLK_e) }
                try simulation.advance(to: .seconds(1))
                #expect(keys == ["a at 1.0 seconds"])
                try simulation.advance(frames: 62)
                #expect(keys == ["a at 1.0 seconds", "b at 2.0 seconds", "c at 2.01 seconds"])
                try simulation.runUntilIdle()
                #expect(game == [SDLK_d, SDLK_e].map { Int32($0.rawValue) })
                #expect(simulation.elapsed == .seconds(4))
                task.cancel()
            }
        }

        @Test func framesOfASimulatedGuestHaveAllTheirPhases() throws {
            try withVirtualGuest { guest in
                let simulation = Simulation(guest)
                defer { simulation.close() }
                simulation.framePeriod = .milliseconds(20)
                simulation.fixedStep = .milliseconds(10)
                var phases: [String] = []
                for phase in FramePhase.allCases {
                    guest.run {
                        for await frame in guest.frames(in: phase) { phases.append("\(phase) \(frame.number)") }
                    }
                }
                simulation.at(.milliseconds(40)) { press(SDLK_a) }
                guest.run {
                    try await guest.nextKey()
                    phases.append("key")
                }
                try simulation.advance(by: .zero)
                try simulation.advance(frames: 2) { phases.append("frame \($0.number)") }
                #expect(
                    phases == [
                        "input 0", "update 0", "frame 0", "lateUpdate 0", "draw 0",
                        "key", "input 1", "fixedUpdate 1", "fixedUpdate 1", "update 1", "frame 1", "lateUpdate 1",
                        "draw 1",
                    ])
            }
        }

        /// With frames of the host's own, a task that waits for an event needs frames as one does that waits for them.
        @Test func aTaskThatWaitsForAnEventGetsFramesToTakeItIn() throws {
            try withVirtualGuest { guest in
                let clock = try #require(guest.loop.configurationTimeSource as? VirtualClock)
                var event = SDL_Event()
                let simulation = Simulation(driving: guest.loop, clock: clock) { _ in
                    while SDL_PollEvent(&event) != 0 { _ = guest.handle(event) }
                    guest.tick()
                }
                defer { simulation.close() }
                simulation.framePeriod = .milliseconds(10)
                simulation.at(.seconds(2)) { press(SDLK_SPACE) }
                let time = try simulation.run {
                    try await guest.nextKey(SDLK_SPACE)
                    return simulation.elapsed
                }
                #expect(time == .seconds(2))
                // What came before is found without anything to wait for.
                press(SDLK_a)
                let key = try simulation.run { try await guest.nextKey().sym }
                #expect(key == Int32(SDLK_a.rawValue))
                let error = #expect(throws: SimulationError.self) { try simulation.run { try await guest.nextKey() } }
                #expect(error?.kind == .stuck)
                #expect(error?.description.contains("a task that waits for an SDL event") == true)
            }
        }

        @Test func anEventThatNobodyScriptedIsToldAsStuck() throws {
            try withVirtualGuest { guest in
                let simulation = Simulation(guest)
                defer { simulation.close() }
                let error = #expect(throws: SimulationError.self) { try simulation.run { try await guest.nextKey() } }
                #expect(error?.kind == .stuck)
                #expect(error?.description.contains("script it with at(_:_:)") == true)
            }
        }

        // MARK: - Nobody drives it

        @Test func aSimulationThatIsDrivenOrClosedIsNotReported() {
            let watch = DrivingWatch {}
            #expect(watch.look(last: 0) == .atRest)
            watch.change()
            // A driving call that takes long.
            #expect(watch.look(last: 0) == .driven(changes: 1))
            #expect(watch.look(last: 1) == .driven(changes: 1))
            watch.change()
            #expect(watch.look(last: 1) == .driven(changes: 2))
            #expect(watch.look(last: 2) == .atRest)
            watch.end()
            #expect(watch.look(last: 2) == .over)
        }

        /// What stands for the test's own `await` here is a thread that waits: the main actor is the simulation's, and nobody drives it.
        @Test(.timeLimit(.minutes(1))) func anOpenSimulationThatNobodyDrivesSaysSo() throws {
            let former = Simulation.longestRest
            defer { Simulation.longestRest = former }
            Simulation.longestRest = .milliseconds(20)
            let lines = Lines()
            let line = #line + 1
            let simulation = try Simulation(configuration: Configuration(logger: lines.logger))
            defer { simulation.close() }
            let test = Task {}
            _ = test
            while lines.all.isEmpty { usleep(1000) }
            #expect(lines.all.count == 1)
            #expect(
                lines.all.first?.contains(
                    "SimulatedGuestTests.swift:\(line) is open and has not been driven for 0.02 seconds") == true)
            #expect(lines.all.first?.contains("`run { }`") == true)
        }
    }
}

/// What was logged.
private final class Lines: @unchecked Sendable {
    // Safe to send: `entries` is touched with `lock` held.
    private let lock = NSLock()
    private var entries: [String] = []

    var all: [String] { lock.withLock { entries } }
    var logger: Logger { Logger(label: "test") { _ in Handler(lines: self) } }

    private struct Handler: LogHandler {
        let lines: Lines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }
        func log(event: LogEvent) { lines.lock.withLock { lines.entries.append("\(event.message)") } }
    }
}
