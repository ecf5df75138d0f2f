// SPDX-License-Identifier: Apache-2.0
// Closing: the end loses nothing and leaks nothing.
//
//   1. The inbox takes no more posts; later ones are told so.
//   2. Scenes end, runs are cancelled, other waiting tasks resumed with `.closed`, timers and watches dropped.
//   3. What was accepted runs, and so do the jobs of the tasks that are ending, those that come from other threads within
//      the grace period included.
//   4. Runs that are still not done are given up, and their `onDone` is told.
//   5. The backend is joined, and every descriptor closed with its owner.
//
// Owner:  the UI thread.

import Logging

extension GuestLoop {
    /// Ends the loop: cancels runs and waits, runs what was accepted, stops the backend thread and waits for it. Idempotent.
    ///
    /// Called from inside a tick, or from a modal loop in one, it takes effect when that tick ends. In a forked child it only lets go of the parent's loop.
    public func close() {
        if isClosed.load(ordering: .acquiring) { return }
        if thread.isForkedChild { return finishClosing() }
        thread.check("GuestLoop.close")
        guard state == .open else { return }
        if isTicking || pausedTicks > 0 {
            closesAfterTick = true
        } else {
            performClose()
        }
    }

    func performClose() {
        state = .closing
        tape?.loopCloses()
        // As in a tick: what is scheduled from here on asks nobody for one.
        isTicking = true
        closesAfterTick = false
        readGraceClock()
        inbox.closeToPosts()
        for scene in scenes.values { scene.end() }
        for run in runs.values { run.cancel() }
        for action in closingActions.takeAll() { action() }
        // Whose task was cancelled, the runs' among them, has its `CancellationError` already.
        resumeWaiters(throwing: GuestError.closed)
        endKeptSleeps()
        dropTimers()
        let graceEnd = mark.addingClamped(configuration.closeGrace.nanosecondsRoundedUp)
        drain(until: graceEnd)
        giveUpRuns()
        // What the last `onDone` scheduled was accepted, too.
        repeat {
            runClosingPass()
            readGraceClock()
        } while hasReadyWork && mark < graceEnd
        finishClosing()
        disposeOfLeftovers()
        isTicking = false
    }

    /// The grace period is the machine's, also where what runs in it is shown a simulation's time.
    private func readGraceClock() { countingByMachine { readClock() } }

    private func countingByMachine(_ body: () -> Void) {
        if let byMachineTime { byMachineTime(body) } else { body() }
    }

    /// Timers that will not fire let go of what they captured.
    private func dropTimers() {
        let released = timers.removeAll()
        counters.timersCancelled += released.count
        withExtendedLifetime(released) {}
    }

    /// Runs what was accepted until there is none, and waits for cancelled runs that are busy elsewhere, within the grace period.
    private func drain(until graceEnd: Nanoseconds) {
        while true {
            runClosingPass()
            readGraceClock()
            if mark >= graceEnd || (runs.isEmpty && !hasReadyWork && inbox.isEmpty) { return }
            guard !hasReadyWork else { continue }
            // libdispatch's main queue does not signal the inbox: look at it again soon.
            let longest = !drainsMainQueue ? graceEnd - mark : 1_000_000
            countingByMachine { _ = inbox.arrivals.wait(for: .nanoseconds(min(longest, graceEnd - mark))) }
        }
    }

    private func giveUpRuns() {
        let abandoned = runs.values
        runs.removeAll()
        for run in abandoned {
            configuration.logger.warning(
                "the run started at \(run.site) did not end within \(configuration.closeGrace) of its loop's close and is given up"
            )
            run.abandon(
                GuestError(
                    .abandoned,
                    "the loop closed before the run ended; let it answer cancellation, or wait for it before close()"))
        }
    }

    /// What came after the grace period, or never ended: jobs have a place to go; callbacks that go on scheduling callbacks have not.
    private func disposeOfLeftovers() {
        // A timer that something within the loop has armed since.
        dropTimers()
        _ = inbox.empty(into: ready)
        var dropped = 0
        while let timer = readyTimers.popFirst() {
            drop(timer.slot)
            dropped += 1
        }
        while let next = ready.popFirst() {
            switch next.work {
            case .job(let job, let identity): runLate(job, identity)
            case .continuation(let task): task.resume()
            case .posted: dropped += 1
            case .callback(let slot):
                drop(slot)
                dropped += 1
            }
        }
        if dropped > 0 {
            configuration.logger.error(
                "\(dropped) callbacks were still being scheduled when the loop's grace period ended; they are dropped")
        }
    }

    private func drop(_ slot: UInt32) {
        let released = callbacks.take(slot)
        callbacks.free(slot)
        withExtendedLifetime(released) {}
    }

    /// The fate of a job that the loop has taken and will not run.
    func runLate(_ job: UnownedJob, _ identity: ExecutorIdentity) {
        switch identity {
        case .run(let executor): executor.runLate(job)
        case .actor: runActorJobLate(job)
        case .task: runTaskJobLate(job)
        case .mainActor: MainActorJobs.enqueue(job)
        case .pool: Self.runPoolJobWithoutLoop(job)
        }
    }
}
