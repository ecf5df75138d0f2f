// SPDX-License-Identifier: Apache-2.0
// Tick: runs what is ready. The article *How a tick works* tells the same in words.
//
// A tick is a sequence of passes. One pass
//   1. collects what has become ready: events of descriptors, due timers, work from other threads (`CollectReadyWork`);
//   2. runs what was in each queue when the pass began: descriptors, timers, then callbacks, posts and jobs
//      (`RunReadyWork`).
// Passes follow each other while there is work and budget. Even if the budget is used up, each queue runs one piece of
// work per tick, so that no source of work keeps another from running. At its end the tick publishes the nearest
// deadline and passes the turn to the backend, or keeps it for a wait of the host (`PollTurn`).
//
// Owner:  the UI thread.
// Breaks: if `runTick` were left without `endTick`, the backend would never get the turn again. So errors of user code
//         are caught where they are thrown.

extension GuestLoop {
    /// Runs what is ready: descriptor handlers, due timers, posts, callbacks and jobs, until nothing is left or the
    /// budget is used up.
    ///
    /// Call it once per frame, and whenever the host was asked for a tick. If there is nothing to do, it costs one
    /// atomic load and allocates nothing: the backend announces due timers, some microseconds after their time.
    ///
    /// It does not compile in an async function: a task may run on any thread, and a tick belongs to one. An async
    /// function that is a loop of its own calls the host's tick (`SDLGuest.tick(budget:)`), ``HeadlessHost/run()``, or
    /// a synchronous function that ticks.
    ///
    /// On the loop of an `SDLGuest` this is `SDLGuest.tick(budget:)`: in a game with a loop of its own it is a frame,
    /// too.
    ///
    /// - Parameter budget: How long user code may run. What does not fit is carried over to the next tick, in order,
    ///   and that tick is requested. `nil`: the configuration's budget. `.zero`: one pass over everything that is ready
    ///   now, however long it takes.
    /// - Returns: What was done. A call from inside a tick runs nothing, and says so in the report.
    @available(
        *, noasync,
        message:
            "an async function may go on on another thread; call tick() in a synchronous one, on the thread that made the loop, or use the host's tick. What other threads may do is in loop.proxy"
    )
    @discardableResult
    public func tick(budget: Duration? = nil) -> TickReport {
        thread.check("GuestLoop.tick")
        guard nothingIsAnnounced, tickState.mayReturnEarly else { return tickWithWork(budget) }
        // A flag: looking at the closure itself would cost an idle tick 14 instructions of 74.
        if hosting.hooks.hasTick, !leavesOutTickOfHost() { return tickOfHost(budget) }
        instruments.countEmptyTick()
        return TickReport()
    }

    @inline(never) private func tickWithWork(_ budget: Duration?) -> TickReport {
        hosting.hooks.hasTick ? tickOfHost(budget) : tick(budget: budget, then: .unknown)
    }

    @inline(never) private func tickOfHost(_ budget: Duration?) -> TickReport {
        hosting.hooks.tick?(budget) ?? tick(budget: budget, then: .unknown)
    }

    /// Whether a tick without work has none for the host, either: nobody waits for a frame, and the host has said that it has
    /// nothing to do. Counts the tick then. See ``leavesOutIdleTicks``.
    @inline(__always) private func leavesOutTickOfHost() -> Bool {
        guard hosting.hooks.leavesOutIdleTicks, !members.hasFrameWaiters else { return false }
        hosting.hooks.countTickLeftOut()
        return true
    }

    /// For hosts, which say what they do after the tick.
    @discardableResult @inline(__always)
    package func tick(budget: Duration? = nil, then next: AfterTick) -> TickReport {
        thread.check("GuestLoop.tick")
        guard nothingIsAnnounced, tickState.mayReturnEarly else {
            return tickAfterLook(budget?.nanosecondsRoundedUp, next)
        }
        instruments.countEmptyTick()
        return TickReport()
    }

    /// No thread has announced work, and a descriptor or a timer that becomes ready would be announced by the backend.
    private var nothingIsAnnounced: Bool { shared.pending.isEmpty && shared.turn.backendAnnounces }

