// SPDX-License-Identifier: Apache-2.0
// Tick: the source design's `run_events_on_ui_thread`.
//
// A tick is a sequence of passes. One pass
//   1. takes the turn if the backend gave it back, or, having kept it, polls without waiting (the hot turn);
//   2. moves due timers, found descriptors and the inbox into their queues;
//   3. runs what stood in each queue when the pass began: descriptors, timers, then callbacks, posts and jobs.
// It goes on while there is work and budget, and waits for a timer that is due within microseconds. Whatever the budget, each queue gets
// one piece of work per tick, so that no source starves another. At the end it publishes the nearest deadline and passes the turn,
// or keeps it; see `OwnWait`.
//
// Owner:  the UI thread.
// Breaks: a path out of `runPasses` around `endTick` keeps the turn for ever; user errors are caught where they are thrown.

import Glibc
import Logging
import SystemPackage
import TandemCLinux

extension GuestLoop {
    /// Runs what is ready: descriptor handlers, due timers, posts, callbacks and jobs, until nothing is left or the budget is spent.
    ///
    /// Call it once per frame, and whenever the host was asked for a tick. An idle one costs one atomic load and allocates nothing:
    /// the backend announces due timers, some microseconds after their time.
    ///
    /// - Parameter budget: How long user code may run; what does not fit is carried over, in order, and a tick is asked for.
    ///   `nil`: the configuration's. `.zero`: one pass over all that is ready now, however long that takes.
    /// - Returns: What was done. A call from inside a tick runs nothing and says so.
    @discardableResult
    public func tick(budget: Duration? = nil) -> TickReport { tick(budget: budget, then: .unknown) }

    /// For hosts, which know what they do afterwards.
    @discardableResult @inline(__always)
    package func tick(budget: Duration? = nil, then next: AfterTick) -> TickReport {
        thread.check("GuestLoop.tick")
        guard hasNothingAtAGlance else { return tickAfterLook(budget, next) }
        counters.ticks += 1
        counters.emptyTicks += 1
        return TickReport()
    }

    /// Nothing is announced, and somebody else would announce it.
    private var isUnannounced: Bool { backstage.announced.isEmpty && !holdsTurn }

    /// What an idle tick looks at: nothing is announced, and the loop is none of those that have to look further.
    private var hasNothingAtAGlance: Bool {
        isUnannounced && !isTicking && !looksAtClock && !isTaped && state == .open
    }

    @inline(never) private func tickAfterLook(_ budget: Duration?, _ next: AfterTick) -> TickReport {
        guard !isTicking else { return refuseNestedTick() }
        guard state == .open else { return TickReport() }
        counters.ticks += 1
        var isEmpty = isUnannounced && (!looksAtClock || timers.firstDeadline > time.now)
        if isTaped, let tape = activeTape { isEmpty = !tape.tickBegins(hasWork: !isEmpty) }
        if isEmpty {
            counters.emptyTicks += 1
            return TickReport()
        }
        return runTick((budget ?? configuration.budget).nanosecondsRoundedUp, next)
    }

    private func runTick(_ budget: Nanoseconds, _ next: AfterTick) -> TickReport {
        // Cleared before the queues are read: what comes later asks again.
        _ = backstage.take([.hint, .ready])
        isTicking = true
        hasReadiness = false
        isPollFresh = false
        if holdsTurn { pickUpTurn() }
        onWork?(true)
        backstage.trace?(.tick)
        let endOfLast = mark
        readClock()
        var tick = TickUnderWay(
            budget: max(0, budget), began: mark, endOfLast: endOfLast, isVirtual: time.isVirtual, next: next)
        runPasses(&tick)
        endTick(&tick)
        isTicking = false
        if tick.report.isEmpty { counters.emptyTicks += 1 }
        if closesAfterTick, pausedTicks == 0 { performClose() }
        onWork?(false)
        return tick.report
    }

    func readClock() {
        mark = LoopClock.machine
        cyclesAtMark = tandem_cycles()
    }

