// SPDX-License-Identifier: Apache-2.0
// RunTape: what a run is recorded to, or replayed from.
// Idea:   on one thread, a program's course follows from three things: what the clock said, what came from outside, and where a budget ended
//         a tick. A tape stands in for the clock: the time is read once at the beginning of each frame and of each tick that has work, and
//         stands still in between. It is told of each input and each piece of work, so that a replay can give the same readings,
//         inputs and ends, and say where its order differs.
// Owner:  the UI thread, but for `now`.

/// A piece of work, as a recording knows it.
package struct RecordedWork: Hashable {
    package enum Kind: UInt8 { case callback, timer, post, descriptor, task }

    package let kind: Kind
    /// Where it was scheduled; Swift's jobs do not say.
    package let site: CallSite?
}

/// A source of time that writes a run down, or gives one back.
package protocol RunTape: TimeSource {
    /// Gives a run back. Then hosts take events and ticks from the tape.
    var isReplay: Bool { get }
    /// The run has begun and has not ended.
    var isActive: Bool { get }
    /// The recorded run is over, or has been left.
    var isOver: Bool { get }

    /// A frame begins: the next reading.
    func frameBegins()
    /// The frame is over. Between frames a host ticks as work comes, within them at its own places.
    func frameEnds()
    /// A tick begins: the next reading. `hasWork`: whether it has something to do; the answer is whether it goes on.
    func tickBegins(hasWork: Bool) -> Bool
    /// The tape's own opinion of whether a tick has something to do; `nil`: the loop knows.
    var hasTick: Bool? { get }
    /// A piece of work is about to run.
    func runs(_ work: RecordedWork)
    /// After a piece of work, or at the look before a pass: whether the tick's budget is spent by now. The answer is what counts.
    func budgetEnds(_ isSpent: Bool, isLook: Bool) -> Bool

    /// A `Task.sleep` begins that has so many nanoseconds left by the machine's clock. The answer is how long it lasts.
    func sleeps(_ left: Int64) -> Int64

    /// An input from outside came, as bytes of the host's.
    func input(_ bytes: UnsafeRawBufferPointer)
    /// The next input, if it comes before the next frame and tick.
    func nextInput() -> [UInt8]?

    /// The loop closes.
    func loopCloses()
}

extension GuestLoop {
    /// What this loop's run is recorded to or replayed from, while it is.
    package var activeTape: (any RunTape)? { instruments.activeTape }

    /// UI thread: the recorded run begins here. What descends from it stays on this thread, in one order.
    package func beginTape() {
        instruments.beginTape()
        tickState.lookFurther()
        executors.kept.begin()
    }

    /// For hosts, which pace themselves by the machine also while user code sees a recorded time.
    package var hostNow: ContinuousClock.Instant { time.instant(at: time.live) }

    /// A host's frame begins. The loop's present from here on.
    package func beginFrame() -> ContinuousClock.Instant {
        activeTape?.frameBegins()
        return now
    }
}
