// SPDX-License-Identifier: Apache-2.0
// MainActorJobs: the main actor's jobs as long as no loop has adopted the main actor.
// Idea:   they have to run on libdispatch's main queue, as without Tandem. So each job is put into a queue here, and a
//         block on the main queue runs the next job. There is one difficulty: the main queue runs one block at a time,
//         so a job that runs in a block blocks the queue. If an async main runs in such a job, makes its loop there and
//         runs it, `DispatchQueue.main` would run nothing for the rest of the program. So while the program's main
//         executor runs the main thread, the executor takes the jobs itself, between two blocks, and the blocks only
//         wake it.
// Owner:  `enqueue` runs on any thread. The rest runs on the main thread, or on libdispatch's workers where they have
//         the main queue.
// Breaks: if a job had no block, nothing would wake the main thread for it.

import DequeModule
import Dispatch
import Synchronization

enum MainActorJobs {
    private static let lock = Lock()
    // Safe: touched with `lock` held. `nil` until the first job: most programs have none here, and the first deque of a
    // kind costs the runtime 18,000 instructions.
    private nonisolated(unsafe) static var jobs: Deque<UnownedJob>?
    private static let isRunByExecutor = Atomic<Bool>(false)

    /// Any thread. O(1); it allocates a block of the main queue.
    static func enqueue(_ job: UnownedJob) {
        lock.lock()
        if jobs == nil { jobs = [] }
        jobs?.append(job)
        lock.unlock()
        DispatchQueue.main.async {
            if !isRunByExecutor.load(ordering: .acquiring) { runNext() }
        }
    }

    /// Main thread: the main executor runs from now on. It calls ``runAll()`` again and again, outside of the main
    /// queue's blocks.
    static func executorRuns() { isRunByExecutor.store(true, ordering: .releasing) }

    /// Main thread: runs the jobs that are in the queue now. Jobs that they add have blocks of their own, and run in
    /// order with the other blocks.
    static func runAll() {
        lock.lock()
        let count = jobs?.count ?? 0
        lock.unlock()
        for _ in 0..<count { runNext() }
    }

    private static func runNext() { takeNext()?.runSynchronously(on: MainActor.sharedUnownedExecutor) }

    /// Any thread: removes and returns the first job; the caller has to run it.
    static func takeNext() -> UnownedJob? {
        lock.lock()
        defer { lock.unlock() }
        return jobs?.popFirst()
    }
}
