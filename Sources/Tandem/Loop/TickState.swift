// SPDX-License-Identifier: Apache-2.0
// TickState: whether the loop runs user code at the moment, what has to wait until it ends, and the time that it goes
//            by.
// Owner:  the UI thread.

struct TickState {
    var clock = TickClock()
    /// The configuration's budget. A tick need not divide it by 10^9 each time.
    let budget: Nanoseconds
    /// Whether a tick or a frame's phase runs, or the loop's end does.
    private(set) var isTicking = false { didSet { updateEarlyReturn() } }
    /// ``GuestLoop/close()`` was called during the tick, and takes effect at its end.
    private(set) var closesAfterTick = false
    /// How many ticks are paused for modal loops; see `ModalLoop`.
    private(set) var pausedTicks = 0
    /// How long the present tick was paused, in nanoseconds.
    private var pausedTime: Nanoseconds = 0

    /// True as long as every piece of work comes with a request for a tick. False for good once time is virtual, a run
    /// is recorded or replayed, the backend has ended with an error, or the loop closes.
    private var dependsOnRequests = true { didSet { updateEarlyReturn() } }

    /// Whether a tick may return at once if no work is announced: no tick runs, and all work is announced. It is
    /// stored, so that an idle tick checks it by one load.
    private(set) var mayReturnEarly = true

    /// Whether a requested close can be done now: no tick is paused any more.
    var closesNow: Bool { closesAfterTick && pausedTicks == 0 }
    /// Whether a tick runs or is paused.
    var isInside: Bool { isTicking || pausedTicks > 0 }

    init(budget: Nanoseconds) { self.budget = budget }

    private mutating func updateEarlyReturn() { mayReturnEarly = !isTicking && dependsOnRequests }
    /// From now on there may be work without a request for a tick.
    mutating func expectUnannouncedWork() { dependsOnRequests = false }
    mutating func begin() { isTicking = true }
    mutating func end() { isTicking = false }
    mutating func closeAfterTick() { closesAfterTick = true }

    /// The loop's end runs what is left, as a tick does, so work that is scheduled from here on asks for no tick.
    mutating func beginClosing() {
        isTicking = true
        closesAfterTick = false
    }

    /// A modal loop begins. Returns how long the tick had been paused before.
    mutating func pause() -> Nanoseconds {
        pausedTicks += 1
        isTicking = false
        return pausedTime
    }

    /// The modal loop has ended.
    mutating func resume(pausedTime: Nanoseconds) {
        isTicking = true
        pausedTicks -= 1
        self.pausedTime = pausedTime
    }

    mutating func addPausedTime(_ nanoseconds: Nanoseconds) { pausedTime += nanoseconds }

    /// Returns how long the tick was paused, and resets that to zero.
    mutating func takePausedTime() -> Nanoseconds {
        defer { pausedTime = 0 }
        return pausedTime
    }
}
