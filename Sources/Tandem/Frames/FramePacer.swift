// SPDX-License-Identifier: Apache-2.0
// FramePacer: computes when the next frame begins, and how many fixed steps it has to run. Pure; tested alone.
// Idea:   frames begin at multiples of the period. A frame that is late by more than one period starts a new grid at
//         its own beginning, instead of running the lost frames in a hurry. The fixed step has an accumulator with an
//         upper bound ("Fix Your Timestep!", Glenn Fiedler).

package struct FramePacer {
    /// The time from one frame to the next. It may change from frame to frame, as a window may move to another display.
    package var period: Duration
    /// The fixed step; `nil` without one.
    package let fixedStep: Duration?
    /// How many fixed steps one frame may run.
    package let maximumSteps: Int
    /// The largest `delta` that a frame is given.
    package let maximumDelta: Duration

    private var nextStart: ContinuousClock.Instant?
    private var lastStart: ContinuousClock.Instant?
    private var accumulated: Duration = .zero

    package init(
        period: Duration, fixedStep: Duration? = nil, maximumSteps: Int = 5, maximumDelta: Duration = .milliseconds(100)
    ) {
        require(period > .zero, "a frame's period was given as \(period); expected more than zero")
        if let fixedStep {
            require(
                fixedStep > .zero,
                "fixedStep was given \(fixedStep); expected more than zero, or nil for no fixed updates")
        }
        self.period = period.clamped
        self.fixedStep = fixedStep
        self.maximumSteps = maximumSteps
        self.maximumDelta = max(.zero, maximumDelta)
    }

    /// What a frame has to run.
    package struct Plan: Equatable {
        /// The time since the last frame, bounded.
        package var delta: Duration
        /// How many fixed steps to run.
        package var steps: Int
        /// How far the frame is into the next fixed step, from 0 to 1; drawing can interpolate by it.
        package var blend: Double
        /// Game time that is skipped, because the pause was longer than what the fixed steps of one frame may catch up
        /// with.
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
            // Whole steps are skipped; the part of a step that is left over is kept, so that steps stay at the same
            // distance.
            let part = Duration(attoseconds: accumulated.attoseconds % fixedStep.attoseconds)
            plan.dropped = accumulated - part
            accumulated = part
        }
        plan.blend = min(accumulated / fixedStep, 1)
        return plan
    }

    /// When the next frame begins. A time in the past means now.
    package var next: ContinuousClock.Instant? { nextStart }

    /// How much time the tick may use in the frame that began at `start`, if update and drawing need `drawing`. At
    /// least an eighth of the period: otherwise a slow game would never run the loop's work.
    package func budget(start: ContinuousClock.Instant, now: ContinuousClock.Instant, drawing: Duration) -> Duration {
        max(period - start.duration(to: now) - drawing, period / 8)
    }
}
