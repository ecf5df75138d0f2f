// SPDX-License-Identifier: Apache-2.0
// LoopExecutor: Swift's jobs find the loop.
// Idea:   a job enqueued on the UI thread goes straight into the ready queue, without a lock; one from another thread into
//         the inbox. The loop is a serial executor (actors may live on it) and a task executor (tasks may prefer it).
// Owner:  `enqueue` runs on any thread.

import Dispatch
import Logging

extension GuestLoop: SerialExecutor, TaskExecutor {
    /// Takes a job of an actor that lives on the loop. Called by Swift's runtime, on any thread.
    ///
    /// After ``close()`` the job still runs, on a queue of its own, with a line in the log: a dropped job would leave
    /// its task waiting for ever.
    public nonisolated func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if !accept(.job(job, .actor(thread.isCurrent ? executors.hint.preferred : nil))) { runActorJobLate(job) }
    }

    /// Takes a job of a task that prefers the loop. Called by Swift's runtime, on any thread. As ``enqueue(_:)`` otherwise.
    @_implements(TaskExecutor,enqueue(_:))
    public nonisolated func enqueueOfTask(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if !accept(.job(job, resumedIdentity(preferring: asUnownedTaskExecutor()) ?? .task)) { runTaskJobLate(job) }
    }

    func runActorJobLate(_ job: UnownedJob) {
        LateJobs.run(job, logger: configuration.logger) { job in
            job.runSynchronously(on: self.asUnownedSerialExecutor())
        }
    }

    func runTaskJobLate(_ job: UnownedJob) {
        LateJobs.run(job, logger: configuration.logger) { job in
            job.runSynchronously(on: self.asUnownedTaskExecutor())
        }
    }

    /// The loop as an actor's executor: `nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }`.
    public func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    /// The loop as a task's preference.
    public func asUnownedTaskExecutor() -> UnownedTaskExecutor { UnownedTaskExecutor(ordinary: self) }

    /// Traps unless called on the loop's thread; what `assumeIsolated` of an actor on the loop asks.
    public func checkIsolated() { thread.check("assumeIsolated on a GuestLoop") }

    /// Whether the calling thread is the loop's.
    public func isIsolatingCurrentContext() -> Bool? { thread.isCurrent }

    /// Any thread: puts a job into the ready queue or the inbox; `false` once the loop has closed.
    func accept(_ work: consuming Work) -> Bool {
        if thread.isCurrent {
            guard admission.state != .closed else { return false }
            appendJob(work)
            return true
        }
        return shared.deliver(work)
    }

    func execute(_ job: UnownedJob, _ identity: ExecutorIdentity) {
        executors.budget.renew()
        switch identity {
        case .actor(let preferred): execute(job, on: asUnownedSerialExecutor(), preferring: preferred)
        case .mainActor(let preferred): execute(job, on: MainActor.sharedUnownedExecutor, preferring: preferred)
        case .task: execute(job, preferring: asUnownedTaskExecutor())
        case .run(let executor): execute(job, preferring: executor.asUnownedTaskExecutor())
        case .pool: job.runSynchronously(on: UnownedSerialExecutor.ofNobody)
        }
    }

    private func execute(
        _ job: UnownedJob, on actor: UnownedSerialExecutor, preferring executor: UnownedTaskExecutor?
    ) {
        guard let executor else { return job.runSynchronously(on: actor) }
        executors.hint.beginJob(preferring: executor)
        job.runSynchronously(isolatedTo: actor, taskExecutor: executor)
        executors.hint.endJob()
    }

    private func execute(_ job: UnownedJob, preferring executor: UnownedTaskExecutor) {
        executors.hint.beginJob(preferring: executor)
        job.runSynchronously(on: executor)
        executors.hint.endJob()
    }

    /// Resumes a task that waited in `isolation`. Its next job belongs there, which the runtime does not know: it would send the task
    /// through the pool of threads to find its actor, though that is here.
    func resuming(_ isolation: (any Actor)?, _ body: () -> Void) {
        executors.hint.beginResuming(identity(of: isolation))
        body()
        executors.hint.endResuming()
    }

    private func identity(of isolation: (any Actor)?) -> ExecutorIdentity? {
        guard let isolation, thread.isCurrent else { return nil }
        if executors.adoption.path == .executor, isolation === MainActor.shared { return .mainActor(nil) }
        return isolation.unownedExecutor.words == asUnownedSerialExecutor().words ? .actor(nil) : nil
    }

    /// UI thread: on whose behalf a job goes on whose task prefers `executor`, one of the loop's, if it is being resumed.
    func resumedIdentity(preferring executor: UnownedTaskExecutor) -> ExecutorIdentity? {
        guard thread.isCurrent else { return nil }
        switch executors.hint.resumption {
        case .mainActor: return .mainActor(executor)
        case .actor: return .actor(executor)
        default: return nil
        }
    }

    /// UI thread: on whose behalf the loop runs a job that is on its way to the program's pool of threads; `nil`: let it go there.
    var identityOfPoolJob: ExecutorIdentity? { executors.hint.resumption ?? (keepsPoolJobs ? .pool : nil) }

    /// UI thread: does what is started now descend from the loop's simulation? While there is one, this thread runs nothing else, in
    /// ticks or between them.
    var keepsPoolJobs: Bool { executors.kept.isKeeping }

    /// UI thread: keeps a job that sleeps, for so many nanoseconds of the loop's time.
    func keep(_ job: UnownedJob, for delay: Nanoseconds) {
        let delay = activeTape?.sleeps(delay) ?? delay
        let number = executors.kept.add(job)
        callLater(.nanoseconds(delay)) { [self] in
            if let job = executors.kept.take(number) { _ = accept(.job(job, .pool)) }
        }
    }

    /// UI thread: the loop closes; a sleep that will not come to its end ends now.
    func endKeptSleeps() {
        for job in executors.kept.takeAll() { _ = accept(.job(job, .pool)) }
    }

    /// Any thread: the fate of a kept job when its loop has gone: the pool, as without Tandem.
    static func runPoolJobWithoutLoop(_ job: UnownedJob) {
        DispatchQueue.global().async { job.runSynchronously(on: UnownedSerialExecutor.ofNobody) }
    }
}

