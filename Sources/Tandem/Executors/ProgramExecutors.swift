// SPDX-License-Identifier: Apache-2.0
// ProgramExecutors: replaces the two executors that every Swift program has one of each.
// Idea:   our main executor passes the main actor's jobs to the loop that has adopted it, or, while there is none, to
//         libdispatch's main queue, where they would go without Tandem. Our default executor passes jobs to the
//         platform's pool, except for two kinds that are enqueued on the adopting thread: a task that the loop resumes
//         goes on there, instead of on a thread of the pool; and a loop that simulates keeps all jobs that its ticks
//         start.
// Facts:  a main-actor task that calls the standard library's `Task.yield` passes the default executor three times: on
//         its way into the function, which is isolated to no actor and whose job looks like that of any such function;
//         with the job that resumes it (of kind 195), from a thread of the pool; and on its way back to the main actor.
//         See `TaskYield`. The task of a run prefers an executor of the loop, and takes none of these ways.
// Owner:  adoption happens on the main actor; `enqueue` runs on any thread.
// Breaks: if a job went neither to the loop nor to the platform's pool, its task would wait for ever.
//
// The interface for custom executors is not public in Swift 6.3. All that depends on it is in this file, behind one
// condition.

import Dispatch
import Glibc
import Synchronization
import TandemCLinux

