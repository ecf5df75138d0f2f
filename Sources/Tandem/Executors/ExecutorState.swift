// SPDX-License-Identifier: Apache-2.0
// ExecutorState: what the loop knows of Swift's jobs beyond the line in which they stand: on whose behalf the running one goes on, what it may
//                still do in one go, what a simulation keeps, and how the main actor's jobs come here.
// Owner:  the UI thread.

struct ExecutorState {
    var hint = ResumptionHint()
    var budget = CooperativeBudget()
    var kept = KeptJobs()
    var adoption = Adoption()
    private var forRuns: RunExecutor?

    /// The executor that runs prefer; made by the first of them.
    mutating func runExecutor(of loop: GuestLoop) -> RunExecutor {
        if let forRuns { return forRuns }
        let new = RunExecutor(loop: loop)
        forRuns = new
        return new
    }
}

/// What the runtime does not say of a job.
struct ResumptionHint {
    /// The executor that the task of the running job prefers, if it prefers one of the loop's.
    private(set) var preferred: UnownedTaskExecutor?
    /// On whose behalf the task goes on that is being resumed at this moment, where that is known.
    private(set) var resumption: ExecutorIdentity?

    mutating func beginJob(preferring executor: UnownedTaskExecutor) { preferred = executor }
    mutating func endJob() { preferred = nil }

    mutating func beginResuming(_ identity: ExecutorIdentity?) { resumption = identity }
    mutating func endResuming() { resumption = nil }

    /// A modal loop begins inside of a job; what is returned goes to ``resume(_:)``.
    mutating func pause() -> UnownedTaskExecutor? {
        defer { preferred = nil }
        return preferred
    }

    mutating func resume(_ executor: UnownedTaskExecutor?) { preferred = executor }
}

/// Jobs that would go to the program's pool of threads and are kept by a loop that simulates, or that records a run: their order must not depend on
/// other threads.
struct KeptJobs {
    /// Whether what is started now is kept. While it is, this thread runs nothing else, in ticks or between them.
    private(set) var isKeeping = false
    private var sleeps: [Int: UnownedJob] = [:]
    private var next = 0

    mutating func begin() { isKeeping = true }
    mutating func end() { isKeeping = false }

    /// A job sleeps. Returns its number.
    mutating func add(_ job: UnownedJob) -> Int {
        defer { next += 1 }
        sleeps[next] = job
        return next
    }

    /// The sleep of that number is over, unless it has ended before.
    mutating func take(_ number: Int) -> UnownedJob? { sleeps.removeValue(forKey: number) }

    /// Those that sleep, the first first.
    mutating func takeAll() -> [UnownedJob] {
        defer { sleeps = [:] }
        return sleeps.sorted { $0.key < $1.key }.map(\.value)
    }
}

/// Whether this loop is the main actor's home.
struct Adoption {
    /// How its jobs come here; `nil` unless the loop has adopted it.
    private(set) var path: MainActorPath?
    /// Whether ticks run what `DispatchQueue.main` has.
    private(set) var drainsMainQueue = false

    mutating func beginDrainingMainQueue() { drainsMainQueue = true }
    mutating func adopt(by path: MainActorPath) { self.path = path }
}
