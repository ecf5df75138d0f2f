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
    /// For names: a lookup of a server that does not answer takes ten seconds and more, and cannot be called off. It keeps nobody's work
    /// waiting, and other lookups only when there are so many. Such a thread sleeps; it costs little.
    static let names = OffloadPool(limit: 32)

    /// Starts a thread that runs `work` of the pool given as its argument: 0, or an error's number.
    typealias StartThread = @Sendable (UnsafeMutableRawPointer) -> Int32

    private let limit: Int
    private let lingering: Duration
    private let startThread: StartThread
    private let lock = Lock()
    private let arrivals = Semaphore()
    // Safe: these are touched with `lock` held.
    private nonisolated(unsafe) var jobs: Deque<UnownedJob> = []
    private nonisolated(unsafe) var workers = 0
    private nonisolated(unsafe) var idle = 0

    init(
        limit: Int, lingering: Duration = .seconds(5), startThread: @escaping StartThread = OffloadPool.startThread
    ) {
        self.limit = limit
        self.lingering = lingering
        self.startThread = startThread
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

    private static func startThread(_ argument: UnsafeMutableRawPointer) -> Int32 {
        var thread = pthread_t()
        let failure = tandem_thread_start(
            &thread, "tandem-offload",
            { argument in
                // Safe: the reference that `startWorker` took.
                Unmanaged<OffloadPool>.fromOpaque(argument!).takeRetainedValue().work()
                return nil
            }, argument)
        if failure == 0 { pthread_detach(thread) }
        return failure
    }

    private func startWorker() {
        // Safe: the reference is balanced in the thread, or just below.
        let argument = Unmanaged.passRetained(self)
        if startThread(argument.toOpaque()) == 0 { return }
        argument.release()
        lock.lock()
        workers -= 1
        lock.unlock()
        // Another worker will come to the jobs. With none, and none on its way, their tasks would wait for ever: they run here, and block
        // their caller. All of them: whoever was refused before may have left his to this thread's worker.
        while threads == 0, arrivals.tryWait() { runNext() }
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
