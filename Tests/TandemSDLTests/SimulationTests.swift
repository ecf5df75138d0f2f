// SPDX-License-Identifier: Apache-2.0
// SimulationTests: driving a simulation, scripted input, and what a simulation says when it does not go on.

import Foundation
import SystemPackage
import TandemTesting
import Testing

@testable import Tandem

extension SDL {
    @Suite @MainActor struct SimulationTests {
        /// What simulated code writes down; on the main actor.
        @MainActor final class Log {
            var lines: [String] = []
            let simulation: Simulation
            init(_ simulation: Simulation) { self.simulation = simulation }
            func note(_ line: String) { lines.append("\(simulation.elapsed / .seconds(1)) \(line)") }
        }

        @Test func advancingRunsEachThingAtItsTime() throws {
            try Simulation.run { simulation in
                let log = Log(simulation)
                let loop = simulation.loop
                loop.callLater(.seconds(2)) { log.note("two") }
                loop.callLater(.seconds(1)) {
                    log.note("one")
                    loop.callLater(.milliseconds(500)) { log.note("one and a half") }
                }
                Task {
                    try await loop.sleep(for: .seconds(3))
                    log.note("task")
                }
                try simulation.advance(by: .milliseconds(1999))
                #expect(log.lines == ["1.0 one", "1.5 one and a half"])
                try simulation.advance(to: .seconds(10))
                #expect(log.lines == ["1.0 one", "1.5 one and a half", "2.0 two", "3.0 task"])
                #expect(simulation.elapsed == .seconds(10))
            }
        }

        @Test func runningUntilIdleTakesTheTimeThatTheLastDeadlineNeeds() throws {
            try Simulation.run { simulation in
                var hops = 0
                Task {
                    for _ in 0..<100 { try await simulation.loop.sleep(for: .minutes(1)) }
                    hops = 100
                }
                let took = try simulation.runUntilIdle(limit: .minutes(101))
                #expect(took == .minutes(100))
                #expect(hops == 100)
                let second = try simulation.runUntilIdle()
                #expect(second == .zero)
            }
        }

        @Test func anAsyncMainReturnsItsValueAndThrowsItsError() throws {
            try Simulation.run { simulation in
                let value = try simulation.run {
                    async let a = {
                        try await simulation.loop.sleep(for: .seconds(5)); return 3
                    }()
                    async let b = {
                        try await Task.sleep(for: .seconds(7)); return 4
                    }()
                    return try await a + b
                }
                #expect(value == 7)
                #expect(simulation.elapsed == .seconds(7))
                #expect(throws: TestError(5)) { try simulation.run { throw TestError(5) } }
            }
        }

        /// At one instant: inputs in their order, then timers, then what they started.
        @Test func inputsComeBeforeWhatIsDueAtTheirInstant() throws {
            try Simulation.run { simulation in
                let log = Log(simulation)
                simulation.loop.callLater(.seconds(3)) { log.note("timer") }
                Task {
                    try await simulation.loop.sleep(for: .seconds(3))
                    log.note("sleep")
                }
                simulation.at(.seconds(3)) {
                    log.note("first input")
                    simulation.loop.callSoon { log.note("of the input") }
                }
                simulation.at(.seconds(1)) { log.note("early input") }
                simulation.play([(.seconds(3), "second input"), (.seconds(4), "late input")]) { log.note($0) }
                try simulation.runUntilIdle()
                #expect(
                    log.lines == [
                        "1.0 early input", "3.0 first input", "3.0 second input", "3.0 timer", "3.0 of the input",
                        "3.0 sleep",
                        "4.0 late input",
                    ])
            }
        }

        @Test func inputsAndFramesSeeTheSimulationsTime() throws {
            try Simulation.run { simulation in
                var seen: [Duration] = []
                let start = ContinuousClock.now
                var virtualStart = start
                simulation.at(.zero) { virtualStart = ContinuousClock.now }
                simulation.at(.seconds(100)) { seen.append(virtualStart.duration(to: ContinuousClock.now)) }
                try simulation.advance(to: .seconds(200))
                simulation.framePeriod = .seconds(50)
                try simulation.advance(frames: 1) { _ in seen.append(virtualStart.duration(to: ContinuousClock.now)) }
                #expect(seen == [.seconds(100), .seconds(250)])
                // Between them the test has the machine's.
                #expect(start.duration(to: ContinuousClock.now) < .seconds(50))
            }
        }

