// SPDX-License-Identifier: Apache-2.0
// MainActorAdoption: the main actor lives on a loop.
// Idea:   a program has one main executor. Ours hands each job to the loop that adopted the main actor, where it runs under the
//         tick's budget and statistics; with no such loop it hands the job to libdispatch's main queue, where it would have
//         gone without us. The loop also drains that queue, for `DispatchQueue.main` and for the toolchains without the
//         custom executor.
// Owner:  adoption is the main actor's; `enqueue` runs on any thread.
//
// The interface for custom executors is not public in Swift 6.3. All that depends on it is in this file, behind one
// condition.

import CLinux
import Dispatch
import Glibc
import Synchronization
import SystemPackage

#if compiler(>=6.3) && compiler(<6.5)
    @_spi(ExperimentalCustomExecutors) import _Concurrency
#endif

/// How `@MainActor` jobs reach the loop.
public enum MainActorPath: Sendable, Hashable {
    /// Straight into its ready queue, as the program's main executor; budget and statistics apply to each job.
    case executor
    /// Through libdispatch's main queue, which a tick drains as a whole.
    case dispatchQueue
}

extension GuestLoop {
    /// Makes this loop the home of the main actor: `@MainActor` code, `DispatchQueue.main` and what awaits them run in its ticks,
    /// and wake its idle host. The adoption ends when the loop closes.
    ///
    /// Call it on the main thread, at the top of a synchronous `main`. In a test runner or under an `async` main the main thread may
    /// have been given up to libdispatch's workers: then a loop made on the main actor takes over its jobs for as long as
    /// that code runs, but `DispatchQueue.main` stays with the workers.
    ///
    /// - Parameter path: `.dispatchQueue` forgoes the custom executor, as toolchains without it do.
    /// - Returns: The path that is in use.
    /// - Throws: `.adoptionFailed` if it was done before or cannot be done here, `.closed`.
    @MainActor @discardableResult
    public func adoptMainActor(_ path: MainActorPath = .executor) throws(GuestError) -> MainActorPath {
        thread.check("GuestLoop.adoptMainActor")
        if let mainActorPath {
            throw GuestError(
                .adoptionFailed, "this loop has adopted the main actor already, by way of its \(mainActorPath)")
        }
        if tandem_is_main_thread() {
            _ = try whenReadable(FileDescriptor(rawValue: _dispatch_get_main_queue_handle_4CF())) {
                Self.drainMainQueue()
            }
            // What was queued before has been announced before.
            callSoon { Self.drainMainQueue() }
            drainsMainQueue = true
        }
        if path == .executor, LoopMainExecutor.install(for: self) {
            mainActorPath = .executor
            return .executor
        }
        guard drainsMainQueue else {
            throw GuestError(
                .adoptionFailed,
                "the main thread has been given up to libdispatch, whose main queue only the main thread may drain; adopt by way of the executor, or from a synchronous main"
            )
        }
        mainActorPath = .dispatchQueue
        return .dispatchQueue
    }

    /// Main thread: runs what `DispatchQueue.main` has.
    static func drainMainQueue() {
        // The callback does not empty the counter that announced it, and an empty counter must not block.
        var poll = pollfd(fd: _dispatch_get_main_queue_handle_4CF(), events: Int16(POLLIN), revents: 0)
        var count: eventfd_t = 0
        if Glibc.poll(&poll, 1, 0) > 0 { eventfd_read(poll.fd, &count) }
        _dispatch_main_queue_callback_4CF(nil)
    }
}

#if compiler(>=6.3) && compiler(<6.5)

    /// The program's main executor once a loop has adopted the main actor.
    final class LoopMainExecutor: MainExecutor {
        private static let shared = LoopMainExecutor()
        private let lock = Lock()
        // Safe: written on the adopting thread with `lock` held; read there without it, elsewhere with it.
        private nonisolated(unsafe) weak var loop: GuestLoop?
        /// Which thread may read `loop` without the lock; 0 for none.
        private let adopter = Atomic<UInt>(0)

        private struct Factory: ExecutorFactory {
            static var mainExecutor: any MainExecutor { LoopMainExecutor.shared }
            static var defaultExecutor: any TaskExecutor { PlatformExecutorFactory.defaultExecutor }
        }

        /// Adopting thread. Returns whether the runtime took the executor.
        static func install(for loop: GuestLoop) -> Bool {
            if MainActor.executor !== shared { _createExecutors(factory: Factory.self) }
            guard MainActor.executor === shared else { return false }
            shared.attach(loop)
            return true
        }

        /// The loop closes.
        static func leave() { shared.attach(nil) }

        private func attach(_ loop: GuestLoop?) {
            lock.lock()
            self.loop = loop
            adopter.store(loop?.thread.key ?? 0, ordering: .releasing)
            lock.unlock()
        }

        func enqueue(_ job: consuming ExecutorJob) {
            let job = UnownedJob(job)
            if let loop = current {
                let preferred = isOnAdopter ? loop.preferredExecutor : nil
                if loop.accept(.job(job, .mainActor(preferred))) { return }
            }
            GuestLoop.runMainActorJobWithoutLoop(job)
        }

        private var current: GuestLoop? {
            if isOnAdopter { return loop }
            lock.lock()
            defer { lock.unlock() }
            return loop
        }

        private var isOnAdopter: Bool { adopter.load(ordering: .relaxed) == UInt(pthread_self()) }

        func checkIsolated() {
            if !isOnAdopter { dispatchPrecondition(condition: .onQueue(.main)) }
        }

        func isIsolatingCurrentContext() -> Bool? { isOnAdopter ? true : nil }

        func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

        /// Runs an `async` main, for ever.
        func run() throws { dispatchMain() }

        func stop() {}
    }

#else

    /// Without the custom executor the main queue carries the main actor's jobs as well.
    enum LoopMainExecutor {
        static func install(for loop: GuestLoop) -> Bool { false }
        static func leave() {}
    }

#endif

extension GuestLoop {
    /// Any thread: the fate of a main-actor job while no loop is there: libdispatch's main queue, as without Tandem.
    static func runMainActorJobWithoutLoop(_ job: UnownedJob) {
        DispatchQueue.main.async { job.runSynchronously(on: MainActor.sharedUnownedExecutor) }
    }
}
