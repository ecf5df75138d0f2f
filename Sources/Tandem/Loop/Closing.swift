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
        if admission.isClosed { return }
        if thread.isForkedChild { return finishClosing() }
        thread.check("GuestLoop.close")
        guard admission.state == .open else { return }
        if tickState.isInside {
            tickState.closeAfterTick()
        } else {
            performClose()
        }
    }

    func performClose() {
        admission.beginClosing()
        reportForgottenTicks()
        tickState.lookFurther()
        tape?.loopCloses()
        tickState.beginClosing()
        readGraceClock()
        shared.inbox.closeToPosts()
        for scene in members.scenes { scene.end() }
        for run in members.runs.values { run.cancel() }
        for action in members.closingActions.takeAll() { action() }
        // Whose task was cancelled, the runs' among them, has its `CancellationError` already.
        resumeWaiters(throwing: GuestError.closed)
        endKeptSleeps()
        dropTimers()
        let graceEnd = tickClock.mark.addingClamped(configuration.closeGrace.nanosecondsRoundedUp)
        drain(until: graceEnd)
        giveUpRuns()
        // What the last `onDone` scheduled was accepted, too.
        repeat {
            runClosingPass()
            readGraceClock()
        } while hasReadyWork && tickClock.mark < graceEnd
        finishClosing()
        disposeOfLeftovers()
        tickState.end()
    }

    /// The grace period is the machine's, also where what runs in it is shown a simulation's time.
    private func readGraceClock() { countingByMachine { tickClock.read() } }

    private func countingByMachine(_ body: () -> Void) {
        if let byMachineTime = hooks.byMachineTime { byMachineTime(body) } else { body() }
    }

    /// Timers that will not fire let go of what they captured.
    private func dropTimers() {
        let released = timers.removeAll()
        withExtendedLifetime(released) {}
    }

    /// Runs what was accepted until there is none, and waits for cancelled runs that are busy elsewhere, within the grace period.
    private func drain(until graceEnd: Nanoseconds) {
        while true {
            runClosingPass()
            readGraceClock()
            if tickClock.mark >= graceEnd || (members.runs.isEmpty && !hasReadyWork && shared.inbox.isEmpty) { return }
            guard !hasReadyWork else { continue }
            // libdispatch's main queue does not signal the inbox: look at it again soon.
            let longest = !executors.adoption.drainsMainQueue ? graceEnd - tickClock.mark : 1_000_000
            countingByMachine {
                _ = shared.inbox.arrivals.wait(for: .nanoseconds(min(longest, graceEnd - tickClock.mark)))
            }
        }
    }

    private func giveUpRuns() {
        for run in members.runs.takeAll() {
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
        _ = queues.takeIn(shared.inbox)
        var dropped = 0
        while let timer = timers.nextDue() {
            drop(timer.slot)
            dropped += 1
        }
        while let next = queues.next() {
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
