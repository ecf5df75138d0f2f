// SPDX-License-Identifier: Apache-2.0
// ModalLoop: a loop inside of the loop: a pause menu, a dialog, a debugger's prompt, shown from wherever the code is.
// Idea:   a tick (or a frame's phase) that calls such a loop is paused: it publishes its deadline, passes the turn and stands aside, as if it had
//         ended. Then the modal loop is an ordinary loop, outside of any tick. When it returns, the tick goes on with what is left of its queues.
// Owner:  the UI thread.
// Breaks: whatever a tick has while it runs user code (the turn, the host's wait, the executor of the present job) has to be in `PausedTick`;
//         what is forgotten there belongs to two ticks at once.

extension GuestLoop {
    /// Runs `body` outside of any tick, wherever it is called from, and returns what it returns.
    ///
    /// A frame calls its own loop as it likes. A callback or a task is inside a tick, where no other tick can run; in `body` it can:
    ///
    /// ```swift
    /// let choice = loop.runModal {
    ///     while menu.choice == nil { waitForTheHostsEvents(); loop.tick() }
    ///     return menu.choice
    /// }
    /// ```
    ///
    /// The tick under way is paused meanwhile, and goes on afterwards; so does its caller, which waits for `body` as for any call. Timers, descriptors,
    /// posts and the other tasks run in the ticks of `body`. Modal loops may be nested; they end from the inside out. A ``close()``
    /// in `body` takes effect when the tick that was paused ends. Once the loop closes, `body` runs as it is, and its ticks do nothing.
    ///
    /// Swift takes what runs inside of a task's call for the task's: callbacks in `body` see the task-local values of a task that called it.
    /// A block of `DispatchQueue.main` that calls it keeps the blocks behind it waiting, since that queue runs one at a time; tasks do not.
    ///
    /// UI thread. Costs about as much as a tick. Traps in the condition of ``waitUntil(in:fileID:line:_:)``.
    public func runModal<Value>(_ body: () throws -> Value) rethrows -> Value {
        thread.check("GuestLoop.runModal")
        guard tickState.isTicking, isOpen else { return try body() }
        precondition(
            members.frameLine?.isResuming != true,
            "GuestLoop.runModal was called in the condition of a waitUntil, while tasks that wait for the frame are being resumed; call it in the task"
        )
        let tick = pauseTick()
        defer { resume(tick) }
        return try body()
    }

    /// What a tick or a phase has while it runs user code.
    private struct PausedTick {
        let isPhase: Bool
        let wasInWait: Bool
        let waker: Waker?
        let preferredExecutor: UnownedTaskExecutor?
        /// How long it had been paused before.
        let pausedTime: Nanoseconds
        let began: Nanoseconds
    }

    private func pauseTick() -> PausedTick {
        let isPhase = queues.isInPhase
        // What stands behind the present job in a phase would have to wait for a phase that may not come.
        queues.endPhase()
        publishDeadline()
        // A phase does not have the turn in its hands; it may be leased meanwhile.
        if shared.turn.isHere, !isPhase { shared.turn.pass() }
        if hasReadyWork { shared.requestTick(for: .ready) }
        hooks.onWork?(false)
        return PausedTick(
            isPhase: isPhase, wasInWait: shared.turn.pauseWait(), waker: hostWait.pause(),
            preferredExecutor: executors.hint.pause(), pausedTime: tickState.pause(), began: LoopClock.machine)
    }

    private func resume(_ tick: PausedTick) {
        tickState.resume(pausedTime: tick.pausedTime)
        executors.hint.resume(tick.preferredExecutor)
        queues.resumePhase(tick.isPhase)
        shared.turn.resumeWait(tick.wasInWait)
        hostWait.resume(tick.waker)
        if !tick.isPhase { shared.turn.reclaim() }
        // Other handlers have run since the poll.
        io.expectChanges()
        hooks.onWork?(true)
        tickClock.read()
        tickState.addPausedTime(tickClock.mark - tick.began)
    }
}
