// SPDX-License-Identifier: Apache-2.0
// MainActorAdoption: the main actor's jobs run on a loop.
// Idea:   the program's main executor (see `ProgramExecutors`) hands each main-actor job to the loop, where it runs
//         under the tick's budget and statistics. The loop also drains libdispatch's main queue, for
//         `DispatchQueue.main` and for the toolchains without custom executors.
// Owner:  the main actor.

import Dispatch
import Glibc
import SystemPackage
import TandemCLinux

/// How `@MainActor` jobs reach the loop.
public enum MainActorPath: Sendable, Hashable {
    /// The loop is the program's main executor. Each job goes into its ready queue; the tick's budget and the
    /// statistics apply to each job.
    case executor
    /// Jobs go into libdispatch's main queue. A tick runs all blocks of it in one go.
    case dispatchQueue
}

extension GuestLoop {
    /// How the main actor's jobs come to this loop; `nil` unless this loop has adopted the main actor. See
    /// ``adoptMainActor(_:)``.
    public var mainActorPath: MainActorPath? {
        thread.check("GuestLoop.mainActorPath")
        return executors.adoption.path
    }

    /// Makes this loop run the main actor: `@MainActor` code, the blocks of `DispatchQueue.main`, and tasks that await
    /// them run in its ticks, and wake its idle host. The adoption ends when the loop closes.
    ///
    /// Call it on the main thread, in a synchronous `main` or an `async` one. After `dispatchMain()`, which gives the
    /// main thread to libdispatch's workers, a loop that is made on the main actor takes over its jobs, but
    /// `DispatchQueue.main` stays with the workers.
    ///
    /// - Parameter path: `.dispatchQueue` does without the custom executor, as on toolchains that have none.
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

    /// Main thread: runs the blocks of `DispatchQueue.main`, then moves the main actor's jobs that arrived through it
    /// into the loop.
    func runMainQueue() {
        Self.drainMainQueue()
        takeMainActorJobs()
    }

    /// Moves the main actor's jobs that are in `MainActorJobs` into the loop: those that were enqueued before the
    /// adoption, and, while an async main runs the loop itself, those that go through the main queue. The program's
    /// executor, which would run them, is not called then.
    private func takeMainActorJobs() {
        guard admission.state != .closed, admitsOthers else { return }
        while let job = MainActorJobs.takeNext() { _ = accept(.job(job, .mainActor(nil))) }
    }

    /// Main thread: runs what `DispatchQueue.main` has.
    static func drainMainQueue() {
        // libdispatch's callback does not empty the eventfd that announced it, and reading an empty eventfd must not
        // block. So it is read only if `poll` says that it can be.
        var poll = pollfd(fd: _dispatch_get_main_queue_handle_4CF(), events: Int16(POLLIN), revents: 0)
        var count: eventfd_t = 0
        if Glibc.poll(&poll, 1, 0) > 0 { eventfd_read(poll.fd, &count) }
        _dispatch_main_queue_callback_4CF(nil)
    }
}

extension GuestLoop {
    /// Main thread: sleeps until `DispatchQueue.main` has a block, and runs the blocks.
    static func waitForMainQueue() {
        var poll = pollfd(fd: _dispatch_get_main_queue_handle_4CF(), events: Int16(POLLIN), revents: 0)
        _ = Glibc.poll(&poll, 1, -1)
        drainMainQueue()
    }
}
