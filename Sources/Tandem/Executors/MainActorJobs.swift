// SPDX-License-Identifier: Apache-2.0
// MainActorJobs: the main actor's jobs while no loop has adopted it.
// Idea:   they belong on libdispatch's main queue, as without Tandem, so each is put in line here and a block there runs the next one. But a job
//         that is itself a block of that queue keeps it: an async main that goes on there, makes its loop and runs it, would have
//         `DispatchQueue.main` dead for the rest of the program, since that queue runs one block at a time. So where the program's main executor
//         runs the main thread, it takes the jobs out of the line itself, between two blocks, and the blocks only wake it.
// Owner:  `enqueue` runs on any thread; the rest on the main thread, or where libdispatch's workers have the main queue.
// Breaks: a job without a block for it would not wake the main thread.

import DequeModule
import Dispatch
import Synchronization

enum MainActorJobs {
    private static let lock = Lock()
    // Safe: touched with `lock` held.
    private nonisolated(unsafe) static var jobs: Deque<UnownedJob> = []
    private static let isRunByExecutor = Atomic<Bool>(false)

    /// Any thread. O(1), a block of the main queue's.
    static func enqueue(_ job: UnownedJob) {
        lock.lock()
        jobs.append(job)
        lock.unlock()
        DispatchQueue.main.async {
            if !isRunByExecutor.load(ordering: .acquiring) { runNext() }
        }
    }

    /// Main thread: the main executor runs from here on. Calls ``runAll()`` again and again, outside of blocks of the main queue.
    static func executorRuns() { isRunByExecutor.store(true, ordering: .releasing) }

    /// Main thread: runs the jobs that are in line. Those that they add have blocks of their own, which come in turn with the others.
    static func runAll() {
        lock.lock()
        let count = jobs.count
        lock.unlock()
        for _ in 0..<count { runNext() }
    }

    private static func runNext() { takeNext()?.runSynchronously(on: MainActor.sharedUnownedExecutor) }

    /// Any thread: the job that is first in line, for somebody who runs it.
    static func takeNext() -> UnownedJob? {
        lock.lock()
        defer { lock.unlock() }
        return jobs.popFirst()
    }
}
