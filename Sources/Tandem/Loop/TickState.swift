// SPDX-License-Identifier: Apache-2.0
// TickState: whether user code is being run at the moment, and what waits for its end.
// Owner:  the UI thread.

struct TickState {
    /// A tick or a frame's phase runs user code, or the loop's end does.
    private(set) var isTicking = false
    /// ``GuestLoop/close()`` was called meanwhile.
    private(set) var closesAfterTick = false
    /// How many ticks stand aside for modal loops; see `ModalLoop`.
    private(set) var pausedTicks = 0
    /// How long the tick under way stood aside.
    private var pausedTime: Nanoseconds = 0

    /// Nothing but a request for a tick gives this loop something to do. Never again once time is virtual, a run is recorded or given back, the
    /// backend has died, or the loop has begun to close.
    private var dependsOnRequests = true

    /// What an idle tick looks at, beside the requests and the turn.
    @inline(__always) var isAtRest: Bool { !isTicking && dependsOnRequests }

    /// A close that was asked for waits for the outermost tick.
    var closesNow: Bool { closesAfterTick && pausedTicks == 0 }
    /// Somebody is inside a tick, which may stand aside.
    var isInside: Bool { isTicking || pausedTicks > 0 }

    mutating func lookFurther() { dependsOnRequests = false }
    mutating func begin() { isTicking = true }
    mutating func end() { isTicking = false }
    mutating func closeAfterTick() { closesAfterTick = true }

    /// The loop's end runs what is left, as a tick does: what is scheduled from here on asks nobody for one.
    mutating func beginClosing() {
        isTicking = true
        closesAfterTick = false
    }

    /// A modal loop begins. Returns for how long the tick had been paused before.
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

    /// For how long the tick stood aside; nothing the next time.
    mutating func takePausedTime() -> Nanoseconds {
        defer { pausedTime = 0 }
        return pausedTime
    }
}