        @Test func framesAreAPeriodApart() throws {
            try Simulation.run { simulation in
                let log = Log(simulation)
                simulation.framePeriod = .milliseconds(250)
                simulation.loop.callLater(.milliseconds(300)) { log.note("timer") }
                simulation.at(.milliseconds(500)) { log.note("input") }
                try simulation.advance(frames: 2) { log.note("frame \($0.number)") }
                try simulation.advance(frames: 1) { log.note("frame \($0.number)") }
                #expect(log.lines == ["0.25 frame 0", "0.3 timer", "0.5 input", "0.5 frame 1", "0.75 frame 2"])
            }
        }

        @Test func tasksWaitForFramesAndTheirPhases() throws {
            try Simulation.run { simulation in
                let log = Log(simulation)
                let loop = simulation.loop
                simulation.framePeriod = .milliseconds(250)
                simulation.fixedStep = .milliseconds(100)
                // A main that waits for frames has frames run for it.
                let last = try simulation.run {
                    try await loop.nextFrame()
                    log.note("first")
                    try await loop.sleep(for: .seconds(10))
                    return try await loop.waitForFrames(2, in: .draw)?.number
                }
                #expect(last == 2)
                #expect(simulation.elapsed == .milliseconds(10_750))
                var steps = 0
                let task = Task {
                    while true {
                        steps += try await loop.nextFrame(in: .fixedUpdate).delta == .milliseconds(100) ? 1 : 0
                    }
                }
                try simulation.advance(by: .zero)
                try simulation.advance(frames: 2)
                #expect(steps >= 4 && steps <= 5, "\(steps) steps")
                #expect(loop.waiting.map(\.kind) == [.frame])
                task.cancel()
                try simulation.advance(by: .zero)
                #expect(log.lines == ["0.25 first"])
            }
        }

