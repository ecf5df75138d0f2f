// SPDX-License-Identifier: Apache-2.0
// Collecting: a pass's first step: what has become ready moves into its line.
// Owner:  the UI thread.

import SystemPackage

extension GuestLoop {
    /// So much of the inbox is taken in at once: a flood must not keep a tick beyond its budget.
    private static let batchLimit = 1024

    /// Moves what has become ready into the lines.
    func collect(_ tick: inout TickBudget) {
        let wasSpent = tick.isSpent
        if tick.isAfterFirstPass {
            noteTime(&tick)
        }
        if instruments.isTaped { noteEnd(&tick, wasSpent: wasSpent, isLook: true) }
        let reasons = shared.pending.isEmpty ? [] : shared.take([.inbox, .turn, .failure])
        if reasons.contains(.turn) {
            shared.turn.received()
            tick.countEvents(io.takeFound(now: tickClock.mark))
        } else if shared.turn.isHere, tick.mayPoll(queueIsEmpty: queues.isEmpty, descriptors: io.registrations.count) {
            poll(&tick)
        }
        if reasons.contains(.failure) { backendFailed() }
        if timers.count > 0 { timers.collectDue(at: time.hasSource ? time.now : tickClock.mark, mark: tickClock.mark) }
        if reasons.contains(.inbox) { shared.inbox.announce() }
        takeInInbox(&tick)
    }

    private func poll(_ tick: inout TickBudget) {
        do throws(Errno) {
            let count = try io.poll()
            // The poll is no callback's time.
            tickClock.read()
            tick.countEvents(io.takeIn(count, foundAt: tickClock.mark, now: tickClock.mark))
        } catch {
            // It will show again in the backend's own poll, which reports it.
            tick.notePollFailed()
        }
    }

    private func takeInInbox(_ tick: inout TickBudget) {
        let inbox = shared.inbox
        var batch = 0
        if inbox.hasLeftovers {
            batch = queues.takeIn(inbox, limit: Self.batchLimit)
            instruments.countInboxEntries(batch)
            if batch > 0, !tick.isAfterFirstPass {
                hostWait.tickFound(posts: inbox.newPosts, after: inbox.beganAt - tick.endOfLast)
            }
        }
        if tick.takePause() { hostWait.pauseBrought(batch > 0 ? inbox.newPosts : 0) }
    }
}
