// SPDX-License-Identifier: Apache-2.0
// CollectReadyWork: the first step of a pass, which moves everything that has become ready into the queues.
// Owner:  the UI thread.

import SystemPackage

extension GuestLoop {
    /// The most entries of the inbox that one pass takes, so that very many posts do not keep a tick beyond its budget.
    private static let batchLimit = 1024

    /// Moves what has become ready into the queues: events of descriptors, due timers, and work from other threads.
    func collect(_ tick: inout TickBudget) {
        let wasSpent = tick.isSpent
        if tick.isAfterFirstPass {
            noteTime(&tick)
        }
        if instruments.isTaped { noteEnd(&tick, wasSpent: wasSpent, isLook: true) }
        let reasons = shared.pending.isEmpty ? [] : shared.take([.inbox, .turn, .failure])
        if reasons.contains(.turn) {
            shared.turn.received()
            tick.countEvents(io.takeFound(now: tickState.clock.mark))
        } else if shared.turn.isWithUIThread,
            tick.mayPoll(queueIsEmpty: queues.isEmpty, descriptors: io.registrations.count)
        {
            poll(&tick)
        }
        if reasons.contains(.failure) { backendFailed() }
        if timers.count > 0 {
            let now = time.hasSource ? time.now : tickState.clock.mark
            timers.collectDue(at: now, mark: tickState.clock.mark, all: tick.isOnePass)
        }
        if reasons.contains(.inbox) { shared.inbox.announce() }
        takeInInbox(&tick)
    }

    private func poll(_ tick: inout TickBudget) {
        if shared.poller.hasFound {
            tick.countEvents(io.takeFound(now: tickState.clock.mark))
            return
        }
        do throws(Errno) {
            let count = try io.poll()
            // The time of the poll must not count as the run time of a callback.
            tickState.clock.read()
            let events = io.takeIn(count, foundAt: tickState.clock.mark, now: tickState.clock.mark)
            tick.countEvents(events)
            if tick.takePollAgain() { hosting.wait.pollingAgainBrought(events) }
        } catch {
            // The backend's own poll will fail, too, and report it.
            tick.notePollFailed()
        }
    }

    private func takeInInbox(_ tick: inout TickBudget) {
        let batch = shared.inbox.hasLeftovers ? takeIn(&tick) : 0
        if tick.takePause() { hosting.wait.pauseBrought(batch > 0 ? shared.inbox.newPosts : 0) }
    }

    // Apart, so that a pass without posts makes no room for it.
    @inline(never) private func takeIn(_ tick: inout TickBudget) -> Int {
        let batch = queues.takeIn(shared, limit: Self.batchLimit)
        instruments.countInboxEntries(batch)
        if batch > 0, !tick.isAfterFirstPass {
            hosting.wait.tickFound(posts: shared.inbox.newPosts, after: shared.inbox.beganAt - tick.endOfLast)
        }
        return batch
    }
}