    private func runPasses(_ tick: inout TickUnderWay) {
        while true {
            lookAround(&tick)
            let counts = (io: readyIO.count, timers: readyTimers.count, ready: ready.count)
            if counts.io + counts.timers + counts.ready == 0 {
                if waitForNearTimer(&tick) || napIfItPays(&tick) { continue }
                return
            }
            tick.report.passes += 1
            run(readyIO, counts.io, &tick) { run($0, &$1) }
            run(readyTimers, counts.timers, &tick) { runTimer($0, &$1) }
            run(ready, counts.ready, &tick) { run($0, &$1) }
            if tick.isOver || closesAfterTick { return }
        }
    }

    /// Moves what has become ready into the queues.
    private func lookAround(_ tick: inout TickUnderWay) {
        let wasSpent = tick.isSpent
        if tick.report.passes > 0 {
            if backstage.announced.contains(.inbox) { tick.letFloodGather() }
            noteTime(&tick)
        }
        if isTaped { noteEnd(&tick, wasSpent: wasSpent, isLook: true) }
        let news = backstage.announced.isEmpty ? [] : backstage.take([.inbox, .turn, .failure])
        if news.contains(.turn) {
            holdsTurn = true
            backstage.turn.receive()
            harvest(backstage.found.load(ordering: .relaxed), &tick)
        } else if holdsTurn, tick.mayPoll(queueIsEmpty: ready.isEmpty, descriptors: registrations.count, now: mark) {
            // What stands in the queue already, this poll has not asked about.
            isPollFresh = readyIO.isEmpty
            harvest(poll(&tick), &tick)
        }
        if news.contains(.failure) { backendFailed() }
        collectDueTimers()
        if news.contains(.inbox) { inbox.announce() }
        tick.gulp = 0
        if inbox.hasLeftovers {
            tick.gulp = inbox.empty(into: ready, limit: 1024)
            counters.inboxEntries += tick.gulp
            if tick.report.passes == 0, tick.gulp > 0 {
                moderation.tickFound(inbox.newPosts, after: inbox.beganAt - tick.endOfLast)
                patience.noteArrival(after: inbox.beganAt - tick.endOfLast)
            }
        }
        if tick.hasNapped { moderation.napBrought(tick.gulp > 0 ? inbox.newPosts : 0) }
        tick.hasNapped = false
    }

    /// Lets other threads' work gather, if it has come all the time and the thread would sleep anyway; see `Moderation`.
    private func napIfItPays(_ tick: inout TickUnderWay) -> Bool {
        guard tick.report.passes > 0, !isTaped, tick.hasTimeToNap(at: mark),
            timers.firstDeadline > mark.addingClamped(Moderation.nap), moderation.wantsNap()
        else { return false }
        let slack = tandem_thread_set_timer_slack(1)
        usleep(UInt32(Moderation.nap / 1000))
        if slack != 1 { tandem_thread_set_timer_slack(slack) }
        tick.hasNapped = true
        // It is no callback's time.
        readClock()
        return true
    }

    private func poll(_ tick: inout TickUnderWay) -> Int {
        counters.hotPolls += 1
        let count: Int
        do throws(Errno) {
            count = try backstage.poller.wait(.nanoseconds(0))
        } catch {
            // It will show again in the backend's own poll, which reports it.
            tick.pollFailed = true
            return 0
        }
        // The poll is no callback's time.
        readClock()
        tick.notePoll(count, now: mark)
        backstage.foundAt.store(mark, ordering: .relaxed)
        return count
    }

    private func harvest(_ count: Int, _ tick: inout TickUnderWay) {
        guard count > 0 else { return }
        let foundAt = backstage.foundAt.load(ordering: .relaxed)
        for index in 0..<count {
            let event = backstage.poller[index]
            if backstage.poller.isOwn(event) { continue }
            let isKnown = registrations.report(event, at: foundAt) { readyIO.append($0) }
            if isKnown {
                tick.report.ioEvents += 1
            } else {
                counters.staleEvents += 1
                registrations.noteStale(event, at: mark)
            }
        }
        backstage.found.store(0, ordering: .relaxed)
    }

    /// A timer that is due sooner than this thread could fall asleep and be woken is waited for here. Whether the tick is to look again.
    private func waitForNearTimer(_ tick: inout TickUnderWay) -> Bool {
        let nearest = timers.firstDeadline
        guard nearest <= mark + TickUnderWay.wakeUp, !time.hasSource, tick.mayWaitOnce() else {
            return false
        }
        while backstage.announced.isEmpty, LoopClock.machine < nearest { tandem_pause(100) }
        // The wait is no callback's time.
        readClock()
        return true
    }