#if compiler(>=6.3) && compiler(<6.5)
    @_spi(ExperimentalCustomExecutors) @_spi(ExperimentalScheduling) import _Concurrency

    /// The program's executors.
    enum ProgramExecutors {
        private struct Factory: ExecutorFactory {
            static var mainExecutor: any MainExecutor { LoopMainExecutor.shared }
            static var defaultExecutor: any TaskExecutor { LoopPoolExecutor.shared }
        }

        /// Installs both executors, if they are not installed yet. Returns whether the runtime uses them.
        static func install() -> Bool {
            if MainActor.executor !== LoopMainExecutor.shared { _createExecutors(factory: Factory.self) }
            return MainActor.executor === LoopMainExecutor.shared
        }

        /// Adopting thread: passes main-actor jobs to `loop` from now on. Returns whether the runtime uses our
        /// executors.
        static func install(for loop: GuestLoop) -> Bool {
            guard install() else { return false }
            Adopter.shared.attach(loop)
            return true
        }

        /// The loop that has adopted the main actor, if the calling thread is its own.
        static var loopHere: GuestLoop? { Adopter.shared.loopHere }

        /// Called when the loop closes, on its thread, or when its last reference is released, on any thread.
        static func leave(_ loop: GuestLoop) {
            Adopter.shared.detach(loop.callbacks.number, isHere: loop.thread.isCurrent)
        }
    }

    /// The loop that has adopted the main actor, as both executors see it.
    private final class Adopter: Sendable {
        static let shared = Adopter()
        private let lock = BriefLock()
        // Safe: written with `lock` held on the adopting thread, and read there only.
        private nonisolated(unsafe) weak var loop: GuestLoop?
        // Safe: likewise. After its loop has ended it accepts nothing.
        @exclusivity(unchecked) private(set) nonisolated(unsafe) var executorHere: RunExecutor?
        // Safe: read and written only while `lock` is held. The loop's number, which can still be compared while the
        // loop is being deinitialised.
        private nonisolated(unsafe) var number: UInt32 = 0
        // Safe: touched with `lock` held.
        private nonisolated(unsafe) var lockedExecutor: RunExecutor?
        /// Which thread may read `loop`; 0 for none.
        private let thread = Atomic<UInt>(0)

        func attach(_ loop: GuestLoop) {
            let new = loop.executors.runExecutor(of: loop)
            lock.lock()
            self.loop = loop
            executorHere = new
            number = loop.callbacks.number
            let old = lockedExecutor
            lockedExecutor = new
            thread.store(loop.thread.ownKey, ordering: .releasing)
            lock.unlock()
            withExtendedLifetime(old) {}
        }

        /// The loop with that number ends; another one may have adopted the main actor since. On another thread the
        /// weak reference is not touched: it is nil already, and the adopting thread may be reading it.
        func detach(_ number: UInt32, isHere: Bool) {
            lock.lock()
            guard self.number == number else { return lock.unlock() }
            if isHere {
                loop = nil
                executorHere = nil
            }
            self.number = 0
            let old = lockedExecutor
            lockedExecutor = nil
            thread.store(0, ordering: .releasing)
            lock.unlock()
            withExtendedLifetime(old) {}
        }

        /// Whether the calling thread is the one that adopted the main actor.
        var isHere: Bool { thread.load(ordering: .relaxed) == tandem_thread_key() }

        /// The loop, if the calling thread is the one that adopted the main actor.
        var loopHere: GuestLoop? { isHere ? loop : nil }

        /// Other threads put jobs into the loop through this executor, which does not keep the loop alive.
        var executorForOtherThreads: RunExecutor? {
            lock.lock()
            defer { lock.unlock() }
            return lockedExecutor
        }
    }

    /// The program's main executor.
    private final class LoopMainExecutor: MainExecutor {
        static let shared = LoopMainExecutor()

        func enqueue(_ job: consuming ExecutorJob) {
            let job = UnownedJob(job)
            if Adopter.shared.isHere {
                let isAccepted = Adopter.shared.executorHere?.withLoop { loop in
                    loop.accept(.job(job, .mainActor(loop.executors.hint.preferred)))
                }
                if isAccepted ?? false { return }
            } else if let executor = Adopter.shared.executorForOtherThreads, executor.takeMainActorJob(job) {
                return
            }
            MainActorJobs.enqueue(job)
        }

        func checkIsolated() {
            if !Adopter.shared.isHere { dispatchPrecondition(condition: .onQueue(.main)) }
        }

        func isIsolatingCurrentContext() -> Bool? { Adopter.shared.isHere ? true : nil }

        func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

        /// Main thread, called by Swift's runtime: serves an `async` main and never returns. It runs the host of the
        /// loop that has adopted the main actor, or, while there is none, libdispatch's main queue. The thread stays
        /// the main thread, which SDL needs.
        func run() throws {
            MainActorJobs.executorRuns()
            while true {
                MainActorJobs.runAll()
                if let loop = Adopter.shared.loopHere, let drive = loop.hosting.hooks.drive {
                    loop.hosting.hooks.beginDriving()
                    if drive() { continue }
                }
                GuestLoop.waitForMainQueue()
            }
        }

        func stop() {}
    }

    /// Called before `main`, by a constructor in `TandemCLinux`, so that adoption is never too late and an `async` main
    /// runs on our executor.
    @_cdecl("tandem_install_executors")
    func installExecutors() {
        _ = ProgramExecutors.install()
    }

    /// The program's default executor: passes jobs to the platform's pool, except for those that belong on the loop's
    /// thread.
    private final class LoopPoolExecutor: TaskExecutor, SchedulingExecutor {
        static let shared = LoopPoolExecutor()
        private let pool = PlatformExecutorFactory.defaultExecutor

        func enqueue(_ job: consuming ExecutorJob) {
            let job = UnownedJob(job)
            if let loop = Adopter.shared.loopHere, let identity = loop.identityOfPoolJob,
                loop.accept(.job(job, identity))
            {
                return
            }
            pool.enqueue(job)
        }

        func enqueue<C: Clock>(
            _ job: consuming ExecutorJob, at instant: C.Instant, tolerance: C.Duration?, clock: C
        ) {
            if let loop = Adopter.shared.loopHere, loop.keepsPoolJobs,
                let left = clock.now.duration(to: instant) as? Duration
            {
                loop.keep(UnownedJob(job), for: left.nanosecondsRoundedUp)
            } else {
                scheduling.enqueue(job, at: instant, tolerance: tolerance, clock: clock)
            }
        }

        func enqueue<C: Clock>(
            _ job: consuming ExecutorJob, after delay: C.Duration, tolerance: C.Duration?, clock: C
        ) {
            if let loop = Adopter.shared.loopHere, loop.keepsPoolJobs, let delay = delay as? Duration {
                loop.keep(UnownedJob(job), for: delay.nanosecondsRoundedUp)
            } else {
                scheduling.enqueue(job, after: delay, tolerance: tolerance, clock: clock)
            }
        }

        private var scheduling: any SchedulingExecutor {
            guard let pool = pool as? any SchedulingExecutor else {
                fatalError("the platform's default executor cannot schedule, which Task.sleep needs")
            }
            return pool
        }

        func asUnownedTaskExecutor() -> UnownedTaskExecutor { UnownedTaskExecutor(ordinary: self) }
    }

#else

    /// Without custom executors, libdispatch's main queue carries the main actor's jobs, too.
    enum ProgramExecutors {
        static func install(for loop: GuestLoop) -> Bool { false }
        static func leave(_ loop: GuestLoop) {}
        static var loopHere: GuestLoop? { nil }
    }

#endif
