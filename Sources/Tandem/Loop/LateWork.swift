// SPDX-License-Identifier: Apache-2.0
// LateWork: what a loop still owed when it was let go on another thread.
// Idea:   posts, callbacks and outcomes belong to the UI thread, which is elsewhere at that moment. They run there all the same: on the
//         main thread in the main queue; on any other one when it makes its next loop, or ends. Once it has ended, nobody can be in the way.
// Owner:  left on any thread, run on the UI thread.

import Dispatch

final class LateWork: Sendable {
    private let lock = Lock()
    // Safe, both: touched with `lock` held. The closures are called on the UI thread, or after its end.
    private nonisolated(unsafe) var pieces: [() -> Void] = []
    private nonisolated(unsafe) var hasEnded = false

    /// Another thread, which has let go of the loop. `false`: the UI thread has ended, and nothing was taken.
    func leave(_ new: [() -> Void]) -> Bool {
        lock.lock()
        defer { lock.unlock() }
        guard !hasEnded else { return false }
        pieces += new
        return true
    }

    /// UI thread: it makes another loop, or ends.
    func end() {
        lock.lock()
        hasEnded = true
        let late = pieces
        pieces = []
        lock.unlock()
        for piece in late { piece() }
    }
}

extension GuestLoop {
    /// Another thread, in the loop's `deinit`: what was accepted finds its way to the UI thread; the rest is closed here.
    ///
    /// Nothing but runs can be under way: a task that waits on the loop, or prefers it, an actor on it and a scene keep it alive.
    func closeFromElsewhere() {
        shared.inbox.close()
        var late = members.closingActions.takeAll()
        while let timer = timers.nextDue() { late += takeLate(timer.slot) }
        queues.endPhase()
        _ = queues.takeIn(shared.inbox)
        while let next = queues.next() {
            switch next.work {
            case .job(let job, let identity): runLate(job, identity)
            case .continuation(let task): task.resume()
            case .posted(let body, let site): late.append(guarded(body, site))
            case .callback(let slot): late += takeLate(slot)
            }
        }
        for job in executors.kept.takeAll() { Self.runPoolJobWithoutLoop(job) }
        let error = GuestError(
            .abandoned,
            "the loop made at \(site) was let go on another thread before the run ended; call close() on the loop's own thread"
        )
        for run in members.runs.takeAll() { late.append(run.abandonFromElsewhere(error)) }
        // A watch and the table of watches refer to each other.
        _ = io.registrations.removeAll()
        handOver(late)
        finishClosing()
    }

    private func takeLate(_ slot: UInt32) -> [() -> Void] {
        let action = callbacks.take(slot)
        let site = callbacks.record(slot).pointee.site
        callbacks.free(slot)
        guard case .call(let body) = action else { return [] }
        return [guarded(body, site)]
    }

    private func guarded(_ body: @escaping () throws -> Void, _ site: CallSite) -> () -> Void {
        let configuration = self.configuration
        return {
            do { try body() } catch { configuration.tell(error, .callback, site) }
        }
    }

    private func handOver(_ late: [() -> Void]) {
        guard !late.isEmpty else { return }
        configuration.logger.warning(
            "\(late.count) pieces of work of the loop made at \(site) were left when it was let go on another thread; they run on its own thread when that comes to it"
        )
        // Safe: called on one thread, the loop's own, or after that has ended.
        nonisolated(unsafe) let late = late
        if thread.isMain || executors.adoption.path != nil {
            DispatchQueue.main.async { for piece in late { piece() } }
        } else if !callbacks.lateWork.leave(late) {
            LateJobs.run { for piece in late { piece() } }
        }
    }
}
