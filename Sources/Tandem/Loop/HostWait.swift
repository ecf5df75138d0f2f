// SPDX-License-Identifier: Apache-2.0
// HostWait: the one wait of every host. A UI thread that has nothing to draw sleeps here on everything at once: the
//           host's waker, the host's descriptor, and, while this thread has the turn, the epoll set and the nearest
//           deadline.
// Idea:   the host says until when it waits, what it checks itself, and what happens to the loop's work; the order of
//         the steps is written here once. While this thread keeps the turn, the kernel wakes the thread that runs the
//         handlers, and no second one. The tick that follows takes what the sleep has found.
// Order:  the waker is armed, then each round (1) calls the host's check, (2) looks for work and runs it, (3) compares
//         the time, (4) sleeps. Work that comes before the look is found by it; work that comes later wakes the thread.
// Owner:  the UI thread.
// Breaks: if a tick kept the turn and no wait followed, nobody would announce descriptors and timers; see `PollTurn`.

import Glibc
import TandemCLinux

/// What a host has to do in its wait, and what the wait tells it.
package enum WaitStep {
    /// The wait has begun, and its waker is armed.
    case began
    /// A sleep has ended. `hasWork`: the loop has work; known only in a wait that work ends.
    case woke(Wake, hasWork: Bool)
    /// The wait has run the loop's work.
    case ticked(TickReport)
    /// The loop's time is virtual and has been moved to the nearest deadline, or to the end of the wait.
    case skippedTime
}

extension WaitStep {
    /// The look after a sleep has found work, so that another look is not needed.
    fileprivate var sawWork: Bool {
        if case .woke(_, hasWork: true) = self { true } else { false }
    }
}

/// The answer of a host's check.
package enum WaitCheck {
    /// The wait ends.
    case ends
    /// The wait goes on, until something ends its sleep.
    case goesOn
    /// The wait goes on, and checks again after this many nanoseconds at the latest.
    case checksAgain(within: Int64)
}

/// What a wait does when the loop has work.
package enum WorkInWait {
    /// It ends; the host ticks.
    case endsWait
    /// It ticks, with the configuration's budget, and goes on.
    case runs
    /// It ticks, with the time that is left until the end as budget, and goes on.
    case runsUntilEnd
}

/// Why a wait has ended.
package enum WaitEnd {
    /// The host's check has ended it.
    case checked
    /// The loop has work; only with `WorkInWait.endsWait`.
    case work
    /// Its end has come.
    case time
    /// The loop was closed during the wait. A wait that begins on a closed loop goes on, as a sleep of the host's.
    case closed
}

/// What a host's waits have to remember from tick to tick.
struct HostWait {
    // Safe: who waits holds its waker until `end`, and a pause inside of that wait ends before it. Without the reference
    // counts of two wakers, and of the loop around them, in each wait.
    /// The waker of the wait that is under way.
    private var waker: Unmanaged<Waker>?
    private var spin = AdaptiveSpin()
    private var coalescing = PostCoalescing()
    /// Polls that a tick makes after events, although the wait after it would find the next ones as well.
    private var pollingAgain = BackOff(longest: 64)
    private var hasReportedRefusal = false

    // MARK: The wait under way

    /// A wait begins, perhaps inside another one (a loop in a tick of the outer wait). Returns the outer wait's waker.
    @inline(__always) mutating func begin(on new: Waker) -> Unmanaged<Waker>? {
        let outer = waker
        waker = .passUnretained(new)
        new.arm()
        return outer
    }

    @inline(__always) mutating func end(_ ended: Waker, outer: Unmanaged<Waker>?) {
        waker = outer
        // Safe: the two addresses are only compared.
        if outer?.toOpaque() != Unmanaged.passUnretained(ended).toOpaque() { ended.disarm() }
    }

    /// A modal loop begins, which may sleep in a wait that this waker does not end. Pass the returned waker to
    /// ``resume(_:)`` when it ends.
    mutating func pause() -> Unmanaged<Waker>? {
        defer { waker = nil }
        waker?._withUnsafeGuaranteedRef { $0.disarm() }
        return waker
    }

    mutating func resume(_ paused: Unmanaged<Waker>?) {
        waker = paused
        paused?._withUnsafeGuaranteedRef { $0.arm() }
    }

