// SPDX-License-Identifier: Apache-2.0
// Ready: the least executor on which main-actor tasks can run: a ring of jobs. It has no lock and no wake, since nobody else enqueues; it counts,
//        limits and reports nothing, and does not end.
// Idea:   three executors put their jobs into it: the program's main one; its default one, to which the runtime sends each job that resumes a
//         continuation; and one that tasks may prefer. As Tandem does, it runs what resumes a task on the main actor at once, instead of letting
//         it find out there that it has to be enqueued again.
// Owner:  the main thread.

@_spi(ExperimentalCustomExecutors) import _Concurrency

final class Ready: @unchecked Sendable {
    /// How jobs are run.
    enum Way {
        /// On the main actor.
        case mainActor
        /// On the main actor, for tasks that prefer an executor.
        case preferring
        /// As the runtime does it by itself: what resumes a continuation belongs to no actor, and the task then goes to the main actor.
        case twice
    }

    private struct Entry {
        let job: UnownedJob
        let isOfPool: Bool
    }

    static let shared = Ready()
    private static let capacity = 1024  // a power of two
    // Safe, all: used on the main thread only; the memory is never freed.
    private let entries = UnsafeMutablePointer<Entry>.allocate(capacity: capacity)
    /// How many were run, and how many came.
    @exclusivity(unchecked) private var head = 0
    @exclusivity(unchecked) private var tail = 0
    @exclusivity(unchecked) private var way = Way.mainActor
    @exclusivity(unchecked) private var mainActor = UnownedSerialExecutor.ofNobody
    private let preferred = UnownedTaskExecutor(ordinary: PreferredExecutor.shared)

    /// To be called before there is a task.
    static func install(_ way: Way) -> Ready {
        _createExecutors(factory: Factory.self)
        shared.way = way
        shared.mainActor = MainActor.sharedUnownedExecutor
        return shared
    }

    /// Tasks prefer this one if their jobs are run so.
    static var executor: any TaskExecutor { PreferredExecutor.shared }

    fileprivate func add(_ job: UnownedJob, isOfPool: Bool = false) {
        precondition(tail &- head < Self.capacity, "nobody runs the jobs")
        entries[tail & (Self.capacity - 1)] = Entry(job: job, isOfPool: isOfPool)
        tail &+= 1
    }

    /// Runs what is ready, and what becomes ready meanwhile.
    func run() {
        while head != tail {
            let entry = entries[head & (Self.capacity - 1)]
            head &+= 1
            switch way {
            case .mainActor: entry.job.runSynchronously(on: mainActor)
            case .preferring: entry.job.runSynchronously(isolatedTo: mainActor, taskExecutor: preferred)
            case .twice: entry.job.runSynchronously(on: entry.isOfPool ? .ofNobody : mainActor)
            }
        }
    }
}

private struct Factory: ExecutorFactory {
    static var mainExecutor: any MainExecutor { ReadyMainExecutor.shared }
    static var defaultExecutor: any TaskExecutor { PoolExecutor.shared }
}

private final class ReadyMainExecutor: MainExecutor {
    static let shared = ReadyMainExecutor()
    private let ready = Ready.shared
    func enqueue(_ job: consuming ExecutorJob) { ready.add(UnownedJob(job)) }
    func checkIsolated() {}
    func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }
    func run() throws {}
    func stop() {}
}

private final class PoolExecutor: TaskExecutor {
    static let shared = PoolExecutor()
    private let ready = Ready.shared
    func enqueue(_ job: consuming ExecutorJob) { ready.add(UnownedJob(job), isOfPool: true) }
}

private final class PreferredExecutor: TaskExecutor {
    static let shared = PreferredExecutor()
    func enqueue(_ job: consuming ExecutorJob) { Ready.shared.add(UnownedJob(job)) }
}

extension UnownedSerialExecutor {
    // Safe: the type is frozen and consists of two words; zeros stand for no executor.
    fileprivate static var ofNobody: UnownedSerialExecutor {
        unsafeBitCast((UInt(0), UInt(0)), to: UnownedSerialExecutor.self)
    }
}
