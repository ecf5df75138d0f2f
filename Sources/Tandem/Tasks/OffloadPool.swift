// SPDX-License-Identifier: Apache-2.0
// OffloadPool: threads for calls that block.
// Idea:   a task executor with few threads of its own: they come when there is work, sleep for a while without any, then go. Swift's
//         own pool has as many threads as the machine has cores, and a blocked one would be missed there.
//         A child of `fork` has a pool of its own: its parent's threads are not there.
// Owner:  any thread. Workers have the signal mask of the thread that made the last loop, for the processes that bodies start: one that
//         blocks everything would be inherited through `exec`, and nothing could end them politely.

import DequeModule
import Glibc
import Synchronization
import SystemPackage
import TandemCLinux

final class OffloadPool: TaskExecutor {
    /// The process's pool: blocking calls of several loops share it.
    static var shared: OffloadPool { sharedPools.pool }
    /// For names: a lookup of a server that does not answer takes ten seconds and more, and cannot be called off. It keeps nobody's work
    /// waiting, and other lookups only when there are so many. Such a thread sleeps; it costs little.
    static var names: OffloadPool { namePools.pool }

    private static let sharedPools = PoolOfEachProcess(limit: 8)
    private static let namePools = PoolOfEachProcess(limit: 32)

    /// Starts a thread that runs `work` of the pool given as its argument: 0, or an error's number.
    typealias StartThread = @Sendable (UnsafeMutableRawPointer) -> Int32

    fileprivate let forkDepth = tandem_fork_depth()
    fileprivate let limit: Int
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
        tandem_worker_sets_mask()
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

/// A pool for the process, and another one for each child of `fork`, which cannot trust a lock that a thread of its parent's may have held.
private final class PoolOfEachProcess: Sendable {
    private let first: OffloadPool
    /// The address of a child's pool, which is never released; 0 in a process that is none.
    private let latest = Atomic<UInt>(0)

    init(limit: Int) { first = OffloadPool(limit: limit) }

    var pool: OffloadPool { first.forkDepth == tandem_fork_depth() ? first : poolOfChild() }

    private func poolOfChild() -> OffloadPool {
        while true {
            let old = latest.load(ordering: .acquiring)
            if let address = UnsafeRawPointer(bitPattern: old) {
                // Safe: never released.
                let pool = Unmanaged<OffloadPool>.fromOpaque(address).takeUnretainedValue()
                if pool.forkDepth == tandem_fork_depth() { return pool }
            }
            let new = Unmanaged.passRetained(OffloadPool(limit: first.limit))
            if latest.compareExchange(
                expected: old, desired: UInt(bitPattern: new.toOpaque()), ordering: .acquiringAndReleasing
            ).exchanged {
                return new.takeUnretainedValue()
            }
            new.release()
        }
    }
}