    // MARK: What ticks have found

    mutating func tickFound(posts: Int, after delay: Nanoseconds) {
        coalescing.tickFound(posts, after: delay)
        spin.noteArrival(after: delay)
    }

    mutating func wantsPause() -> Bool { coalescing.wantsPause() }
    mutating func pauseBrought(_ posts: Int) { coalescing.pauseBrought(posts) }
    mutating func wantsToPollAgain() -> Bool { pollingAgain.countOccasion() }
    mutating func pollingAgainBrought(_ events: Int) { pollingAgain.note(wasRight: events > 0) }
    mutating func wantsToSpin() -> Bool { spin.wantsToSpin() }
    mutating func spinEnded(wasAnswered: Bool) { spin.note(wasAnswered: wasAnswered) }

    // MARK: What the kernel refuses

    /// The kernel has refused a sleep. `true` the first time, so that the log has it once.
    mutating func isFirstRefusal() -> Bool {
        defer { hasReportedRefusal = true }
        return !hasReportedRefusal
    }
}

// MARK: - The wait

extension GuestLoop {
    /// UI thread, for hosts: waits until `check` says that the wait ends, the loop's clock of hosts (``hostNow``) has
    /// come to `end` (`nil`: never), the loop has work that the host runs itself, or the loop is closed.
    ///
    /// `check` is called first, and again after everything that has happened: a sleep, a tick, a move of virtual time.
    /// The sleep ends when another thread wakes `waker` or asks for a tick, a descriptor or a timer of the loop is
    /// ready, `descriptor` can be read (-1: none), or a signal arrives. Work that is ready when the end comes still
    /// runs, once, and is checked. The end is a point in time: a thread that is woken for nothing sleeps on until the
    /// same one, and a suspend of the machine does not move it.
    package func wait(
        on waker: Waker, until end: ContinuousClock.Instant?, also descriptor: Int32 = -1, work: WorkInWait,
        checking check: (WaitStep) -> WaitCheck
    ) -> WaitEnd {
        wait(on: waker, untilTime: hostTime(of: end), also: descriptor, work: work, checking: check)
    }

    /// The same for a host that waits often: `end` is in the nanoseconds of ``hostTime``, `.max` for never. Swift's
    /// instants are 128-bit numbers, whose every sum and comparison is a call.
    package func wait(
        on waker: Waker, untilTime end: Int64, also descriptor: Int32 = -1, work: WorkInWait,
        checking check: (WaitStep) -> WaitCheck
    ) -> WaitEnd {
        thread.check("GuestLoop.wait")
        var now = time.live
        // If there is nothing to wait for, neither the waker is armed nor the turn kept, which costs system calls.
        if work == .endsWait {
            if hasWork(asOf: now) { return .work }
            // No clock reaches `never`.
            if now >= end { return .time }
        }
        let underWay = beginWait(on: waker)
        let ended = waitRounds(on: waker, until: end, also: descriptor, work, &now, check)
        endWait(underWay, on: waker, at: now, byWork: ended == .work)
        return ended
    }

    /// `now`: the time of the last look for work.
    private func waitRounds(
        on waker: Waker, until end: Nanoseconds, also descriptor: Int32, _ work: WorkInWait, _ now: inout Nanoseconds,
        _ check: (WaitStep) -> WaitCheck
    ) -> WaitEnd {
        let wasOpen = isOpen
        var isOver = false
        var step = WaitStep.began
        var endOfTick: Nanoseconds?
        while true {
            let checked = check(step)
            if case .ends = checked { return .checked }
            // One time for the whole round, and for the tick that it runs. What comes due while the round lasts ends its
            // sleep at once. In a wait that work ends, the look that came just before has read it; after a tick, its end has.
            if work != .endsWait { now = endOfTick ?? time.live }
            endOfTick = nil
            var longest = Nanoseconds.never
            if case .checksAgain(let pause) = checked { longest = pause }
            if wasOpen, !isOpen { return .closed }
            if isOver { return .time }
            let left = end == .never ? .never : end.subtractingClamped(now)
            isOver = left <= 0
            if step.sawWork || hasWork(asOf: now) {
                if work == .endsWait { return .work }
                let hasLimit = work == .runsUntilEnd && left != .never
                let report = tickAfterLook(hasLimit ? max(left, 1000) : nil, .wait, asOf: time.isVirtual ? nil : now)
                step = .ticked(report)
                // A tick that was refused has read no clock.
                if report.passes > 0, !time.hasSource { endOfTick = tickState.clock.mark }
            } else if isOver {
                return .time
            } else if time.isVirtual, skipsTime(until: end) {
                now = time.live
                step = .skippedTime
            } else {
                let wake = sleep(on: waker, until: end, atMost: longest, asOf: now, watching: descriptor)
                var sawWork = false
                if work == .endsWait {
                    now = time.live
                    sawWork = hasWork(asOf: now)
                }
                step = .woke(wake, hasWork: sawWork)
            }
        }
    }

