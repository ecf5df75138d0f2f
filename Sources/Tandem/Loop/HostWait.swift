// SPDX-License-Identifier: Apache-2.0
// HostWait: the sleep of a UI thread that has nothing to draw, on everything at once: the host's waker, the host's descriptor, and, where this
//           thread has the turn, the epoll set and the nearest deadline.
// Idea:   with the turn kept, the thread that runs the handlers is the one that the kernel wakes. The tick that follows polls.
// Order:  `whileWaiting` arms the waker, then `sleep` looks for work, then it sleeps: what comes before the look is found by it, what comes
//         later wakes the thread. Ticks in between are told `then: .wait`.
// Owner:  the UI thread.
// Breaks: the turn kept by a tick without a wait after it would leave descriptors and timers unannounced; see `PollTurn`.

import Glibc
import TandemCLinux

/// What a host's wait has to remember from tick to tick.
struct HostWait {
    /// What ends the wait under way.
    private(set) var waker: Waker?
    private var spin = AdaptiveSpin()
    private var coalescing = PostCoalescing()

    // MARK: The wait under way

    /// A wait begins, perhaps inside of another one (an inner loop in its tick). Returns the outer one's waker.
    mutating func begin(on new: Waker) -> Waker? {
        let outer = waker
        waker = new
        new.arm()
        return outer
    }

    mutating func end(_ ended: Waker, outer: Waker?) {
        waker = outer
        if outer !== ended { ended.disarm() }
    }

    /// A modal loop begins, which may sleep in a wait that the waker does not end. What is returned goes to ``resume(_:)``.
    mutating func pause() -> Waker? {
        defer { waker = nil }
        waker?.disarm()
        return waker
    }

    mutating func resume(_ paused: Waker?) {
        waker = paused
        paused?.arm()
    }

    // MARK: What ticks have found

    mutating func tickFound(posts: Int, after delay: Nanoseconds) {
        coalescing.tickFound(posts, after: delay)
        spin.noteArrival(after: delay)
    }

    mutating func wantsPause() -> Bool { coalescing.wantsPause() }
    mutating func pauseBrought(_ posts: Int) { coalescing.pauseBrought(posts) }
    mutating func wantsToSpin() -> Bool { spin.isWorthIt() }
    mutating func spinEnded(wasAnswered: Bool) { spin.note(wasAnswered: wasAnswered) }
}

extension GuestLoop {
    /// For hosts that sleep by themselves: `body` sleeps, by ``sleep(on:until:watching:)``, and may tick. The turn stays here meanwhile, if it is.
    package func whileWaiting<Result>(on waker: Waker, _ body: () -> Result) -> Result {
        let outer = hostWait.begin(on: waker)
        // Here sleeps end within a nanosecond of their time instead of 50 microseconds. The program's own sleeps stay as they were.
        let slack = tandem_thread_set_timer_slack(1)
        defer {
            if slack != 1 { tandem_thread_set_timer_slack(slack) }
            hostWait.end(waker, outer: outer)
        }
        // Inside a tick the turn is the tick's.
        guard !tickState.isTicking, admission.state == .open, shared.turn.beginWait() else { return body() }
        defer { shared.turn.endWait() }
        return body()
    }

    /// The one sleep of all waits of ours: until there is work, the waker wakes, `descriptor` can be read, a signal arrives, or the host's time
    /// (``hostNow``) has come to `end` (`nil`: never). Inside of ``whileWaiting(on:_:)``. Looks for work before it sleeps.
    ///
    /// The end is a point in time: whoever is woken for nothing sleeps on to the same one, and a suspend of the machine does not move it.
    @discardableResult
    package func sleep(
        on waker: Waker, until end: ContinuousClock.Instant?, watching descriptor: Int32 = -1
    ) -> Wake {
        if hasWork { return [] }
        let deadline = machineDeadline(of: end)
        if hostWait.wantsToSpin(), spin(on: waker, until: deadline) { return .waker }
        let polls = shared.turn.beginSleep()
        let wake = waker.sleep(until: deadline, or: polls ? shared.poller.rawValue : -1, descriptor)
        if wake.contains(.readiness) { shared.turn.sleepSawReadiness() }
        if wake.contains(.wakerWasClosed) {
            logger.error(
                "something closed the eventfd that wakes this thread, a descriptor of Tandem's; another one takes its place. Close only descriptors that you opened"
            )
        }
        return wake
    }

    /// When a sleep until `end` has to end, by the machine's clock.
    private func machineDeadline(of end: ContinuousClock.Instant?) -> Nanoseconds {
        var deadline = end.map(time.nanoseconds(at:)) ?? .never
        if timers.count > 0 {
            // Without the turn here, the backend asks for a tick when a timer is due. A sleep of the same length would wake this thread twice
            // for each timer; the reserve is for a backend that has died.
            let reserve: Nanoseconds = shared.turn.isKeptByWait && !time.isVirtual ? 0 : 100_000_000
            deadline = min(deadline, timers.nearest.addingClamped(reserve))
        }
        // A deadline in virtual time means nothing to the kernel, but for how far away it is.
        guard time.isVirtual, deadline != .never else { return deadline }
        return LoopClock.machine.addingClamped(deadline.subtractingClamped(time.live))
    }

    /// Looks for work all the time, so that nobody has to wake this thread. Whether there is any.
    private func spin(on waker: Waker, until deadline: Nanoseconds) -> Bool {
        waker.suppress()
        let end = min(deadline, LoopClock.machine.addingClamped(AdaptiveSpin.longest))
        while shared.pending.isEmpty, LoopClock.machine < end { tandem_pause(100) }
        hostWait.spinEnded(wasAnswered: !shared.pending.isEmpty)
        waker.unsuppress()
        // Who came before this has not woken anybody; who comes later does.
        return !shared.pending.isEmpty
    }

    /// For hosts that are about to sleep elsewhere: gives the backend the turn that an earlier wait has kept.
    package func passKeptTurn() {
        if !tickState.isTicking { shared.turn.passIfKept() }
    }

    /// A tick's end: lets other threads' posts gather, if they have come all the time and the thread would sleep anyway. Whether it has.
    func pauseForPosts(_ tick: inout TickBudget) -> Bool {
        guard tick.isAfterFirstPass, !instruments.isTaped, tick.hasTimeToPause(at: tickClock.mark),
            timers.nearest > tickClock.mark.addingClamped(PostCoalescing.pause), hostWait.wantsPause()
        else { return false }
        let slack = tandem_thread_set_timer_slack(1)
        usleep(UInt32(PostCoalescing.pause / 1000))
        if slack != 1 { tandem_thread_set_timer_slack(slack) }
        tick.notePause()
        // It is no callback's time.
        tickClock.read()
        return true
    }
}
