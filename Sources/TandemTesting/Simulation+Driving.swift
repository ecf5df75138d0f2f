// SPDX-License-Identifier: Apache-2.0
// Simulation+Driving: what moves a simulation on.
// Idea:   run what is ready; when nothing is, jump to whatever comes next: an input, a deadline, a frame that somebody waits for.
// Owner:  the main actor.

import Glibc
public import Tandem

extension Simulation {
    /// Moves time on by `duration`, running what comes due, each thing at its time. Frames are not run: whoever waits for one, or for a fixed step, goes on in
    /// ``advance(frames:_:)`` and ``run(limit:fileID:line:_:)``.
    ///
    /// - Throws: ``SimulationError``; what inputs and callbacks throw.
    public func advance(by duration: Duration) throws {
        require(duration >= .zero, "Simulation.advance(by:) was given \(duration); time only goes forward")
        try advance(to: elapsed.addingClamped(duration))
    }

    /// Moves time on until `time` has elapsed since the simulation began. As ``advance(by:)``.
    public func advance(to time: Duration) throws {
        require(time >= elapsed, "Simulation.advance(to:) was given \(time), but \(elapsed) have elapsed already")
        try driving {
            try settle()
            while let next = nextTime, next <= time { try jump(to: next) }
            try jump(to: time)
        }
    }

    /// Moves time on until nothing is ready and neither a deadline nor an input is left. Frames are not run.
    ///
    /// - Parameter limit: The virtual time after which to give up.
    /// - Returns: The virtual time that it took.
    /// - Throws: ``SimulationError`` of kind `.limit`, with what is waiting; what inputs and callbacks throw.
    @discardableResult
    public func runUntilIdle(limit: Duration = .seconds(3600)) throws -> Duration {
        let began = elapsed
        return try driving {
            try settle()
            repeat {
                while let next = nextTime {
                    guard next <= began.addingClamped(limit) else { throw error(.limit) }
                    try jump(to: next)
                }
            } while try isMovedByOtherThreads()
            return elapsed - began
        }
    }

    /// Runs `count` frames, ``framePeriod`` apart: time moves on by a period, and what comes due meanwhile runs at its time; then the frame
    /// goes through its phases, with a tick after `.input`, as in a `FrameLoop`.
    ///
    /// - Parameters:
    ///   - count: How many.
    ///   - update: What the host does in each frame, in the update phase.
    /// - Throws: ``SimulationError``; what inputs, callbacks and `update` throw.
    public func advance(frames count: Int, _ update: (Frame) throws -> Void = { _ in }) throws {
        require(count >= 0, "Simulation.advance(frames:) was given \(count); expected 0 or more")
        let began = elapsed
        try driving {
            for number in 0..<count {
                try advance(to: max(elapsed, began.addingClamped(framePeriod.clamped * (number + 1))))
                try runFrame(update)
            }
        }
    }

    /// Runs an async main function on the main actor, moves time on until it has ended, and returns its value. While a task waits for a frame,
    /// frames are run, ``framePeriod`` apart.
    ///
    /// - Parameters:
    ///   - limit: The virtual time after which to give up.
    ///   - fileID: The caller's file, for reports.
    ///   - line: The caller's line, for reports.
    ///   - main: Runs on the main actor, which is the simulation's.
    /// - Throws: What `main` throws; ``SimulationError`` with what is waiting if nothing can move `main` any more, which is cancelled then.
    public func run<Value: Sendable>(
        limit: Duration = .seconds(3600), fileID: StaticString = #fileID, line: UInt = #line,
        @_implicitSelfCapture _ main: @escaping @MainActor () async throws -> Value
    ) throws -> Value {
        try driving { try runToEnd(limit, fileID, line, main) }
    }

    private func runToEnd<Value: Sendable>(
        _ limit: Duration, _ fileID: StaticString, _ line: UInt, _ main: @escaping @MainActor () async throws -> Value
    ) throws -> Value {
        var outcome: Result<Value, any Error>?
        // Events that came before the first frame are looked for, even if nothing else is going to happen.
        var hasLooked = false
        let run = loop.run(fileID: fileID, line: line, { try await main() }) { outcome = $0 }
        do {
            let began = elapsed
            try settle()
            while outcome == nil {
                if loop.hasFrameWaiters || (awaitsFrameForEvents && (nextTime != nil || !hasLooked)) {
                    hasLooked = nextTime == nil
                    guard elapsed.addingClamped(framePeriod) <= began.addingClamped(limit) else { throw error(.limit) }
                    try self.advance(frames: 1)
                } else if let next = nextTime {
                    guard next <= began.addingClamped(limit) else { throw error(.limit) }
                    try jump(to: next)
                } else if try !isMovedByOtherThreads() {
                    throw error(.stuck)
                }
            }
        } catch {
            // What waited is told; whatever that leads to is no reason to hide the first error.
            run.cancel()
            try? settle()
            throw error
        }
        return try outcome!.get()
    }

