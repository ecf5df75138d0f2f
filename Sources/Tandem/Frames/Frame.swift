// SPDX-License-Identifier: Apache-2.0
// Frame: the data of one frame, and the phases of a frame.

/// One frame that a host runs.
public struct Frame: Sendable, Hashable {
    /// Counted from 0.
    public var number: Int
    /// When the frame began, by the loop's clock.
    public var time: ContinuousClock.Instant
    /// The time since the last frame began, at most the frame loop's `maximumDelta`. In ``FramePhase/fixedUpdate`` it
    /// is the length of one step.
    public var delta: Duration
    /// How far the frame is into the next fixed step, from 0 to 1; drawing can interpolate by it. 0 without fixed
    /// steps.
    public var blend: Double
    /// The time that is left until the frame is late, measured after the tick.
    public var budgetLeft: Duration

    /// Makes a frame, for a host that counts its own frames.
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

/// The phases of a frame, in the order in which they run. A task waits for a frame in one of them.
public enum FramePhase: Int, Sendable, Hashable, CaseIterable {
    /// After the host's events were taken, before the tick.
    case input
    /// Once for each fixed step of the frame; a frame may have none.
    case fixedUpdate
    /// Once a frame: the usual place.
    case update
    /// After all updates: for objects that follow others, such as a camera.
    case lateUpdate
    /// Just before the host draws and presents.
    case draw
}
