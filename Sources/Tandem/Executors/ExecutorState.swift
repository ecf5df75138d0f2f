// SPDX-License-Identifier: Apache-2.0
// ExecutorState: what the loop knows of Swift's jobs besides their queue: the executor that the running job's task
//                prefers, the units that it may still use, the jobs that a simulation keeps, and how the main actor's
//                jobs come to the loop.
// Owner:  the UI thread.

struct ExecutorState {
    var hint = ResumptionHint()
    var budget = CooperativeBudget()
    var kept = KeptJobs()
    var adoption = Adoption()
    private var forRuns: RunExecutor?

    /// The executor that the tasks of runs prefer. Made at the first call.
    mutating func runExecutor(of loop: GuestLoop) -> RunExecutor {
        if let forRuns { return forRuns }
        let new = RunExecutor(loop: loop)
        forRuns = new
        return new
    }

    /// A tick or a phase begins to run user code. Its caller holds a reference to the loop until ``endWork()``.
    func beginWork(of loop: GuestLoop) { forRuns?.beginWork(of: loop) }
    func endWork() { forRuns?.endWork() }
}

/// An actor whose jobs run on the loop. Two bits instead of a reference, since each wait keeps one.
enum KnownActor {
    case main
    /// One whose executor is the loop.
    case onLoop

    /// As what its jobs run whose task prefers `executor`.
    func identity(preferring executor: UnownedTaskExecutor?) -> ExecutorIdentity {
        switch self {
        case .main: .mainActor(executor)
        case .onLoop: .actor(executor)
        }
    }
}

/// Two facts that the runtime does not pass on with a job.
struct ResumptionHint {
    /// The executor that the running job's task prefers, if it is one of the loop's.
    private(set) var preferred: UnownedTaskExecutor?
    /// The actor on which the task that is being resumed at this moment will go on, if that is known.
    private(set) var resumption: KnownActor?

    mutating func beginJob(preferring executor: UnownedTaskExecutor) { preferred = executor }
    mutating func endJob() { preferred = nil }

    mutating func beginResuming(on actor: KnownActor?) { resumption = actor }
    mutating func endResuming() { resumption = nil }

    /// A modal loop begins inside a job. Pass the returned value to ``resume(_:)`` when it ends.
    mutating func pause() -> UnownedTaskExecutor? {
        defer { preferred = nil }
        return preferred
    }

    mutating func resume(_ executor: UnownedTaskExecutor?) { preferred = executor }
}

/// Jobs that would go to the program's pool of threads. A loop that simulates or records a run keeps them, since their
/// order must not depend on other threads.
struct KeptJobs {
    /// True: jobs that are started now are kept. As long as it is true, this thread runs nothing else, in ticks or
    /// between them.
    private(set) var isKeeping = false
    private var sleeps: [Int: UnownedJob] = [:]
    private var next = 0

    mutating func begin() { isKeeping = true }
    mutating func end() { isKeeping = false }

    /// Stores a job that sleeps, and returns its number.
    mutating func add(_ job: UnownedJob) -> Int {
        defer { next += 1 }
        sleeps[next] = job
        return next
    }

    /// Removes and returns the job with that number; `nil` if it was removed before.
    mutating func take(_ number: Int) -> UnownedJob? { sleeps.removeValue(forKey: number) }

    /// Removes all jobs that sleep. The oldest comes first.
    mutating func takeAll() -> [UnownedJob] {
        defer { sleeps = [:] }
        return sleeps.sorted { $0.key < $1.key }.map(\.value)
    }
}

/// Whether, and how, this loop runs the main actor's jobs.
struct Adoption {
    /// How the main actor's jobs come to this loop; `nil` unless the loop has adopted the main actor.
    private(set) var path: MainActorPath?
    /// Whether ticks run the blocks of `DispatchQueue.main`.
    private(set) var drainsMainQueue = false
    /// The main actor, if its jobs come by way of the executor. Compared by address: the main actor is never freed.
    private var mainActor: ObjectIdentifier?

    mutating func beginDrainingMainQueue() { drainsMainQueue = true }

    mutating func adopt(by path: MainActorPath) {
        self.path = path
        if path == .executor { mainActor = ObjectIdentifier(MainActor.shared) }
    }

    /// Whether this is the main actor, and the loop its executor.
    func isMainActor(_ actor: any Actor) -> Bool { ObjectIdentifier(actor) == mainActor }
}