    private func collectDueTimers() {
        guard timers.count > 0 else { return }
        let now = time.hasSource ? time.now : mark
        while let (slot, deadline) = timers.popDue(at: now) {
            callbacks.record(slot).pointee.place = .queue
            // A deadline that lay in the past when it was set has been due since then, which is later than the last look.
            readyTimers.append(DueTimer(slot: slot, readyAt: time.isVirtual ? mark : max(deadline, lastLook)))
        }
        lastLook = mark
    }

    /// Runs up to `count` pieces of work; only one once the budget is spent, so that every source gets its share. The clock is looked at
    /// when so much time may have passed that it matters: after each piece that took 10 us, else once in that time.
    @inline(__always) private func run<Element: ~Copyable>(
        _ queue: TaskQueue<Element>, _ count: Int, _ tick: inout TickUnderWay,
        _ body: (consuming Element, inout TickUnderWay) -> Void
    ) {
        for _ in 0..<(tick.isSpent ? min(1, count) : count) {
            guard let element = queue.popFirst() else { return }
            let wasSpent = tick.isSpent
            body(element, &tick)
            if tandem_cycles() &- cyclesAtMark > tick.cyclesUntilLook { noteTime(&tick) }
            if isTaped { noteEnd(&tick, wasSpent: wasSpent, isLook: false) }
            if tick.isSpent || closesAfterTick { return }
        }
    }

    /// Looks at the clock after some work.
    private func noteTime(_ tick: inout TickUnderWay) {
        let before = mark
        readClock()
        tick.longest = max(tick.longest, mark - before)
        tick.notes(mark)
    }

    /// A recorded tick's budget ends where it was found spent; a replayed one's at the same place.
    private func noteEnd(_ tick: inout TickUnderWay, wasSpent: Bool, isLook: Bool) {
        // What is no part of the run has used up the budget before the pass, as far as the run can tell.
        let isLook = isLook || tick.ranUnrecorded
        tick.ranUnrecorded = false
        guard let tape = activeTape, !wasSpent else { return }
        if tape.budgetEnds(tick.isSpent, isLook: isLook) { tick.end() }
    }

    /// Tells the tape what is about to run.
    private func note(_ kind: RecordedWork.Kind, _ site: CallSite?) {
        activeTape?.runs(RecordedWork(kind: kind, site: site))
    }

    private func runTimer(_ timer: DueTimer, _ tick: inout TickUnderWay) {
        runRecord(timer.slot, since: timer.readyAt, isTimer: true, &tick)
    }

    /// Runs a callback, unless it was called off meanwhile.
    private func runRecord(_ slot: UInt32, since readyAt: Nanoseconds, isTimer: Bool, _ tick: inout TickUnderWay) {
        let action = callbacks.take(slot)
        let site = callbacks.record(slot).pointee.site
        callbacks.free(slot)
        switch action {
        case .none: return
        case .call(let body):
            if isTaped { note(isTimer ? .timer : .callback, site) }
            tick.report.callbacks += 1
            tick.latency.record(mark - readyAt, into: &counters.latency)
            if isTimer { tick.report.timersFired += 1 }
            call(body, site)
        case .resume(let waiter):
            if isTaped { note(.timer, site) }
            tick.latency.record(mark - readyAt, into: &counters.latency)
            if isTimer { tick.report.timersFired += 1 }
            waiter.resume()
        }
    }

    private func run(_ entry: consuming ReadyWork, _ tick: inout TickUnderWay) {
        let readyAt = entry.readyAt
        switch consume entry.work {
        case .callback(let slot): runRecord(slot, since: readyAt, isTimer: false, &tick)
        case .posted(let body, let site):
            if isTaped { note(.post, site) }
            tick.report.callbacks += 1
            tick.latency.record(mark - readyAt, into: &counters.latency)
            call(body, site)
        case .job(let job, let identity):
            if isTaped { note(.task, nil) }
            tick.report.jobs += 1
            tick.latency.record(mark - readyAt, into: &counters.latency)
            execute(job, identity)
        case .continuation(let task):
            // Its job is counted when it runs. Where the main queue runs it, this is the only beginning that is seen.
            cooperativeBudget.renew()
            resuming(task.isolation) { task.resume() }
        }
    }

