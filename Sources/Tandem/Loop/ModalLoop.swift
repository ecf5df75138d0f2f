// SPDX-License-Identifier: Apache-2.0
// ModalLoop: a loop inside of the loop: a pause menu, a dialog, a debugger's prompt, shown from wherever the code is.
// Idea:   a tick (or a frame's phase) that calls such a loop is paused: it publishes its deadline, passes the turn and stands aside, as if it had
//         ended. Then the modal loop is an ordinary loop, outside of any tick. When it returns, the tick goes on with what is left of its queues.
// Owner:  the UI thread.
// Breaks: whatever a tick holds while it runs user code (the turn, the host's wait, the executor of the present job) has to be in `PausedTick`;
//         what is forgotten there belongs to two ticks at once.

import Logging

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
        guard isTicking, isOpen else { return try body() }
        precondition(
            madeFrameLine?.isResuming != true,
            "GuestLoop.runModal was called in the condition of a waitUntil, while tasks that wait for the frame are being resumed; call it in the task"
        )
        let tick = pauseTick()
        defer { resume(tick) }
        return try body()
    }

    /// A tick inside of one that is not paused.
    func refuseNestedTick() -> TickReport {
        counters.nestedTicks += 1
        // An inner loop would say so in each of its frames.
        if counters.nestedTicks == 1 {
            configuration.logger.warning(
                "tick() was called from inside a tick, by a callback or a task, and ran nothing; put an inner loop into runModal { }, which steps out of the tick. This is said once; Statistics.nestedTicks counts."
            )
        }
        var report = TickReport()
        report.isNested = true
        return report
    }

    /// What a tick or a phase has while it runs user code.
    private struct PausedTick {
        let isPhase: Bool
        let wasWaiting: Bool
        let bell: Bell?
        let preferredExecutor: UnownedTaskExecutor?
        /// How long it had been paused before.
        let pausedTime: Nanoseconds
        let began: Nanoseconds
    }

    private func pauseTick() -> PausedTick {
        let tick = PausedTick(
            isPhase: isInPhase, wasWaiting: isWaiting, bell: listeningBell, preferredExecutor: preferredExecutor,
            pausedTime: pausedTime, began: LoopClock.machine)
        // What stands behind the present job in a phase would have to wait for a phase that may not come.
        while let entry = phaseWork.popFirst() { ready.append(entry) }
        publishDeadline()
        // A phase does not have the turn in its hands; it may lie beside it.
        if holdsTurn, !isInPhase { passTurn() }
        if hasReadyWork || inbox.hasLeftovers { backstage.raise(.ready) }
        onWork?(false)
        // The modal loop may sleep in a wait that the bell does not end.
        tick.bell?.endListening()
        listeningBell = nil
        isWaiting = false
        isInPhase = false
        preferredExecutor = nil
        pausedTicks += 1
        isTicking = false
        return tick
    }

    private func resume(_ tick: PausedTick) {
        isTicking = true
        pausedTicks -= 1
        preferredExecutor = tick.preferredExecutor
        isInPhase = tick.isPhase
        isWaiting = tick.wasWaiting
        listeningBell = tick.bell
        tick.bell?.beginListening()
        if holdsTurn, !isInPhase { pickUpTurn() }
        // Other handlers have run since the poll.
        isPollFresh = false
        onWork?(true)
        readClock()
        pausedTime = tick.pausedTime + (mark - tick.began)
    }
}
