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

/// On whose behalf a job runs. The runtime compares this at each step that the job makes, and queues it anew where it differs.
enum ExecutorIdentity {
    /// An actor that lives on the loop, with the executor that the job's task prefers, as far as is known.
    case actor(UnownedTaskExecutor?)
    /// The main actor; likewise.
    case mainActor(UnownedTaskExecutor?)
    /// No actor: a task that prefers the loop.
    case task
    /// No actor: a task of a run.
    case run(RunExecutor)
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
