// SPDX-License-Identifier: Apache-2.0
// LoopExecutor: how Swift's jobs reach the loop.
// Idea:   a job that is enqueued on the UI thread goes into the ready queue, without a lock. A job from another thread
//         goes into the inbox. The loop is a serial executor (actors may run on it) and a task executor (tasks may
//         prefer it).
// Owner:  `enqueue` runs on any thread.

import Dispatch
import Logging

extension GuestLoop: SerialExecutor, TaskExecutor {
    /// Enqueues a job of an actor whose executor is the loop. Called by Swift's runtime, on any thread.
    ///
    /// After ``close()`` the job still runs, on a queue of its own, and a warning is logged: if it were dropped, its
    /// task would wait for ever.
    public nonisolated func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if !accept(.job(job, .actor(thread.isCurrent ? executors.hint.preferred : nil))) { runActorJobLate(job) }
    }

    /// Enqueues a job of a task that prefers the loop. Called by Swift's runtime, on any thread. Otherwise as
    /// ``enqueue(_:)``.
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

    /// The loop as an actor's executor: `nonisolated var unownedExecutor: UnownedSerialExecutor {
    /// loop.asUnownedSerialExecutor() }`.
    public func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    /// The loop as the executor that a task prefers.
    public func asUnownedTaskExecutor() -> UnownedTaskExecutor { UnownedTaskExecutor(ordinary: self) }

    /// Traps unless it is called on the loop's thread. Swift calls it for `assumeIsolated` of an actor on the loop.
    public func checkIsolated() { thread.check("assumeIsolated on a GuestLoop") }

    /// Whether the calling thread is the loop's.
    public func isIsolatingCurrentContext() -> Bool? { thread.isCurrent }

    /// Any thread: puts a job into the ready queue or the inbox; `false` once the loop has closed.
    func accept(_ work: consuming Work) -> Bool {
        if thread.isCurrent {
            guard admission.state != .closed else { return false }
            if instruments.isObserved { instruments.activities?.noteEnqueued(work) }
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

    /// Resumes a task that waited in `isolation`. The task's next job belongs on that actor. The runtime does not know
    /// that the actor is on this thread: it would send the job to the pool of threads first. So the isolation is noted
    /// here, and read when the job is enqueued.
    func resuming(_ isolation: (any Actor)?, _ body: () -> Void) { resuming(on: knownActor(isolation), body) }

    /// The same for a wait that has kept what its task's actor is, and no reference to it.
    @inline(__always) func resuming(on actor: KnownActor?, _ body: () -> Void) {
        executors.hint.beginResuming(on: actor)
        body()
        executors.hint.endResuming()
    }

    /// UI thread: what the actor is to this loop; `nil` if its jobs do not run here, as far as is known.
    func knownActor(_ actor: (any Actor)?) -> KnownActor? {
        guard let actor, thread.isCurrent else { return nil }
        return executors.adoption.isMainActor(actor) ? .main : knownActorOfLoop(actor)
    }

    // Apart, so that the usual case, which only compares two addresses, counts no reference of the actor.
    @inline(never) private func knownActorOfLoop(_ actor: any Actor) -> KnownActor? {
        actor.unownedExecutor.words == asUnownedSerialExecutor().words ? .onLoop : nil
    }

    /// UI thread: for a job that is being resumed and whose task prefers `executor`, one of the loop's: where it will
    /// run. `nil` if that is not known.
    func resumedIdentity(preferring executor: UnownedTaskExecutor) -> ExecutorIdentity? {
        guard thread.isCurrent else { return nil }
        return executors.hint.resumption?.identity(preferring: executor)
    }

    /// UI thread: if the loop should run a job that is on its way to the program's pool of threads, where it will run;
    /// `nil`: the job goes to the pool.
    var identityOfPoolJob: ExecutorIdentity? {
        executors.hint.resumption?.identity(preferring: nil) ?? (keepsPoolJobs ? .pool : nil)
    }

    /// UI thread: whether jobs that are started now belong to the loop's simulation. As long as they do, this thread
    /// runs nothing else, in ticks or between them.
    var keepsPoolJobs: Bool { executors.kept.isKeeping }

    /// UI thread: keeps a job that sleeps, for `delay` nanoseconds of the loop's time.
    func keep(_ job: UnownedJob, for delay: Nanoseconds) {
        let delay = activeTape?.sleeps(delay) ?? delay
        let number = executors.kept.add(job)
        callLater(.nanoseconds(delay)) { [self] in
            if let job = executors.kept.take(number) { _ = accept(.job(job, .pool)) }
        }
    }

    /// UI thread, when the loop closes: ends the sleeps that have not ended.
    func endKeptSleeps() {
        for job in executors.kept.takeAll() { _ = accept(.job(job, .pool)) }
    }

    /// Any thread: runs a kept job whose loop no longer exists, on libdispatch's pool, as without Tandem.
    static func runPoolJobWithoutLoop(_ job: UnownedJob) {
        DispatchQueue.global().async { job.runSynchronously(on: UnownedSerialExecutor.ofNobody) }
    }
}

/// The executor that a run's task prefers.
///
/// A task holds a reference to the executor that it prefers. If that were the loop, a run would keep its loop alive,
/// and a loop whose last other reference is released during a run would neither close nor log that.
final class RunExecutor: TaskExecutor {
    // Safe to send: weak references are read and written atomically.
    private nonisolated(unsafe) weak var loop: GuestLoop?
    // Safe: used on the UI thread only, and set only while the caller of a tick or a phase holds the loop.
    @exclusivity(unchecked) private nonisolated(unsafe) var working: Unmanaged<GuestLoop>?
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

    // MARK: The loop, for its own thread

    /// UI thread: a tick or a phase runs user code. Until ``endWork()`` the loop is known to be alive, and reading the
    /// weak reference is spared, which costs more than all else that enqueues a job.
    func beginWork(of loop: GuestLoop) { working = .passUnretained(loop) }
    func endWork() { working = nil }

    /// UI thread: calls `body` with the loop, if it still exists.
    @inline(__always) func withLoop<Result>(_ body: (GuestLoop) -> Result) -> Result? {
        if let working { return working._withUnsafeGuaranteedRef { body($0) } }
        return loop.map(body)
    }

    // MARK: What the end of a run needs, also while its loop goes

    var isOnUIThread: Bool { thread.isCurrent }
    var logger: Logger { configuration.logger }

    /// UI thread.
    func forget(_ run: some AnyGuestRun) { runs.remove(run) }

    func trace(_ step: TraceStep) { shared.trace?(step) }

    /// UI thread: reports an error that nobody has received.
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
        if thread.isCurrent,
            let isAccepted = withLoop({ loop in
                loop.accept(.job(job, loop.resumedIdentity(preferring: asUnownedTaskExecutor()) ?? .run(self)))
            })
        {
            if isAccepted { return }
        } else if shared.deliver(.job(job, .run(self))) {
            return
        }
        runLate(job)
    }

    /// Another thread: puts a main-actor job into the loop's inbox. `false`: the loop has closed, or takes no jobs from
    /// other code at present.
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
    // Safe, both: the type is frozen and consists of two words: the executor's address, and the kind of executor. Zeros
    // stand for no executor.
    /// The executor with which the platform's pool runs jobs: it belongs to no actor.
    static var ofNobody: UnownedSerialExecutor { unsafeBitCast((UInt(0), UInt(0)), to: UnownedSerialExecutor.self) }
    /// The two words, to compare executors by.
    fileprivate var words: (UInt, UInt) { unsafeBitCast(self, to: (UInt, UInt).self) }
}