    /// UI thread, for hosts that sleep in a wait of another library, which only that library's events end, a request
    /// for a tick among them: does what ``wait(on:untilTime:also:work:checking:)`` does before its sleep, gives the backend
    /// the turn that an earlier wait has kept, and calls `sleep` with the time that is left (`nil`: no end).
    ///
    /// - Returns: `nil` if it has slept, otherwise why it has not.
    package func waitElsewhere(untilTime end: Int64, sleeping sleep: (Duration?) -> Void) -> WaitEnd? {
        if hasWork { return .work }
        let left = end == .never ? nil : Duration(exactly: end.subtractingClamped(time.live))
        if let left, left <= .zero { return .time }
        if time.isVirtual, skipsTime(until: end) { return hasWork ? .work : .time }
        passKeptTurn()
        sleep(left)
        return nil
    }

    /// Where time is virtual, a wait does not sleep until `end` (`.never`: for ever): the time is moved to the nearest
    /// deadline or to the end, whichever comes first. `false` where there is work, or neither a deadline nor an end.
    @inline(never) private func skipsTime(until end: Nanoseconds) -> Bool {
        guard let source = configuration.keptTimeSource?.source, !hasWork else { return false }
        let target = min(end, timers.nearest)
        guard target != .never else { return false }
        source.advance(to: time.instant(at: target))
        return true
    }

    /// Calls `body`, which sleeps by ``sleep(on:until:asOf:watching:)`` and may tick, with the waker armed. If this thread
    /// has the turn, it keeps it until `body` returns.
    func whileWaiting<Result>(on waker: Waker, _ body: () -> Result) -> Result {
        let underWay = beginWait(on: waker)
        defer { endWait(underWay, on: waker, at: time.live, byWork: false) }
        return body()
    }

    // Two functions, so that a wait which comes often makes no closure, which would count references of the loop.
    @inline(__always) private func beginWait(on waker: Waker) -> (outer: Unmanaged<Waker>?, keepsTurn: Bool) {
        let outer = hosting.wait.begin(on: waker)
        // Inside a tick the tick has the turn.
        return (outer, !tickState.isTicking && admission.state == .open && shared.beginWait())
    }

    @inline(__always) private func endWait(
        _ wait: (outer: Unmanaged<Waker>?, keepsTurn: Bool), on waker: Waker, at live: Nanoseconds, byWork: Bool
    ) {
        if wait.keepsTurn { shared.endWait(at: time.isVirtual ? LoopClock.machine : live, byWork: byWork) }
        hosting.wait.end(waker, outer: wait.outer)
    }

