// SPDX-License-Identifier: Apache-2.0
// Closing: how a loop ends, without losing accepted work and without leaking anything.
//
//   1. The inbox accepts no more posts; later posts throw `.closed`.
//   2. Scenes end, runs are cancelled, other waiting tasks are resumed with `.closed`, timers and watches are removed.
//   3. Everything that was accepted runs, and so do the jobs of the tasks that are ending, also those that come from
//      other threads within the grace period.
//   4. Runs that have not ended by then are given up, and their `onDone` is called with `.abandoned`.
//   5. The backend thread is joined, and every descriptor is closed.
//
// Owner:  the UI thread.

import Logging

extension GuestLoop {
    /// Ends the loop: cancels runs and waits, runs what was accepted, stops the backend thread and waits for it.
    /// Idempotent.
    ///
    /// Called inside a tick, or in a modal loop inside one, it takes effect when that tick ends. In a forked child it
    /// only releases what the child has of its parent's loop.
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
        reportLeftovers()
        tickState.expectUnannouncedWork()
        tape?.loopCloses()
        tickState.beginClosing()
        readGraceClock()
        shared.inbox.closeToPosts()
        for scene in members.scenes { scene.end() }
        for run in members.runs.values { run.cancel() }
        for action in members.closingActions.takeAll() { action() }
        // Tasks that were cancelled above, among them those of runs, have received `CancellationError` already.
        resumeWaiters(throwing: GuestError.closed)
        endKeptSleeps()
        dropTimers()
        dropFrameHandlers()
        var grace = CloseGrace(
            until: tickState.clock.mark.addingClamped(configuration.closeGrace.nanosecondsRoundedUp))
        drain(within: &grace)
        giveUpRuns()
        // What the last `onDone` has scheduled was accepted, too, and runs.
        repeat {
            runClosingPass()
            readGraceClock()
        } while hasReadyWork && grace.takePass(at: tickState.clock.mark)
        finishClosing()
        disposeOfLeftovers()
        tickState.end()
    }

    /// The grace period is measured by the machine's clock, also in a simulation whose code sees the simulation's time.
    private func readGraceClock() { countingByMachine { tickState.clock.read() } }

    private func countingByMachine(_ body: () -> Void) {
        if let byMachineTime = hosting.hooks.byMachineTime { byMachineTime(body) } else { body() }
    }

    /// Removes the handlers of frames, and releases what they captured.
    private func dropFrameHandlers() {
        let released = members.frameQueues?.handlers.removeAll()
        withExtendedLifetime(released) {}
    }

    /// Removes the timers, which will not fire, and releases what they captured.
    private func dropTimers() {
        let released = timers.removeAll()
        withExtendedLifetime(released) {}
    }

    /// Runs what was accepted, and waits within the grace period for cancelled runs that are busy on other threads.
    private func drain(within grace: inout CloseGrace) {
        while true {
            runClosingPass()
            readGraceClock()
            if hasAcceptedWork {
                guard grace.takePass(at: tickState.clock.mark) else { return }
                continue
            }
            let rest = grace.rest(at: tickState.clock.mark)
            if members.runs.isEmpty || rest == 0 { return }
            // libdispatch's main queue does not signal the inbox, so it is looked at every millisecond.
            let longest = executors.adoption.drainsMainQueue ? min(rest, 1_000_000) : rest
            countingByMachine { _ = shared.inbox.arrivals.wait(for: .nanoseconds(longest)) }
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

    /// Disposes of what came after the grace period, or never ended. Jobs still run elsewhere; callbacks that go on
    /// scheduling callbacks are dropped.
    private func disposeOfLeftovers() {
        // Timers that callbacks of the last passes have set.
        dropTimers()
        _ = queues.takeIn(shared)
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

    /// Runs a job that the loop has accepted, and will not run itself, elsewhere.
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
