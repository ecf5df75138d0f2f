// SPDX-License-Identifier: Apache-2.0
// TaskQueue: what is ready to run, in the order in which it became so.
// Idea:   the source design's ready task queue. Callbacks and Swift jobs stand in one line.
// Owner:  the UI thread; no lock. Other threads leave their work in the `Inbox`.

import DequeModule

/// One piece of work.
enum Work {
    case callback(CallbackHandle)
    case posted(() throws -> Void, CallSite)
    case readiness(IOHandle)
    case job(UnownedJob, ExecutorIdentity)
}

/// On whose behalf a job runs: the loop itself, a run of it, or the main actor.
enum ExecutorIdentity {
    case loop
    case run(RunExecutor)
    /// With the executor that the job's task prefers, as far as is known.
    case mainActor(UnownedTaskExecutor?)
    /// Of nobody's: a job of the program's pool, kept by a loop that simulates.
    case pool
}

/// A class, so that a callback can add to the queue that it was taken from.
final class TaskQueue {
    private struct Entry {
        let work: Work
        let readyAt: Nanoseconds
    }

    private var entries: Deque<Entry> = []

    var count: Int { entries.count }
    var isEmpty: Bool { entries.isEmpty }
    /// What stands in the queue, in order. O(n); for reports.
    var works: [Work] { entries.map(\.work) }

    func append(_ work: Work, readyAt: Nanoseconds) {
        entries.append(Entry(work: work, readyAt: readyAt))
    }

    func popFirst() -> (work: Work, readyAt: Nanoseconds)? {
        guard let entry = entries.popFirst() else { return nil }
        return (entry.work, entry.readyAt)
    }
}
