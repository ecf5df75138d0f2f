// SPDX-License-Identifier: Apache-2.0
// ModalLoop: a loop inside the loop, such as a pause menu, a dialog or a debugger's prompt, called from any code.
// Idea:   the tick (or the frame's phase) in which a modal loop begins is paused: it publishes its deadline and passes
//         the turn, as if it had ended. Then the modal loop is an ordinary loop outside any tick. When it returns, the
//         tick goes on with what is left in its queues.
// Owner:  the UI thread.
// Breaks: everything that a tick has while it runs user code (the turn, the host's wait, the executor of the present
//         job) has to be saved in `PausedTick`. What is forgotten there would be used by two ticks at once.

extension GuestLoop {
    /// Runs `body` outside of any tick, wherever it is called from, and returns what it returns.
    ///
    /// Code of a frame may run a loop of its own directly. A callback or a task is inside a tick, in which no other
    /// tick can run; in `body` it can:
    ///
    /// ```swift
    /// let choice = loop.runModal {
    ///     while menu.choice == nil { waitForTheHostsEvents(); loop.tick() }
    ///     return menu.choice
    /// }
    /// ```
    ///
    /// The tick that runs is paused meanwhile, and goes on afterwards; its caller waits for `body` as for any call.
    /// Timers, descriptors, posts and the other tasks run in the ticks of `body`. Modal loops may be nested; the inner
    /// one ends first. A ``close()`` in `body` takes effect when the paused tick ends. Once the loop closes, `body`
    /// still runs, and its ticks do nothing.
    ///
    /// For Swift, everything that runs inside a task's call belongs to that task: callbacks in `body` see the
    /// task-local values of the task that called this. If a block of `DispatchQueue.main` calls this, the blocks behind
    /// it wait, since that queue runs one at a time; tasks do not wait.
    ///
    /// UI thread. It costs about as much as a tick. Traps when called in the condition of
    /// ``waitUntil(in:fileID:line:_:)``.
    public func runModal<Value>(_ body: () throws -> Value) rethrows -> Value {
        thread.check("GuestLoop.runModal")
        guard tickState.isTicking, isOpen else { return try body() }
        require(
            members.frameQueues?.isResuming != true,
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
        // Safe: who waits holds it; see `HostWait`.
        let waker: Unmanaged<Waker>?
        let preferredExecutor: UnownedTaskExecutor?
        /// How long the tick had been paused before, in nanoseconds.
        let pausedTime: Nanoseconds
        let began: Nanoseconds
    }

    private func pauseTick() -> PausedTick {
        let isPhase = queues.isInPhase
        // Jobs that wait behind the present one in a phase would have to wait for the next frame, so they go into the
        // tick's queue.
        queues.endPhase()
        publishDeadline()
        // A phase does not take the turn, which may be on a lease meanwhile.
        if shared.turn.isWithUIThread, !isPhase { shared.turn.pass() }
        if hasReadyWork { shared.requestTick(for: .ready) }
        hosting.hooks.onWork?(false)
        return PausedTick(
            isPhase: isPhase, wasInWait: shared.turn.pauseWait(), waker: hosting.wait.pause(),
            preferredExecutor: executors.hint.pause(), pausedTime: tickState.pause(), began: LoopClock.machine)
    }

    private func resume(_ tick: PausedTick) {
        tickState.resume(pausedTime: tick.pausedTime)
        executors.hint.resume(tick.preferredExecutor)
        queues.resumePhase(tick.isPhase)
        shared.turn.resumeWait(tick.wasInWait)
        hosting.wait.resume(tick.waker)
        if !tick.isPhase { shared.turn.reclaim() }
        // Other handlers have run since the last poll.
        io.expectChanges()
        hosting.hooks.onWork?(true)
        tickState.clock.read()
        tickState.addPausedTime(tickState.clock.mark - tick.began)
    }
}