    private func run(_ descriptor: consuming ReadyDescriptor, _ tick: inout TickUnderWay) {
        if let wait = descriptor.wait {
            guard case .resume(let waiter) = wait.end() else { return }
            if isTaped { note(.descriptor, wait.site) }
            tick.latency.record(mark - descriptor.readyAt, into: &counters.latency)
            return waiter.resume()
        }
        // The first handler after a poll of this thread's sees the world as it was polled; the next ones see what the earlier ones did to it.
        guard let handle = registrations.takeReport(descriptor, asks: !isPollFresh) else { return }
        isPollFresh = false
        if registrations.count > Self.fewRegistrations { fetchAhead() }
        runHandler(handle, since: descriptor.readyAt, &tick)
    }

    /// So many stay in the nearest cache.
    private static let fewRegistrations = 200

    /// With many descriptors the next handlers' memory has gone cold. It comes while this one runs.
    private func fetchAhead() {
        readyIO.look(at: 0) { registrations.fetch($0, captured: true) }
        readyIO.look(at: 1) { registrations.fetch($0, captured: false) }
    }

    private func runHandler(_ handle: IOHandle, since readyAt: Nanoseconds, _ tick: inout TickUnderWay) {
        guard case .call(let body) = handle.action else { return }
        if isTaped {
            if handle.isOurs { tick.ranUnrecorded = true } else { note(.descriptor, handle.site) }
        }
        tick.report.callbacks += 1
        tick.latency.record(mark - readyAt, into: &counters.latency)
        if handle.streak.isDue() { return callUnderSuspicion(handle, body) }
        call(body, handle.site)
    }

    /// A pass of the closing loop: everything that was accepted, with no poll and no budget.
    func runClosingPass() {
        readClock()
        var tick = TickUnderWay(budget: 0, began: mark, endOfLast: mark, isVirtual: time.isVirtual)
        repeat { _ = inbox.empty(into: ready) } while inbox.hasLeftovers
        if drainsMainQueue { runMainQueue() }
        let counts = (io: readyIO.count, timers: readyTimers.count, ready: ready.count)
        run(readyIO, counts.io, &tick) { run($0, &$1) }
        run(readyTimers, counts.timers, &tick) { runTimer($0, &$1) }
        run(ready, counts.ready, &tick) { run($0, &$1) }
        account(&tick)
    }

    private func account(_ tick: inout TickUnderWay) {
        noteTime(&tick)
        tick.latency.flush(into: &counters.latency)
        tick.report.carriedOver = readyIO.count + readyTimers.count + ready.count + inbox.leftovers
        tick.report.elapsedNanoseconds = mark - tick.began - pausedTime
        tick.report.overrunNanoseconds = tick.overrun(at: mark - pausedTime)
        pausedTime = 0
        counters.callbacks += tick.report.callbacks
        counters.ioEvents += tick.report.ioEvents
        counters.jobs += tick.report.jobs
        counters.timersFired += tick.report.timersFired
        counters.timeInTicks += tick.report.elapsed
        if tick.report.overrunNanoseconds > 0 { counters.budgetOverruns += 1 }
        counters.longestCallback = max(counters.longestCallback, Duration(exactly: tick.longest))
    }

    /// What the phase of a frame has to run, in passes; see `FrameLine`.
    func runPhaseWork(budget: Nanoseconds) {
        var tick = TickUnderWay(budget: budget, began: mark, endOfLast: mark, isVirtual: time.isVirtual)
        while !phaseWork.isEmpty {
            tick.report.passes += 1
            run(phaseWork, phaseWork.count, &tick) { run($0, &$1) }
            if tick.isOver || closesAfterTick { break }
        }
        account(&tick)
    }

    /// As at the end of a tick, but for the turn, which a phase does not hold.
    func endPhase() {
        publishDeadline()
        if hasReadyWork { backstage.raise(.ready) }
    }

    private func endTick(_ tick: inout TickUnderWay) {
        account(&tick)
        publishDeadline()
        passOrKeepTurn(tick)
        if tick.report.carriedOver > 0 || inbox.hasLeftovers { backstage.raise(.ready) }
    }
}
