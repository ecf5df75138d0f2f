// SPDX-License-Identifier: Apache-2.0
// Tick: runs what is ready. The article *How a tick works* tells the same in words.
//
// A tick is a sequence of passes. One pass
//   1. collects what has become ready: events of descriptors, due timers, work from other threads (`Collecting`);
//   2. runs what was in each queue when the pass began: descriptors, timers, then callbacks, posts and jobs (`Running`).
// Passes follow each other while there is work and budget. Even if the budget is used up, each queue runs one piece of
// work per tick, so that no source of work keeps another from running. At its end the tick publishes the nearest
// deadline and passes the turn to the backend, or keeps it for a wait of the host (`PollTurn`).
//
// Owner:  the UI thread.
// Breaks: if `runTick` were left without `endTick`, the backend would never get the turn again. So errors of user code
//         are caught where they are thrown.

extension GuestLoop {
    /// Runs what is ready: descriptor handlers, due timers, posts, callbacks and jobs, until nothing is left or the budget
    /// is used up.
    ///
    /// Call it once per frame, and whenever the host was asked for a tick. If there is nothing to do, it costs one
    /// atomic load and allocates nothing: the backend announces due timers, some microseconds after their time.
    ///
    /// On the loop of an `SDLGuest` this is `SDLGuest.tick(budget:)`: in a game with a loop of its own it is a frame, too.
    ///
    /// - Parameter budget: How long user code may run. What does not fit is carried over to the next tick, in order, and
    ///   that tick is requested. `nil`: the configuration's budget. `.zero`: one pass over everything that is ready now,
    ///   however long it takes.
    /// - Returns: What was done. A call from inside a tick runs nothing, and says so in the report.
    @discardableResult
    public func tick(budget: Duration? = nil) -> TickReport {
        // A flag: looking at the closure itself would cost an idle tick 14 instructions of 74.
        if hooks.hasTick { return tickOfHost(budget) }
        return tick(budget: budget, then: .unknown)
    }

    @inline(never) private func tickOfHost(_ budget: Duration?) -> TickReport {
        hooks.tick?(budget) ?? tick(budget: budget, then: .unknown)
    }

    /// For hosts, which say what they do after the tick.
    @discardableResult @inline(__always)
    package func tick(budget: Duration? = nil, then next: AfterTick) -> TickReport {
        thread.check("GuestLoop.tick")
        guard isUnannounced, tickState.isAtRest else { return tickAfterLook(budget, next) }
        instruments.countEmptyTick()
        return TickReport()
    }

    /// No thread has announced work, and if there were any, the backend would announce it.
    private var isUnannounced: Bool { shared.pending.isEmpty && shared.turn.isQuiet }

    @inline(never) private func tickAfterLook(_ budget: Duration?, _ next: AfterTick) -> TickReport {
        guard !tickState.isTicking else { return refuseNestedTick() }
        guard admission.state == .open else { return TickReport() }
        let hasWork = !isUnannounced || (timers.isUnannounced && timers.nearest <= time.now)
        guard instruments.tickBegins(hasWork: hasWork) else { return TickReport() }
        return runTick((budget ?? configuration.budget).nanosecondsRoundedUp, next)
    }

    private func runTick(_ limit: Nanoseconds, _ next: AfterTick) -> TickReport {
        var tick = beginTick(limit, next)
        repeat {
            collect(&tick)
            if !runPass(&tick), !pauseForPosts(&tick) { break }
        } while !tick.isOver && !tickState.closesAfterTick
        endTick(&tick)
        return tick.report
    }

    private func beginTick(_ limit: Nanoseconds, _ next: AfterTick) -> TickBudget {
        // Cleared before the queues are read. Work that comes later asks for a tick again.
        _ = shared.take([.underWay, .ready])
        tickState.begin()
        shared.turn.beginTick()
        io.expectChanges()
        hooks.onWork?(true)
        executors.beginWork(of: self)
        shared.trace?(.tick)
        let endOfLast = tickClock.mark
        tickClock.read()
        return TickBudget(
            budget: limit, began: tickClock.mark, endOfLast: endOfLast, isVirtual: time.isVirtual, next: next)
    }

    /// Runs what is in the queues now. `false`: they were empty.
    private func runPass(_ tick: inout TickBudget) -> Bool {
        let (events, due, work) = (io.count, timers.dueCount, queues.count)
        if events + due + work == 0 { return false }
        tick.beginPass()
        if instruments.isObserved { instruments.activities?.beginPass() }
        runDescriptors(events, &tick)
        runTimers(due, &tick)
        runWork(work, &tick)
        return true
    }

    private func endTick(_ tick: inout TickBudget) {
        account(&tick)
        publishDeadline()
        shared.turn.finish(tick.next, canPoll: admission.failure == nil && !tick.pollFailed, now: tickClock.mark)
        if tick.report.carriedOver > 0 || shared.inbox.hasLeftovers { shared.requestTick(for: .ready) }
        executors.endWork()
        tickState.end()
        if tick.report.isEmpty { instruments.countTickWithoutWork() }
        if tickState.closesNow { performClose() }
        hooks.onWork?(false)
    }

    /// Called inside a tick that is not paused for a modal loop.
    private func refuseNestedTick() -> TickReport {
        // Logged once, since an inner loop would otherwise log it in each of its frames.
        if instruments.countNestedTick() {
            logger.warning(
                "tick() was called from inside a tick, by a callback or a task, and ran nothing; put an inner loop into runModal { }, which steps out of the tick. This is said once; Statistics.nestedTicks counts."
            )
        }
        var report = TickReport()
        report.isNested = true
        return report
    }
}