/// The executor that a run's task prefers.
///
/// A task keeps the executor that it prefers. Were that the loop, a run would keep its loop alive, and a loop that is let go under
/// a run would neither close nor say so.
final class RunExecutor: TaskExecutor {
    // Safe to send: weak references are read atomically.
    private nonisolated(unsafe) weak var loop: GuestLoop?
    private let thread: UIThread
    private let shared: SharedState
    private let configuration: Configuration
    private let runs: RunList

    init(loop: GuestLoop) {
        self.loop = loop
        thread = loop.thread
        shared = loop.shared
        configuration = loop.configuration
        runs = loop.members.runs
    }

    // MARK: What the end of a run needs, also while its loop goes

    var isOnUIThread: Bool { thread.isCurrent }
    var logger: Logger { configuration.logger }

    /// UI thread.
    func forget(_ run: some AnyGuestRun) { runs.remove(run) }

    func trace(_ step: TraceStep) { shared.trace?(step) }

    /// UI thread: nobody was told of the error.
    func report(_ error: any Error, _ site: CallSite) {
        if let loop { loop.report(error, .task, site) } else { configuration.tell(error, .task, site) }
    }

    /// UI thread: resumes a task that waited in `isolation`.
    func resuming(_ isolation: (any Actor)?, _ body: () -> Void) {
        if let loop { loop.resuming(isolation, body) } else { body() }
    }

    // MARK: Jobs

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if thread.isCurrent, let loop {
            if loop.accept(.job(job, loop.resumedIdentity(preferring: asUnownedTaskExecutor()) ?? .run(self))) {
                return
            }
        } else if shared.deliver(.job(job, .run(self))) {
            return
        }
        runLate(job)
    }

    /// Another thread: leaves a main-actor job in the loop's inbox. `false`: the loop has closed, or keeps such jobs out.
    func takeMainActorJob(_ job: UnownedJob) -> Bool {
        shared.admitsOthers && shared.deliver(.job(job, .mainActor(nil)))
    }

    func runLate(_ job: UnownedJob) {
        LateJobs.run(job, logger: configuration.logger) { job in
            job.runSynchronously(on: self.asUnownedTaskExecutor())
        }
    }

    func asUnownedTaskExecutor() -> UnownedTaskExecutor { UnownedTaskExecutor(ordinary: self) }
}

extension UnownedSerialExecutor {
    // Safe, both: the type is frozen, and holds an executor's address and what kind it is; zeros stand for no executor.
    /// What the platform's pool runs its jobs on: no actor's executor.
    static var ofNobody: UnownedSerialExecutor { unsafeBitCast((UInt(0), UInt(0)), to: UnownedSerialExecutor.self) }
    /// To compare by.
    fileprivate var words: (UInt, UInt) { unsafeBitCast(self, to: (UInt, UInt).self) }
}
