// SPDX-License-Identifier: Apache-2.0
// OffloadPool: threads for calls that block.
// Idea:   a task executor with few threads of its own: they come when there is work, sleep for a while without any, then go. Swift's
//         own pool has as many threads as the machine has cores, and a blocked one would be missed there.
// Owner:  any thread. Workers block every signal, so that none of them takes the game's.

import DequeModule
import Glibc
import SystemPackage
import TandemCLinux

final class OffloadPool: TaskExecutor {
    /// The process's pool: blocking calls of several loops share it.
    static let shared = OffloadPool(limit: 8)

    private let limit: Int
    private let lingering: Duration
    private let lock = Lock()
    private let arrivals = Semaphore()
    // Safe: these are touched with `lock` held.
    private nonisolated(unsafe) var jobs: Deque<UnownedJob> = []
    private nonisolated(unsafe) var workers = 0
    private nonisolated(unsafe) var idle = 0

    init(limit: Int, lingering: Duration = .seconds(5)) {
        self.limit = limit
        self.lingering = lingering
    }

    /// How many threads there are.
    var threads: Int {
        lock.lock()
        defer { lock.unlock() }
        return workers
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        lock.lock()
        jobs.append(job)
        let needsWorker = idle < jobs.count && workers < limit
        if needsWorker { workers += 1 }
        // Before the lock goes: a worker that gives up waiting looks for it under the lock.
        arrivals.signal()
        lock.unlock()
        if needsWorker { startWorker() }
    }

    private func startWorker() {
        var thread = pthread_t()
        // Safe: the reference is balanced in the thread, or just below.
        let argument = Unmanaged.passRetained(self)
        let failure = tandem_thread_start(
            &thread, "tandem-offload",
            { argument in
                Unmanaged<OffloadPool>.fromOpaque(argument!).takeRetainedValue().work()
                return nil
            }, argument.toOpaque())
        if failure == 0 {
            pthread_detach(thread)
            return
        }
        argument.release()
        lock.lock()
        workers -= 1
        let isDeserted = workers == 0
        lock.unlock()
        // Another worker will come to it. With none, the job's task would wait for ever: it runs here, and blocks its caller.
        if isDeserted, arrivals.tryWait() { runNext() }
    }

    private func work() {
        while true {
            lock.lock()
            idle += 1
            lock.unlock()
            let hasJob = arrivals.wait(for: lingering)
            lock.lock()
            idle -= 1
            // A job that came at the last moment is still taken.
            if !hasJob, !arrivals.tryWait() {
                workers -= 1
                lock.unlock()
                return
            }
            lock.unlock()
            runNext()
        }
    }

    private func runNext() {
        lock.lock()
        let job = jobs.removeFirst()
        lock.unlock()
        job.runSynchronously(on: asUnownedTaskExecutor())
    }

    func asUnownedTaskExecutor() -> UnownedTaskExecutor { UnownedTaskExecutor(ordinary: self) }
}