        @Test func aMainThatNothingCanMoveIsToldWithWhatIsWaiting() throws {
            // Inside of a macro `#line` is the macro's.
            func play() throws {
                try Simulation.run { simulation in
                    let clock = GameClock(simulation.loop)
                    clock.isPaused = true
                    try simulation.run { try await clock.sleep(for: .seconds(1)) }
                }
            }
            let line = #line - 3
            let error = #expect(throws: SimulationError.self) { try play() }
            #expect(error?.kind == .stuck)
            #expect(error?.waiting.map(\.kind) == [.gameSleep, .run])
            #expect(error?.waiting.map { $0.site?.line } == [UInt32(line), UInt32(line)], "\(error!)")
            #expect(
                error?.description.contains("a sleep on a GameClock, from TandemSDLTests/SimulationTests.swift:\(line)")
                    == true)
        }

        /// A descriptor is not simulated; a wait for one is told with its number.
        @Test func aWaitForADescriptorIsTold() throws {
            let (reader, writer) = try FileDescriptor.pipe()
            defer { for end in [reader, writer] { try? end.close() } }
            let error = #expect(throws: SimulationError.self) {
                try Simulation.run { simulation in
                    try simulation.run { try await simulation.loop.waitUntilReadable(reader) }
                }
            }
            #expect(error?.waiting.first?.descriptor == reader)
            #expect(
                error?.description.contains("a task that waits until descriptor \(reader.rawValue) is readable") == true
            )
        }

        @Test func timersForEverAndWorkForEverHaveALimit() throws {
            try Simulation.run(allowsLeftovers: true) { simulation in
                Task { while true { try await simulation.loop.sleep(for: .seconds(1)) } }
                let late = #expect(throws: SimulationError.self) { try simulation.runUntilIdle(limit: .minutes(10)) }
                #expect(late?.kind == .limit)
                #expect(late?.waiting.map(\.kind) == [.sleep])
                #expect(simulation.elapsed == .minutes(10))
                var isOver = false
                func chain() { if !isOver { simulation.loop.callSoon { chain() } } }
                chain()
                let endless = #expect(throws: SimulationError.self) { try simulation.advance(by: .seconds(1)) }
                isOver = true
                #expect(endless?.kind == .endless)
                #expect(endless?.elapsed == .minutes(10))
                #expect(endless?.waiting.first?.kind == .ready)
            }
        }

        @Test func whatIsLeftIsToldAtTheEnd() throws {
            let error = #expect(throws: SimulationError.self) {
                try Simulation.run { simulation in
                    simulation.loop.callLater(.seconds(1)) {}
                    Task { try await simulation.loop.sleep(for: .seconds(2)) }
                    try simulation.advance(by: .milliseconds(1))
                }
            }
            #expect(error?.kind == .leftovers)
            #expect(error?.waiting.map(\.kind) == [.timer, .sleep])
        }

        @Test func errorsOfInputsCallbacksAndFramesReachTheDrivingCall() throws {
            try Simulation.run { simulation in
                simulation.loop.callLater(.seconds(1)) { throw TestError(1) }
                #expect(throws: TestError(1)) { try simulation.advance(by: .seconds(2)) }
                simulation.at(.seconds(3)) { throw TestError(2) }
                #expect(throws: TestError(2)) { try simulation.runUntilIdle() }
                #expect(throws: TestError(3)) { try simulation.advance(frames: 2) { _ in throw TestError(3) } }
                #expect(simulation.frames == 1)
            }
        }

        @Test func aSecondSimulationIsRefusedAndOneAfterAnotherIsNot() throws {
            for _ in 0..<20 {
                try Simulation.run { simulation in
                    let error = #expect(throws: GuestError.self) { try Simulation() }
                    #expect(error?.code == .loopAlreadyOnThread)
                    try simulation.run { try await Task.sleep(for: .seconds(1)) }
                }
            }
        }

        @Test func patienceWaitsForOtherThreads() throws {
            try Simulation.run { simulation in
                simulation.patience = .seconds(20)
                let value = try simulation.run {
                    await withCheckedContinuation { continuation in
                        DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(20)) {
                            continuation.resume(returning: 7)
                        }
                    }
                }
                #expect(value == 7)
                #expect(simulation.elapsed == .zero)
            }
        }

        /// Behaviour 41.
        @Test func cancellationLeavesNothingBehind() throws {
            try Simulation.run { simulation in
                let loop = simulation.loop
                let game = GameClock(loop)
                var ends = 0
                let tasks = (0..<30).map { number in
                    Task {
                        defer { ends += 1 }
                        switch number % 3 {
                        case 0: try await loop.sleep(for: .seconds(100))
                        case 1: try await game.sleep(for: .seconds(100))
                        default: try await loop.clock.sleep(for: .seconds(100))
                        }
                    }
                }
                try simulation.advance(by: .seconds(1))
                #expect(loop.waiting.count == 30)
                for task in tasks { task.cancel() }
                try simulation.advance(by: .zero)
                #expect(ends == 30)
                #expect(loop.waiting.isEmpty)
                #expect(loop.statistics.timers == 0)
            }
        }

        /// Behaviour 43.
        @Test func aTimeoutIsAMatterOfVirtualTime() throws {
            try Simulation.run { simulation in
                let clock = simulation.loop.clock
                let error = #expect(throws: TimeoutError.self) {
                    try simulation.run {
                        try await withTimeout(.minutes(3), clock: clock) { try await clock.sleep(for: .hours(1)) }
                    }
                }
                #expect(error?.limit == .minutes(3))
                #expect(simulation.elapsed == .minutes(3))
                let value = try simulation.run {
                    try await withTimeout(.minutes(3), clock: clock) {
                        try await clock.sleep(for: .minutes(1))
                        return 5
                    }
                }
                #expect(value == 5)
                #expect(simulation.elapsed == .minutes(4))
                #expect(simulation.loop.waiting.isEmpty)
            }
        }

        /// A loop of somebody else's on a virtual clock: its host's frames, and its end, are its own.
        @Test func aLoopOfAnotherHostsIsDrivenAndLeftOpen() throws {
            let clock = VirtualClock()
            var configuration = Configuration.unhurried
            configuration.timeSource = clock
            let host = ManualHost()
            let loop = try host.makeLoop(configuration: configuration)
            defer { loop.close() }
            try loop.adoptMainActor()
            clock.advance(by: .seconds(100))
            var frames: [Duration] = []
            let simulation = Simulation(driving: loop, clock: clock) { period in
                host.tick()
                frames.append(period)
            }
            simulation.framePeriod = .milliseconds(20)
            var inputs = 0
            simulation.at(.milliseconds(50)) { inputs += 1 }
            var fired = false
            loop.callLater(.milliseconds(30)) { fired = true }
            try simulation.advance(frames: 4)
            #expect(frames == Array(repeating: .milliseconds(20), count: 4))
            #expect(inputs == 1 && fired)
            #expect(simulation.elapsed == .milliseconds(80))
            let leftovers = simulation.close()
            #expect(leftovers.isEmpty)
            #expect(loop.isOpen)
        }
    }
}

private struct TestError: Error, Equatable {
    let number: Int
    init(_ number: Int) { self.number = number }
}

extension Duration {
    fileprivate static func minutes(_ minutes: Int) -> Duration { .seconds(60 * minutes) }
    fileprivate static func hours(_ hours: Int) -> Duration { .seconds(3600 * hours) }
}
