// SPDX-License-Identifier: Apache-2.0
// Frame: what a frame knows of itself, and the phases that it goes through.

/// One frame of a host's.
public struct Frame: Sendable, Hashable {
    /// Counted from 0.
    public var number: Int
    /// When the frame began, by the loop's clock.
    public var time: ContinuousClock.Instant
    /// The time since the last frame began, bounded by the frame loop's `maximumDelta`; in ``FramePhase/fixedUpdate`` the length of the step.
    public var delta: Duration
    /// How far the frame is into the next fixed step, 0…1: what drawing may interpolate by. 0 without fixed steps.
    public var blend: Double
    /// What the frame has left before it is late, measured after the tick.
    public var budgetLeft: Duration

    /// A frame of a host that counts its own.
    public init(
        number: Int, time: ContinuousClock.Instant, delta: Duration, blend: Double = 0, budgetLeft: Duration = .zero
    ) {
        self.number = number
        self.time = time
        self.delta = delta
        self.blend = blend
        self.budgetLeft = budgetLeft
    }
}

/// The phases of a frame, in their order. A task waits for a frame in one of them.
public enum FramePhase: Int, Sendable, Hashable, CaseIterable {
    /// After the host's events were taken, before the tick.
    case input
    /// Once for each fixed step; not at all in a frame without one.
    case fixedUpdate
    /// Once a frame: the usual place.
    case update
    /// After every update, for what follows others: cameras, for one.
    case lateUpdate
    /// Just before the host draws and presents.
    case draw
}