    /// The one system call in which a host sleeps. Called inside ``whileWaiting(on:_:)``, directly after a look at
    /// ``hasWork`` that has found none. `longest`: when the host checks again at the latest, in nanoseconds, by a timeout of
    /// the system call's, which the kernel may end 50 µs late: a timer would have to be set for each check.
    /// `live`: ``LoopClock/live`` at that look, if it is known.
    @discardableResult
    func sleep(
        on waker: Waker, until end: Nanoseconds, atMost longest: Nanoseconds = .never, asOf live: Nanoseconds? = nil,
        watching descriptor: Int32 = -1
    ) -> Wake {
        let deadline = machineDeadline(of: end)
        var now = time.isVirtual ? LoopClock.machine : live ?? LoopClock.machine
        if isTimerTooNear(now) {
            _ = spin(on: waker, until: min(deadline, now.addingClamped(longest)))
            return .stayedAwake
        }
        if hosting.wait.wantsToSpin() {
            let longestSpin = min(longest, AdaptiveSpin.longest)
            let isAnswered = spin(on: waker, until: min(deadline, now.addingClamped(longestSpin)))
            hosting.wait.spinEnded(wasAnswered: isAnswered)
            if isAnswered {
                if !time.isVirtual { shared.turn.noteStayedAwake() }
                return .stayedAwake
            }
            now = LoopClock.machine
        }
        let polls = shared.beginSleep()
        let wake = observed(.sleep) {
            let sleep = Sleep(deadline: deadline, longest: longest, now: now)
            if polls, descriptor < 0, let wake = shared.sleep(sleep, on: waker) { return wake }
            return waker.sleep(sleep, or: polls ? shared.poller.rawValue : -1, descriptor)
        }
        if polls, wake != .signal { shared.turn.sleepEnded(isReady: wake.contains(.readiness)) }
        if !wake.isDisjoint(with: [.wakerWasClosed, .wasRefused]) { report(wake) }
        return wake
    }

    @inline(never) private func report(_ wake: Wake) {
        if wake.contains(.wakerWasClosed) {
            logger.error(
                "something closed the eventfd that wakes this thread, a descriptor of Tandem's; another one takes its place. Close only descriptors that you opened"
            )
        }
        if wake.contains(.wasRefused), hosting.wait.isFirstRefusal() {
            logger.error(
                "the kernel refuses to let this thread sleep (ppoll); until it does not any more, the thread looks for work each millisecond. It may be out of memory, or the process's limit of open files (ulimit -n) may be below 4"
            )
        }
    }

    /// The time of the machine's clock at which a sleep until `end` has to end.
    private func machineDeadline(of end: Nanoseconds) -> Nanoseconds {
        var deadline = end
        if timers.count > 0 {
            // If the backend has the turn, it asks for a tick when a timer is due. A sleep until the same time would
            // wake this thread twice for each timer, so it lasts 100 ms longer, in case the backend has died.
            let reserve: Nanoseconds = shared.turn.isKeptByWait && !time.isVirtual ? 0 : 100_000_000
            deadline = min(deadline, timers.nearest.addingClamped(reserve))
        }
        // The kernel does not know virtual time: only the distance from now counts.
        guard time.isVirtual, deadline != .never else { return deadline }
        return LoopClock.machine.addingClamped(deadline.subtractingClamped(time.live))
    }

    /// Whether the nearest timer is due before this thread could fall asleep and be woken. If the backend has the turn,
    /// it asks for a tick when the timer is due.
    private func isTimerTooNear(_ now: Nanoseconds) -> Bool {
        WaitPolicy.isTooNearToSleep(timers.nearest, now: now) && shared.turn.isKeptByWait && !time.hasSource
    }

    /// Looks for requests again and again until `end`, so that no other thread has to wake this one. Returns whether
    /// there is one.
    private func spin(on waker: Waker, until end: Nanoseconds) -> Bool {
        waker.suppress()
        while shared.pending.isEmpty, LoopClock.machine < end { tandem_pause(100) }
        waker.unsuppress()
        // A request before this point has woken nobody, so it is looked for once more; a later one wakes this thread.
        return !shared.pending.isEmpty
    }

    /// This thread is about to sleep where only a request for a tick wakes it: gives the backend the turn that an
    /// earlier wait has kept.
    func passKeptTurn() {
        if !tickState.isTicking { shared.turn.passIfKept() }
    }

    /// Called when a tick has run everything: if other threads have posted all the time, and the thread would sleep
    /// next, pauses for 50 µs, so that the tick takes in many posts at once. Returns whether it has paused.
    func pauseForPosts(_ tick: inout TickBudget) -> Bool {
        guard tick.isAfterFirstPass, !instruments.isTaped, tick.hasTimeToPause(at: tickState.clock.mark),
            timers.nearest > tickState.clock.mark.addingClamped(PostCoalescing.pause), hosting.wait.wantsPause()
        else { return false }
        let slack = tandem_thread_set_timer_slack(1)
        usleep(UInt32(PostCoalescing.pause / 1000))
        if slack != 1 { tandem_thread_set_timer_slack(slack) }
        tick.notePause()
        // The pause must not count as the run time of a callback.
        tickState.clock.read()
        return true
    }
}
