// SPDX-License-Identifier: Apache-2.0
// RunTape: records a run, or replays one.
// Idea:   what a program on one thread does follows from three things: what the clock said, what came from outside, and
//         where a budget ended a tick. A tape takes the place of the clock: the time is read once at the beginning of
//         each frame, and of each tick that has work, and stands still in between. The tape is told of each input and
//         each piece of work, so that a replay can give the same times, inputs and ends of budgets, and can say where
//         its order differs.
// Owner:  the UI thread. `now` may be read on any thread.

/// A piece of work, as it is recorded.
package struct RecordedWork: Hashable {
    package enum Kind: UInt8 { case callback, timer, post, descriptor, task }

    package let kind: Kind
    /// Where it was scheduled; Swift's jobs do not say.
    package let site: CallSite?
}

/// A source of time that records a run, or replays one. An object, so that the runtime needs no type for a place that may hold one.
package protocol RunTape: AnyObject, TimeSource {
    /// Whether it replays. Then hosts take events and ticks from the tape.
    var isReplay: Bool { get }
    /// The run has begun and has not ended.
    var isActive: Bool { get }
    /// Whether the recorded run is over, or the replay has differed from it.
    var isOver: Bool { get }

    /// A frame begins: the next reading of the time.
    func frameBegins()
    /// The frame has ended. Between frames a host ticks when there is work, inside a frame at fixed places.
    func frameEnds()
    /// A tick begins: the next reading of the time. `hasWork`: whether it has work. Returns whether it goes on.
    func tickBegins(hasWork: Bool) -> Bool
    /// Whether a tick has work, if the tape decides that; `nil`: the loop decides.
    var hasTick: Bool? { get }
    /// A piece of work is about to run.
    func runs(_ work: RecordedWork)
    /// Called after a piece of work, and at the look before a pass, with whether the tick's budget is used up. The
    /// answer is what counts.
    func budgetEnds(_ isSpent: Bool, isLook: Bool) -> Bool

    /// A `Task.sleep` begins, of this many nanoseconds by the machine's clock. Returns how long it lasts.
    func sleeps(_ left: Int64) -> Int64

    /// An input from outside has arrived, as bytes in the host's format.
    func input(_ bytes: UnsafeRawBufferPointer)
    /// The next input, if it comes before the next frame and tick.
    func nextInput() -> [UInt8]?

    /// The loop closes.
    func loopCloses()
}

extension GuestLoop {
    /// The tape that records or replays this loop's run, while it does.
    package var activeTape: (any RunTape)? { isTaped ? instruments.activeTape : nil }

    /// Whether there may be such a tape: one has been begun. One load, where a wait or a tick asks.
    package var isTaped: Bool { instruments.isTaped }

    /// UI thread: the recorded run begins here. Everything that starts in it stays on this thread, in one order.
    package func beginTape() {
        instruments.beginTape()
        tickState.expectUnannouncedWork()
        executors.kept.begin()
    }

    /// For hosts: the present time by the machine's clock, also while user code sees a recorded time. In virtual time,
    /// the virtual time.
    package var hostNow: ContinuousClock.Instant { time.instant(at: time.live) }

    /// The same in nanoseconds, of which only differences mean something.
    package var hostTime: Int64 { time.live }

    /// ``GuestLoop/now`` in the same nanoseconds, and the instant of such a time.
    package var loopTime: Int64 { time.now }
    package func instant(at loopTime: Int64) -> ContinuousClock.Instant { time.instant(at: loopTime) }

    /// An instant in the nanoseconds of ``hostTime``; `.max` for `nil` and what lies beyond 292 years.
    package func hostTime(of instant: ContinuousClock.Instant?) -> Int64 {
        instant.map(time.nanoseconds(at:)) ?? .never
    }

    /// A frame of the host begins. Returns the loop's time, which stays the same from here on in a recorded run.
    package func beginFrame() -> ContinuousClock.Instant {
        activeTape?.frameBegins()
        instruments.activities?.begin(.frame)
        return now
    }

    /// A host's frame is over.
    package func endFrame() {
        activeTape?.frameEnds()
        instruments.activities?.end(.frame)
    }
}
