// SPDX-License-Identifier: Apache-2.0
// RunReadyWork: the second step of a pass, which runs what is in the queues, one piece after the other, until the
//               budget is used up.
// Owner:  the UI thread. Each piece is user code, which may call everything of the loop except `tick`.

import TandemCLinux

extension GuestLoop {
    func runDescriptors(_ count: Int, _ tick: inout TickBudget) {
        runUpTo(count, &tick) { tick in
            guard let report = io.next() else { return false }
            run(report, &tick)
            return true
        }
    }

    func runTimers(_ count: Int, _ tick: inout TickBudget) {
        runUpTo(count, &tick) { tick in
            guard let timer = timers.nextDue() else { return false }
            runRecord(timer.slot, since: timer.readyAt, isTimer: true, &tick)
            return true
        }
    }

    /// One function for both queues, so that a frame comes to its code only once.
    @inline(never) func runWork(_ count: Int, ofPhase: Bool = false, _ tick: inout TickBudget) {
        runUpTo(count, &tick) { tick in
            guard let work = queues.next(ofPhase: ofPhase) else { return false }
            run(work, &tick)
            return true
        }
    }

    /// Runs what a frame's phase has resumed, in passes; see `FrameQueues`.
    func runPhaseWork(budget: Nanoseconds) {
        var tick = TickBudget(
            budget: budget, began: tickState.clock.mark, endOfLast: tickState.clock.mark, isVirtual: time.isVirtual)
        while queues.phaseCount > 0 {
            tick.beginPass()
            runWork(queues.phaseCount, ofPhase: true, &tick)
            if tick.isOver || tickState.closesAfterTick { break }
        }
        account(&tick)
    }

    /// A pass of the closing loop: everything that was accepted, with no poll and no budget.
    func runClosingPass() {
        tickState.clock.read()
        var tick = TickBudget(
            budget: 0, began: tickState.clock.mark, endOfLast: tickState.clock.mark, isVirtual: time.isVirtual)
        repeat { _ = queues.takeIn(shared) } while shared.inbox.hasLeftovers
        if executors.adoption.drainsMainQueue { runMainQueue() }
        let (events, due, work) = (io.count, timers.dueCount, queues.count)
        runDescriptors(events, &tick)
        runTimers(due, &tick)
        runWork(work, &tick)
        account(&tick)
    }

    /// Runs up to `count` pieces of work, but only one if the budget is used up, so that every queue gets its share.
    /// The clock is read at most once in 10 µs: after a piece if the cycle counter says that so much time has passed.
    @inline(__always) private func runUpTo(
        _ count: Int, _ tick: inout TickBudget, _ runNext: (inout TickBudget) -> Bool
    ) {
        for _ in 0..<(tick.isSpent ? min(1, count) : count) {
            let wasSpent = tick.isSpent
            guard runNext(&tick) else { return }
            if instruments.isObserved {
                noteRun(&tick, wasSpent: wasSpent)
            } else if tickState.clock.isOlder(than: tick.cyclesUntilLook) {
                noteTime(&tick)
            }
            if tick.isSpent || tickState.closesAfterTick { return }
        }
    }

    /// Reads the clock after some work, and notes the time that has passed.
    func noteTime(_ tick: inout TickBudget) {
        let before = tickState.clock.mark
        tickState.clock.read()
        if tickState.clock.mark - before >= Self.blockingTime { reportBlockedThread(tickState.clock.mark - before) }
        instruments.didRun(for: tickState.clock.mark - before)
        tick.noteTime(tickState.clock.mark)
    }

    func noteEnd(_ tick: inout TickBudget, wasSpent: Bool, isLook: Bool) {
        // If the last piece was not part of the recorded run, the recorded run sees the end of the budget as if it had
        // been found before the pass.
        let isLook = tick.takeUnrecorded() || isLook
        if instruments.budgetEnds(isSpent: tick.isSpent, wasSpent: wasSpent, isLook: isLook) { tick.end() }
    }

    /// The figures of a tick or a phase.
    func account(_ tick: inout TickBudget) {
        if !tick.isClockFresh { noteTime(&tick) }
        tick.finish(
            carriedOver: io.count + timers.dueCount + queues.count + shared.inbox.leftovers, now: tickState.clock.mark,
            paused: tickState.takePausedTime())
        if instruments.isObserved { observeEnd(of: tick) }
        instruments.tickEnds(tick.report)
    }

    /// Runs a callback, unless it was cancelled in the meantime.
    private func runRecord(_ slot: UInt32, since readyAt: Nanoseconds, isTimer: Bool, _ tick: inout TickBudget) {
        let action = callbacks.take(slot)
        let site = callbacks.record(slot).pointee.site
        callbacks.free(slot)
        // Moved: a copy of the closure would count a reference, and drop two.
        switch consume action {
        case .none: return
        case .call(let body):
            instruments.willRun(isTimer ? .timer : .callback, site, readyFor: tickState.clock.mark - readyAt)
            tick.countCallback()
            if isTimer { tick.countTimer() }
            call(body, site)
        case .resume(let waiter):
            instruments.willRun(.timer, site, readyFor: tickState.clock.mark - readyAt)
            if isTimer { tick.countTimer() }
            waiter.resume()
        }
    }

    private func run(_ entry: consuming ReadyWork, _ tick: inout TickBudget) {
        let readyAt = entry.readyAt
        switch consume entry.work {
        case .callback(let slot): runRecord(slot, since: readyAt, isTimer: false, &tick)
        case .posted(let body, let site):
            instruments.willRun(.post, site, readyFor: tickState.clock.mark - readyAt)
            tick.countCallback()
            call(body, site)
        case .job(let job, let identity):
            if instruments.isObserved { instruments.activities?.willRun(job) }
            instruments.willRun(.task, nil, readyFor: tickState.clock.mark - readyAt)
            tick.countJob()
            execute(job, identity)
        case .continuation(let task):
            // The task's job is counted when it runs. If libdispatch's main queue runs the job, this is the only place
            // that sees it begin.
            executors.budget.renew()
            resuming(task.isolation) { task.resume() }
        }
    }

    private func run(_ report: consuming ReadyDescriptor, _ tick: inout TickBudget) {
        let readyAt = report.readyAt
        if let wait = report.wait {
            guard case .resume(let waiter) = wait.end() else { return }
            instruments.willRun(.descriptor, wait.site, readyFor: tickState.clock.mark - readyAt)
            return waiter.resume()
        }
        guard let watch = io.watch(for: report) else { return }
        runHandler(of: watch, since: readyAt, &tick)
    }

    @inline(__always) private func runHandler(
        of watch: Unmanaged<IOHandle>, since readyAt: Nanoseconds, _ tick: inout TickBudget
    ) {
        // Safe: the registration keeps the handle until user code runs, and it is not used afterwards. So its references
        // need not be counted for each event.
        watch._withUnsafeGuaranteedRef { handle in
            guard case .call(let body) = handle.action else { return }
            let site = handle.site
            if handle.isOurs {
                tick.noteUnrecorded()
                instruments.willRunUnrecorded(readyFor: tickState.clock.mark - readyAt)
            } else {
                instruments.willRun(.descriptor, site, readyFor: tickState.clock.mark - readyAt)
            }
            tick.countCallback()
            // A check goes on after the handler has run, so it gets a reference.
            if handle.streak.countReport() { return callChecked(watch.takeUnretainedValue(), body) }
            call(body, site)
        }
    }
}
