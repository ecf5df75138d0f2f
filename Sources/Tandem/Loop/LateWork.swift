// SPDX-License-Identifier: Apache-2.0
// LateWork: work that a loop had accepted and not run when its last reference was released on another thread.
// Idea:   posts, callbacks and outcomes have to run on the UI thread, and `deinit` runs on another one. They are run on
//         the UI thread later: on the main thread by its main queue, on another thread when it makes its next loop or
//         ends. If the thread has ended already, they run elsewhere, since no code of it can run at the same time.
// Owner:  any thread puts work in; it runs on the UI thread.

import Dispatch

final class LateWork: Sendable {
    private let lock = Lock()
    // Safe, both: read and written only while `lock` is held. The closures are called on the UI thread, or after its
    // end.
    private nonisolated(unsafe) var pieces: [() -> Void] = []
    private nonisolated(unsafe) var hasEnded = false

    /// Another thread, in the loop's `deinit`: adds work. `false`: the UI thread has ended, and nothing was added.
    func add(_ new: [() -> Void]) -> Bool {
        lock.lock()
        defer { lock.unlock() }
        guard !hasEnded else { return false }
        pieces += new
        return true
    }

    /// UI thread: called when it makes another loop, or ends.
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
    /// Another thread, in the loop's `deinit`: gives what was accepted to the UI thread, and closes the rest here.
    ///
    /// Apart from runs nothing can be under way: a task that waits on the loop or prefers it, an actor on it, and a
    /// scene keep it alive.
    func closeFromElsewhere() {
        shared.inbox.close()
        var late = members.closingActions.takeAll()
        while let timer = timers.nextDue() { late += takeLate(timer.slot) }
        queues.endPhase()
        _ = queues.takeIn(shared)
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
            "the loop made at \(site) was released on another thread before the run ended; call close() on the loop's own thread"
        )
        for run in members.runs.takeAll() { late.append(run.abandonFromElsewhere(error)) }
        // A watch and the table of watches refer to each other. Removing all watches breaks that cycle.
        _ = io.registrations.removeAll()
        _ = members.frameQueues?.handlers.removeAll()
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
            "\(late.count) pieces of work of the loop made at \(site) had not run when it was released on another thread; they run on the loop's thread when that makes its next loop, or ends"
        )
        // Safe: called on one thread only, the loop's own, or after that thread has ended.
        nonisolated(unsafe) let late = late
        if thread.isMain || executors.adoption.path != nil {
            DispatchQueue.main.async { for piece in late { piece() } }
        } else if !callbacks.lateWork.add(late) {
            LateJobs.run { for piece in late { piece() } }
        }
    }
}
