// SPDX-License-Identifier: Apache-2.0
// OwnWait: the sleep of a UI thread that has nothing to draw, on everything at once: the host's bell, the host's descriptor, and,
//         where the turn is here, the epoll set and the nearest deadline.
// Idea:   with the turn kept, the thread that runs the handlers is the one that the kernel wakes. The tick that follows polls.
// Owner:  the UI thread.
// Breaks: the turn kept by a tick without a wait before or after it would leave descriptors and timers unannounced; see `Turn`.

import TandemCLinux

extension GuestLoop {
    /// For hosts that sleep by themselves: `body` looks at the loop and sleeps, by ``sleep(on:for:watching:)``, and may tick. The turn stays
    /// here meanwhile, if it is.
    package func whileWaiting<Result>(on bell: Bell, _ body: () -> Result) -> Result {
        // Inside of another wait (an inner loop in its tick) that one listens on.
        let outer = listeningBell
        listeningBell = bell
        bell.beginListening()
        // Here sleeps end within a nanosecond of their time instead of 50 microseconds. The program's own sleeps stay as they were.
        let slack = tandem_thread_set_timer_slack(1)
        defer {
            if slack != 1 { tandem_thread_set_timer_slack(slack) }
            listeningBell = outer
            if outer !== bell { bell.endListening() }
        }
        // Inside a tick the turn is the tick's.
        guard !isTicking, !isWaiting, state == .open else { return body() }
        if holdsTurn { pickUpTurn() }
        isWaiting = true
        defer {
            isWaiting = false
            hasWaited = true
            if holdsTurn { backstage.turn.putDown(at: LoopClock.machine) }
        }
        return body()
    }

    /// For hosts that sleep by themselves, and have found work instead: the turn that a tick keeps is safe with them all the same.
    package func noteWait() { hasWaited = true }

    /// Sleeps until the bell rings, `descriptor` can be read, the loop has something, or `duration` (`nil`: for ever) has passed. Inside
    /// of ``whileWaiting(on:_:)``, after a look at ``hasWork``.
    package func sleep(on bell: Bell, for duration: Duration?, watching descriptor: Int32 = -1) -> Wake {
        var nanoseconds = duration?.nanosecondsRoundedUp ?? .never
        let polls = isWaiting && holdsTurn
        if timers.count > 0 {
            // Without the turn here, the backend asks for a tick when a timer is due. A sleep of the same length would wake this thread twice
            // for each timer; the reserve is for a backend that has died.
            let reserve: Nanoseconds = polls && !time.isVirtual ? 0 : 100_000_000
            nanoseconds = min(nanoseconds, (timers.firstDeadline - time.live).addingClamped(reserve))
        }
        if patience.isWorthIt(), waitAwake(on: bell, for: min(nanoseconds, Patience.longest)) { return .bell }
        if polls { backstage.turn.stopTimer() }
        let wake = bell.sleep(nanoseconds, or: polls ? backstage.poller.rawValue : -1, descriptor)
        if wake.contains(.readiness) { hasReadiness = true }
        return wake
    }

    /// Looks for news all the time, so that nobody has to ring. Whether there are any.
    private func waitAwake(on bell: Bell, for duration: Nanoseconds) -> Bool {
        bell.mute()
        let end = LoopClock.machine.addingClamped(duration)
        while backstage.announced.isEmpty, LoopClock.machine < end { tandem_pause(100) }
        patience.note(wasAnswered: !backstage.announced.isEmpty)
        bell.unmute()
        // Who came before this has not rung; who comes later does.
        return !backstage.announced.isEmpty
    }

    /// For hosts that are about to sleep elsewhere: gives the backend the turn that an earlier wait has kept.
    package func passKeptTurn() {
        guard holdsTurn, !isTicking, !isWaiting else { return }
        pickUpTurn()
        if holdsTurn { passTurn() }
    }

    /// Takes up the turn that was put down, unless the backend was faster.
    func pickUpTurn() {
        guard !backstage.turn.pickUp() else { return }
        holdsTurn = false
        counters.turnsPassed += 1
    }

    func passTurn() {
        holdsTurn = false
        counters.turnsPassed += 1
        backstage.trace?(.turnPassed)
        backstage.turn.pass()
    }

    /// Whether the tick is one between two sleeps, not one that a frame waits for.
    var sleepsByItself: Bool { isWaiting || hasWaited }

    /// At the end of a tick: the turn goes to the backend, unless this thread is going to sleep with it or will be back at once.
    func passOrKeepTurn(_ tick: TickUnderWay) {
        let isHot = spin.isHot(tick, ticks: counters.ticks)
        let isBackSoon = sleepsByItself || isHot
        hasWaited = false
        guard holdsTurn else { return }
        guard isBackSoon, failure == nil, !tick.pollFailed else { return passTurn() }
        if !isWaiting { backstage.turn.putDown(at: mark) }
    }
}