    /// A tick that was not found to have nothing to do. A wait calls it, which has found work.
    ///
    /// - Parameters:
    ///   - limit: The budget in nanoseconds; `nil`: the configuration's.
    ///   - look: The machine's time, if it was read just before.
    @inline(never) func tickAfterLook(_ limit: Nanoseconds?, _ next: AfterTick, asOf look: Nanoseconds? = nil)
        -> TickReport
    {
        guard !tickState.isTicking else { return refuseNestedTick() }
        guard admission.state == .open else { return TickReport() }
        let hasWork = !nothingIsAnnounced || (timers.areCheckedByTicks && timers.nearest <= time.now)
        guard instruments.tickBegins(hasWork: hasWork) else { return TickReport() }
        return runTick(limit ?? tickState.budget, next, look)
    }

    private func runTick(_ limit: Nanoseconds, _ next: AfterTick, _ look: Nanoseconds?) -> TickReport {
        var tick = beginTick(limit, next, look)
        repeat {
            collect(&tick)
            if runPass(&tick), !mayLeaveRestToWait(&tick) { continue }
            if pauseForPosts(&tick) { continue }
            tick.noteClockIsFresh()
            break
        } while !tick.isOver && !tickState.closesAfterTick
        endTick(&tick)
        return tick.report
    }

    private func beginTick(_ limit: Nanoseconds, _ next: AfterTick, _ look: Nanoseconds?) -> TickBudget {
        // Cleared before the queues are read. Work that comes later asks for a tick again.
        _ = shared.take([.underWay, .ready])
        tickState.begin()
        io.expectChanges()
        hosting.hooks.onWork?(true)
        executors.beginWork(of: self)
        shared.trace?(.tick)
        let endOfLast = tickState.clock.mark
        if let look { tickState.clock.take(look) } else { tickState.clock.read() }
        let sawNothing = shared.beginTick(at: tickState.clock.mark)
        return TickBudget(
            budget: limit, began: tickState.clock.mark, endOfLast: endOfLast, isVirtual: time.isVirtual, next: next,
            sleepSawNothing: sawNothing)
    }

    /// Runs what is in the queues now. `false`: they were empty.
    private func runPass(_ tick: inout TickBudget) -> Bool {
        let (events, due, work) = (io.count, timers.dueCount, queues.count)
        if events + due + work == 0 { return false }
        tick.beginPass()
        if instruments.isObserved { instruments.beginPass() }
        // Each is asked for, since to call one for nothing saves its registers: 80 instructions.
        if events > 0 { runDescriptors(events, &tick) }
        if due > 0 { runTimers(due, &tick) }
        if work > 0 { runWork(work, &tick) }
        return true
    }

    /// After a pass: whether the tick may end without another look, which would only find nothing, as far as is known. The
    /// host waits next: its wait looks at the queues, and watches the descriptors. After events of descriptors the tick
    /// polls again, as long as such polls find more.
    private func mayLeaveRestToWait(_ tick: inout TickBudget) -> Bool {
        guard tick.next == .wait, !tick.isOver, !tickState.closesAfterTick, !hasReadyWork, shared.pending.isEmpty,
            !time.hasSource
        else { return false }
        if tick.hasFoundEvents, hosting.wait.wantsToPollAgain() {
            tick.pollAgain()
            return false
        }
        noteTime(&tick)
        return timers.nearest > tickState.clock.mark
    }

    private func endTick(_ tick: inout TickBudget) {
        account(&tick)
        publishDeadline()
        shared.finishTick(tick.next, canPoll: !admission.hasFailed && !tick.pollFailed, now: tickState.clock.mark)
        if tick.report.carriedOver > 0 || shared.inbox.hasLeftovers { shared.requestTick(for: .ready) }
        executors.endWork()
        tickState.end()
        if tick.report.isEmpty { instruments.countTickWithoutWork() }
        if tickState.closesNow { performClose() }
        hosting.hooks.onWork?(false)
    }
}
