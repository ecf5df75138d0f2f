// SPDX-License-Identifier: Apache-2.0
// OffloadPool: threads for calls that block.
// Idea:   a task executor with a few threads of its own. A thread is started when there is work and ends when it has
//         had none for five seconds. Swift's own pool has only as many threads as the machine has cores, so that a
//         blocked thread there would slow everything else down. A child process made by `fork` gets a new pool, since
//         the threads of its parent do not exist in it.
// Owner:  any thread. Worker threads have the signal mask of the thread that made the last loop. A body may start a
//         process, which inherits the mask through `exec`: if every signal were blocked in it, SIGTERM could not end
//         it.

import DequeModule
import Glibc
import Synchronization
import SystemPackage
import TandemCLinux

final class OffloadPool: TaskExecutor {
    /// The pool of the process. The blocking calls of all loops share it.
    static var shared: OffloadPool { sharedPools.pool }
    /// For looking up names. A lookup takes ten seconds and more if the name server does not answer, and cannot be
    /// stopped. In a pool of its own it delays no other blocking work, and other lookups only when 32 are under way. A
    /// thread that waits for an answer sleeps, so that it costs little.
    static var names: OffloadPool { namePools.pool }

    private static let sharedPools = PoolOfEachProcess(limit: 8)
    private static let namePools = PoolOfEachProcess(limit: 32)

    /// Starts a thread that calls `work` on the pool that its argument points to. Returns 0, or the number of the
    /// error.
    typealias StartThread = @Sendable (UnsafeMutableRawPointer) -> Int32

    fileprivate let forkDepth = tandem_fork_depth()
    fileprivate let limit: Int
    private let lingering: Duration
    private let startThread: StartThread
    private let lock = Lock()
    private let arrivals = Semaphore()
    // Safe, these three: read and written only while `lock` is held.
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

    /// The number of threads that exist now.
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
        // Before the lock is released: a worker whose time is over takes the lock and looks once more for a signal
        // before it ends.
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
        // If there is another worker, it will run the jobs. If there is none, and none is being started, the tasks of
        // these jobs would wait for ever, so the jobs run on this thread and block the caller. All of them, because a
        // caller whose own thread was refused earlier may have relied on this one.
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
            // A job that arrived after the time was over, but before the lock was taken, is still run.
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

/// One pool for the process, and a new one in each child made by `fork`: in the child, a lock may still be held by a
/// thread that exists only in the parent.
private final class PoolOfEachProcess: Sendable {
    private let first: OffloadPool
    /// The address of the pool of a forked child, which is never released. 0 in a process that is no forked child.
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
            // Safe: kept for ever once `latest` has it; released below if another thread was quicker.
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
