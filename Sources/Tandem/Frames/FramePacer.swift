// SPDX-License-Identifier: Apache-2.0
// FramePacer: when the next frame begins, and how much of the game's time it has to catch up with. Pure; tested alone.
// Idea:   frames begin on a grid of periods; a frame that is late by more than one leaves the grid and starts a new one, instead
//         of hurrying after lost frames. The fixed step has an accumulator with a bound ("Fix Your Timestep!", Glenn Fiedler).

package struct FramePacer {
    /// The distance of two frames. It may change from frame to frame, as a window may move to another display.
    package var period: Duration
    /// The fixed step; `nil` without one.
    package let fixedStep: Duration?
    /// How many fixed steps one frame may run.
    package let maximumSteps: Int
    /// The longest time that a variable update is told of.
    package let maximumDelta: Duration

    private var nextStart: ContinuousClock.Instant?
    private var lastStart: ContinuousClock.Instant?
    private var accumulated: Duration = .zero

    package init(
        period: Duration, fixedStep: Duration? = nil, maximumSteps: Int = 5, maximumDelta: Duration = .milliseconds(100)
    ) {
        precondition(period > .zero, "a frame's period was given as \(period); expected more than zero")
        if let fixedStep {
            precondition(
                fixedStep > .zero,
                "fixedStep was given \(fixedStep); expected more than zero, or nil for no fixed updates")
        }
        self.period = period.clamped
        self.fixedStep = fixedStep
        self.maximumSteps = maximumSteps
        self.maximumDelta = max(.zero, maximumDelta)
    }

    /// What a frame has to do.
    package struct Plan: Equatable {
        /// The time since the last frame, bounded.
        package var delta: Duration
        /// How many fixed steps to run.
        package var steps: Int
        /// How far into the next fixed step the frame is, 0…1: what drawing may interpolate by.
        package var blend: Double
        /// Time that was given up, since a stall was longer than what may be caught up with.
        package var dropped: Duration
    }

    /// A frame begins.
    package mutating func begin(at now: ContinuousClock.Instant) -> Plan {
        let elapsed = lastStart.map { $0.duration(to: now) } ?? .zero
        lastStart = now
        let grid = (nextStart ?? now).advanced(by: period)
        nextStart = grid > now ? grid : now.advanced(by: period)
        var plan = Plan(delta: min(elapsed, maximumDelta), steps: 0, blend: 0, dropped: .zero)
        guard let fixedStep else {
            plan.dropped = elapsed - plan.delta
            return plan
        }
        accumulated += elapsed
        while accumulated >= fixedStep, plan.steps < maximumSteps {
            accumulated -= fixedStep
            plan.steps += 1
        }
        if accumulated >= fixedStep {
            // Whole steps are given up, the part of one is kept, so that the phase stays.
            let part = Duration(attoseconds: accumulated.attoseconds % fixedStep.attoseconds)
            plan.dropped = accumulated - part
            accumulated = part
        }
        plan.blend = min(accumulated / fixedStep, 1)
        return plan
    }

    /// When the next frame begins; the past if that is now.
    package var next: ContinuousClock.Instant? { nextStart }

    /// How much of the frame that began at `start` is left for the loop's work, if `drawing` is what update and drawing need.
    /// Never less than an eighth of the period: work that always waits for the next frame is never done.
    package func budget(start: ContinuousClock.Instant, now: ContinuousClock.Instant, drawing: Duration) -> Duration {
        max(period - start.duration(to: now) - drawing, period / 8)
    }
}
