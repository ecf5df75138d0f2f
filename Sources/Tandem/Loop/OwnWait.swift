// SPDX-License-Identifier: Apache-2.0
// OwnWait: the sleep of a UI thread that has nothing to draw, on everything at once: the host's bell, the host's descriptor, and,
//         where the turn is here, the epoll set and the nearest deadline.
// Idea:   with the turn kept, the thread that runs the handlers is the one that the kernel wakes. The tick that follows polls.
// Owner:  the UI thread.
// Breaks: the turn kept by a tick without a wait after it would leave descriptors and timers unannounced; see `Turn`.

import TandemCLinux

extension GuestLoop {
    /// For hosts that sleep by themselves: `body` looks at the loop and sleeps, by ``sleep(on:until:watching:)``, and may tick. The turn stays
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
            if holdsTurn { backstage.turn.putDown(at: LoopClock.machine) }
        }
        return body()
    }

    /// The one sleep of all waits of ours: until the bell rings, `descriptor` can be read, the loop has something, a signal arrives, or the host's
    /// time (``hostNow``) has come to `end` (`nil`: never). Inside of ``whileWaiting(on:_:)``, after a look at ``hasWork``.
    ///
    /// The end is a point in time: whoever is woken for nothing sleeps on to the same one, and a suspend of the machine does not move it.
    package func sleep(
        on bell: Bell, until end: ContinuousClock.Instant?, watching descriptor: Int32 = -1
    ) -> Wake {
        var deadline = end.map(time.nanoseconds(at:)) ?? .never
        let polls = isWaiting && holdsTurn
        if timers.count > 0 {
            // Without the turn here, the backend asks for a tick when a timer is due. A sleep of the same length would wake this thread twice
            // for each timer; the reserve is for a backend that has died.
            let reserve: Nanoseconds = polls && !time.isVirtual ? 0 : 100_000_000
            deadline = min(deadline, timers.firstDeadline.addingClamped(reserve))
        }
        if time.isVirtual, deadline != .never {
            // A deadline in virtual time means nothing to the kernel, but for how far away it is.
            deadline = LoopClock.machine.addingClamped(deadline.subtractingClamped(time.live))
        }
        if patience.isWorthIt(), waitAwake(on: bell, until: deadline) { return .bell }
        if polls { backstage.turn.stopTimer() }
        let wake = bell.sleep(until: deadline, or: polls ? backstage.poller.rawValue : -1, descriptor)
        if wake.contains(.readiness) { hasReadiness = true }
        if wake.contains(.bellWasClosed) {
            configuration.logger.error(
                "something closed the eventfd that wakes this thread, a descriptor of Tandem's; another one takes its place. Close only descriptors that you opened"
            )
        }
        return wake
    }

    /// Looks for news all the time, so that nobody has to ring. Whether there are any.
    private func waitAwake(on bell: Bell, until deadline: Nanoseconds) -> Bool {
        bell.mute()
        let end = min(deadline, LoopClock.machine.addingClamped(Patience.longest))
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
        if !backstage.turn.pickUp() { turnIsGone() }
    }

    func passTurn() {
        turnIsGone()
        backstage.trace?(.turnPassed)
        backstage.turn.pass()
    }

    /// From here on the backend polls, and announces what a sleep of this thread's has seen to be ready: only who has the turn can look.
    private func turnIsGone() {
        holdsTurn = false
        hasReadiness = false
        counters.turnsPassed += 1
    }

    /// At the end of a tick: the turn goes to the backend, unless this thread is going to sleep with it.
    func passOrKeepTurn(_ tick: TickUnderWay) {
        guard holdsTurn else { return }
        guard tick.next == .wait, failure == nil, !tick.pollFailed else { return passTurn() }
        if !isWaiting { backstage.turn.putDown(at: mark) }
    }
}