    // MARK: - Steps

    /// How often a tick may leave work behind at one instant. A tick on a virtual clock makes thousands of passes.
    private static let ticksAtOnce = 20

    /// The next time at which something happens by itself; since the clock's beginning.
    private var nextTime: Duration? {
        let deadline = loop.nextDeadline.map { max(clock.elapsed + clock.now.duration(to: $0), clock.elapsed) }
        return [script.next, deadline].compactMap { $0 }.min().map { $0 - start }
    }

    /// What runs between ticks is simulated, too, and sees the simulation's time.
    func showingTime(_ body: () throws -> Void) rethrows {
        clock.show()
        defer { clock.hide() }
        try body()
    }

    private func jump(to time: Duration) throws {
        let distance = time - elapsed
        if distance > .zero { clock.advance(by: distance) }
        while let input = script.popDue(at: clock.elapsed) { try showingTime { try input() } }
        try settle()
    }

    /// Runs what is ready, until nothing is, and no event is left.
    private func settle() throws {
        var ticks = 0
        repeat {
            while loop.hasWork {
                tick()
                try failures.throwFirst()
                ticks += 1
                if ticks > Self.ticksAtOnce { throw error(.endless) }
            }
        } while try takeEvents() > 0
    }

    /// Hands the host's events out.
    private func takeEvents() throws -> Int {
        guard case .events(let take) = driver, loop.isOpen else { return 0 }
        var count = 0
        try showingTime { count = try take() }
        return count
    }

    /// The frames in which a host takes its events are its own, and a task waits for one.
    private var awaitsFrameForEvents: Bool {
        if case .other = driver { loop.awaitsHostEvents } else { false }
    }

    private func tick() {
        switch driver {
        case .host(let host): host.tick()
        case .other, .events: loop.tick(then: .unknown)
        }
    }

    /// A driving call, which the watch hears of.
    private func driving<Value>(_ body: () throws -> Value) rethrows -> Value {
        if drivingCalls == 0 { watch.change() }
        drivingCalls += 1
        defer {
            drivingCalls -= 1
            if drivingCalls == 0 { watch.change() }
        }
        return try body()
    }

    private func runFrame(_ update: (Frame) throws -> Void) throws {
        var pacer = self.pacer ?? FramePacer(period: framePeriod, fixedStep: fixedStep)
        let plan = pacer.begin(at: loop.now)
        self.pacer = pacer
        let frame = Frame(
            number: frames, time: loop.now, delta: plan.delta, blend: plan.blend, budgetLeft: framePeriod)
        frames += 1
        switch driver {
        case .host, .events:
            _ = try takeEvents()
            loop.runPhase(.input, of: frame)
            tick()
            if let fixedStep {
                var part = frame
                part.delta = fixedStep
                for _ in 0..<plan.steps { loop.runPhase(.fixedUpdate, of: part) }
            }
            loop.runPhase(.update, of: frame)
            try showingTime { try update(frame) }
            loop.runPhase(.lateUpdate, of: frame)
            loop.runPhase(.draw, of: frame)
        case .other(let hostFrame):
            hostFrame(framePeriod)
            try showingTime { try update(frame) }
        }
        try settle()
    }

    /// Nothing that is simulated can go on: lets other threads, if there is patience for them.
    private func isMovedByOtherThreads() throws -> Bool {
        guard patience > .zero else { return false }
        switch driver {
        case .host(let host): _ = host.waitForRequest(within: patience)
        case .other, .events:
            let end = ContinuousClock.now.advancedClamped(by: patience)
            while !loop.hasWork, ContinuousClock.now < end { poll(nil, 0, 1) }
        }
        guard loop.hasWork else { return false }
        try settle()
        return true
    }

    private func error(_ kind: SimulationError.Kind) -> SimulationError {
        SimulationError(kind, elapsed: elapsed, waiting: loop.waiting)
    }
}

extension GuestLoop {
    /// What runs in its ticks sees `clock` wherever it asks for the time.
    func beginSimulation(on clock: VirtualClock) {
        beginSimulation(
            onWork: { begins in if begins { clock.show() } else { clock.hide() } },
            byMachineTime: { body in clock.whileHidden(body) })
    }
}
