// SPDX-License-Identifier: Apache-2.0
// MainActorAdoption: the main actor lives on a loop.
// Idea:   a program has one main executor. Ours hands each job to the loop that adopted the main actor, where it runs under the
//         tick's budget and statistics; with no such loop it hands the job to libdispatch's main queue, where it would have
//         gone without us. The loop also drains that queue, for `DispatchQueue.main` and for the toolchains without the
//         custom executor.
// Owner:  adoption is the main thread's; `enqueue` runs on any thread.
//
// The interface for custom executors is not public in Swift 6.3. All that depends on it is in this file, behind one
// condition.

import CLinux
import Dispatch
import Glibc
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
    /// and wake its idle host. Main thread; the adoption ends when the loop closes.
    ///
    /// - Parameter path: `.dispatchQueue` forgoes the custom executor, as toolchains without it do.
    /// - Returns: The path that is in use.
    /// - Throws: `.wrongThread` off the main thread, `.adoptionFailed` if it was done before, `.closed`.
    @discardableResult
    public func adoptMainActor(_ path: MainActorPath = .executor) throws(GuestError) -> MainActorPath {
        guard tandem_is_main_thread() else {
            throw GuestError(
                .wrongThread, "the main actor lives on the main thread; adopt it with a loop that was made there")
        }
        if let mainActorPath {
            throw GuestError(
                .adoptionFailed, "this loop has adopted the main actor already, by way of its \(mainActorPath)")
        }
        _ = try whenReadable(FileDescriptor(rawValue: _dispatch_get_main_queue_handle_4CF())) { Self.drainMainQueue() }
        // What was queued before has been announced before.
        callSoon { Self.drainMainQueue() }
        let used = path == .executor && LoopMainExecutor.install(for: self) ? MainActorPath.executor : .dispatchQueue
        mainActorPath = used
        return used
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
        // Safe: written on the main thread with `lock` held; read there without it, elsewhere with it.
        private nonisolated(unsafe) weak var loop: GuestLoop?

        private struct Factory: ExecutorFactory {
            static var mainExecutor: any MainExecutor { LoopMainExecutor.shared }
            static var defaultExecutor: any TaskExecutor { PlatformExecutorFactory.defaultExecutor }
        }

        /// Main thread. Returns whether the runtime took the executor.
        static func install(for loop: GuestLoop) -> Bool {
            if MainActor.executor !== shared { _createExecutors(factory: Factory.self) }
            guard MainActor.executor === shared else { return false }
            shared.attach(loop)
            return true
        }

        /// Main thread: the loop closes.
        static func leave() { shared.attach(nil) }

        private func attach(_ loop: GuestLoop?) {
            lock.lock()
            self.loop = loop
            lock.unlock()
        }

        func enqueue(_ job: consuming ExecutorJob) {
            let job = UnownedJob(job)
            if current?.accept(.job(job, .mainActor)) ?? false { return }
            GuestLoop.runMainActorJobWithoutLoop(job)
        }

        private var current: GuestLoop? {
            if tandem_is_main_thread() { return loop }
            lock.lock()
            defer { lock.unlock() }
            return loop
        }

        func checkIsolated() {
            precondition(tandem_is_main_thread(), "main-actor code was called off the main thread")
        }

        func isIsolatingCurrentContext() -> Bool? { tandem_is_main_thread() }

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
