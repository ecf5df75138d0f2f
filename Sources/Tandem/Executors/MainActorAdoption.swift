// SPDX-License-Identifier: Apache-2.0
// MainActorAdoption: the main actor lives on a loop.
// Idea:   the program's main executor (see `ProgramExecutors`) hands each main-actor job to the loop, where it runs under the
//         tick's budget and statistics. The loop also drains libdispatch's main queue, for `DispatchQueue.main` and for the
//         toolchains without custom executors.
// Owner:  the main actor.

import Dispatch
import Glibc
import SystemPackage
import TandemCLinux

/// How `@MainActor` jobs reach the loop.
public enum MainActorPath: Sendable, Hashable {
    /// Straight into its ready queue, as the program's main executor; budget and statistics apply to each job.
    case executor
    /// Through libdispatch's main queue, which a tick drains as a whole.
    case dispatchQueue
}

extension GuestLoop {
    /// How the main actor's jobs come here; `nil` unless this loop adopted it. See ``adoptMainActor(_:)``.
    public var mainActorPath: MainActorPath? {
        thread.check("GuestLoop.mainActorPath")
        return executors.adoption.path
    }

    /// Makes this loop the home of the main actor: `@MainActor` code, `DispatchQueue.main` and what awaits them run in its ticks,
    /// and wake its idle host. The adoption ends when the loop closes.
    ///
    /// Call it on the main thread, in a synchronous `main` or an `async` one. Where the main thread has been given up to libdispatch's workers
    /// (`dispatchMain()`) a loop made on the main actor takes over its jobs, but `DispatchQueue.main` stays with the workers.
    ///
    /// - Parameter path: `.dispatchQueue` forgoes the custom executor, as toolchains without it do.
    /// - Returns: The path that is in use.
    /// - Throws: `.adoptionFailed` if it was done before or cannot be done here, `.closed`.
    @MainActor @discardableResult
    public func adoptMainActor(_ path: MainActorPath = .executor) throws(GuestError) -> MainActorPath {
        thread.check("GuestLoop.adoptMainActor")
        if let path = executors.adoption.path {
            throw GuestError(
                .adoptionFailed, "this loop has adopted the main actor already, by way of its \(path)")
        }
        if tandem_is_main_thread() {
            _ = try serve(FileDescriptor(rawValue: _dispatch_get_main_queue_handle_4CF())) { [unowned self] in
                runMainQueue()
            }
            executors.adoption.beginDrainingMainQueue()
        }
        if path == .executor, ProgramExecutors.install(for: self) {
            executors.adoption.adopt(by: .executor)
            takeMainActorJobs()
            return .executor
        }
        guard executors.adoption.drainsMainQueue else {
            throw GuestError(
                .adoptionFailed,
                "the main thread has been given up to libdispatch, whose main queue only the main thread may drain; adopt by way of the executor, or from a synchronous main"
            )
        }
        executors.adoption.adopt(by: .dispatchQueue)
        return .dispatchQueue
    }

    /// Main thread: runs what `DispatchQueue.main` has, and takes over the main actor's jobs that came by way of it.
    func runMainQueue() {
        Self.drainMainQueue()
        takeMainActorJobs()
    }

    /// What was enqueued before this loop adopted the main actor, or goes by way of the main queue, while an async main runs the loop itself: its
    /// executor, which runs such jobs, does not come to it.
    private func takeMainActorJobs() {
        guard admission.state != .closed, admitsOthers else { return }
        while let job = MainActorJobs.takeNext() { _ = accept(.job(job, .mainActor(nil))) }
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

extension GuestLoop {
    /// Main thread: sleeps until `DispatchQueue.main` has something, and runs it.
    static func waitForMainQueue() {
        var poll = pollfd(fd: _dispatch_get_main_queue_handle_4CF(), events: Int16(POLLIN), revents: 0)
        _ = Glibc.poll(&poll, 1, -1)
        drainMainQueue()
    }
}
