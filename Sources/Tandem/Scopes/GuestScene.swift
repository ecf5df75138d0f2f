// SPDX-License-Identifier: Apache-2.0
// GuestScene: what `withScene` gives to its body: the list of what was started in the scene, and the end of the scene.
// Idea:   the body and the children are runs of the loop, so that the loop's end cancels them, and reports name them,
//         like any other run.
// Owner:  the UI thread. A cancellation on another thread sends the end there.

import Logging

/// A part of a game that ends as a whole: a title screen, a match, a level. Made by
/// ``GuestLoop/withScene(grace:fileID:line:_:)``, and of no use after that has returned.
///
/// All calls belong to the UI thread. Once the scene is ending, nothing more starts in it: callbacks and tasks are done
/// from the start, a warning is logged, and watches throw `.sceneEnded`.
public final class GuestScene: @unchecked Sendable {
    // Safe to send: every `var` is used on the UI thread only, and each call checks the thread.

    private enum Phase { case live, ending, ended }

    /// The scene that the running task belongs to.
    @TaskLocal static var enclosing: GuestScene?

    /// The loop of the scene.
    public let loop: GuestLoop
    /// The scene's own time, from zero. While it is paused, the scene's sleepers wait.
    public let clock: GameClock
    let site: CallSite
    private let grace: Duration
    private let parent: GuestScene?
    /// The scene that this one was begun in, if there was one.
    var outer: GuestScene? { parent }
    /// How many tasks have not ended.
    var taskCount: Int { tasks.count }
    private var phase = Phase.live
    /// Its place in the loop's list of scenes.
    private(set) var place = MemberList<GuestScene>.none
    /// The first error that a child did not handle.
    private(set) var error: (any Error)?
    /// What has been started and has not ended.
    private var tasks = MemberList<SceneTask> { $0.place = $1 }
    private var hasBody = false
    var callbacks = Handles<CallbackHandle> { $0.isDone }
    var watches = Handles<IOHandle> { $0.isDone }
    private var graceTimer: CallbackHandle?
    /// Of the scene's end; begins anew when an inner scene has ended.
    private var gracePeriod = CloseGrace(until: 0)
    private var onEnd: (() -> Void)?

    init(loop: GuestLoop, grace: Duration, site: CallSite) {
        self.loop = loop
        self.grace = grace
        self.site = site
        clock = GameClock(loop)
        let enclosing = GuestScene.enclosing
        parent = enclosing?.loop === loop ? enclosing : nil
        loop.members.add(self)
        loop.instruments.loopTrace?.began(self, in: parent)
    }

    /// Called by that list.
    func takePlace(_ new: Int32) { place = new }

    /// True once the scene has begun to end.
    public var isEnding: Bool {
        // A closed loop has ended its scenes, and a task that outlives it may call on any thread.
        if loop.admission.isClosed { return true }
        loop.thread.check("GuestScene.isEnding")
        return phase != .live
    }

    /// Ends the scene: nothing more starts in it, its callbacks and watches are cancelled, and its tasks too, the body
    /// among them. Returns at once; `withScene` returns when everything has ended. It may be called inside and outside
    /// the scene. Calling it again does nothing.
    public func end() {
        // A task that outlives its loop may call on any thread.
        if loop.admission.isClosed { return }
        loop.thread.check("GuestScene.end")
        guard phase == .live else { return }
        let tasks = tasks.values
        reportLeftovers(tasks.compactMap(\.run))
        phase = .ending
        callbacks.takeAll().forEach { $0.cancel() }
        watches.takeAll().forEach { $0.cancel() }
        for task in tasks.reversed() { task.run?.cancel() }
        if self.tasks.isEmpty { finishEnd() } else { startGrace() }
    }

    /// Any thread: a task that awaits the scene was cancelled.
    func endFromAnyThread() {
        // If this is refused, the loop has closed, and closing has ended every scene.
        if loop.thread.isCurrent { end() } else { loop.postInternally { self.end() } }
    }

    /// Ends the scene because a child threw an error. `false` if it is ending already.
    func fail(_ error: any Error) -> Bool {
        guard phase == .live else { return false }
        self.error = error
        end()
        return true
    }

    /// Calls `body` when everything in the scene has ended; at once if it has ended already.
    func whenEnded(_ body: @escaping () -> Void) {
        if phase == .ended { body() } else { onEnd = body }
    }

    /// Starts a run that ends with the scene.
    func start<Value: Sendable>(
        _ fileID: StaticString, _ line: UInt, _ operation: @escaping @Sendable () async throws -> Value,
        _ onDone: @escaping (Result<Value, any Error>) -> Void
    ) -> GuestRun<Value> {
        let task = SceneTask(isBody: !hasBody)
        hasBody = true
        let run = GuestScene.$enclosing.withValue(self) {
            loop.run(fileID: fileID, line: line, operation) { [self] result in
                tasks.remove(at: task.place)
                onDone(result)
                if tasks.isEmpty, phase == .ending { finishEnd() }
            }
        }
        // A loop whose backend has ended with an error has ended the run already.
        if !run.isDone {
            task.run = run
            tasks.add(task)
        }
        return run
    }

    /// A closing loop has a grace period of its own.
    private func startGrace() {
        graceTimer?.cancel()
        guard loop.admission.state == .open else { return }
        let deadline = loop.time.now.addingClamped(max(0, grace.nanosecondsRoundedUp))
        gracePeriod = CloseGrace(until: deadline)
        graceTimer = loop.arm(.call { [weak self] in self?.endGrace() }, deadline, site)
    }

    /// A machine that stopped the program for longer than the grace period does not decide whether a task ends: what is
    /// ready runs before the tasks are given up.
    private func endGrace() {
        guard loop.hasAcceptedWork, gracePeriod.takePass(at: loop.time.now) else { return giveUp() }
        graceTimer = loop.callSoon { [weak self] in self?.endGrace() }
    }

    private func giveUp() {
        // Inner scenes come first: each gives up its own runs, and ends.
        guard !loop.members.scenes.contains(where: { $0.parent === self && $0.phase == .ending }) else { return }
        for task in tasks.values {
            guard let run = task.run else { continue }
            let name = task.isBody ? "the body" : "the task started at \(run.site)"
            let sentence = "\(name) did not end within \(grace) of its scene's end and is given up"
            loop.configuration.logger.warning(
                "\(sentence); let it answer cancellation (the scene was begun at \(site))")
            loop.forget(run)
            run.abandon(GuestError(.abandoned, "\(sentence); let it answer cancellation"))
        }
    }

    private func finishEnd() {
        phase = .ended
        graceTimer?.cancel()
        loop.members.remove(self)
        loop.instruments.loopTrace?.ended(self)
        // The time that this scene has used is given back to the grace period of the outer one.
        if let parent, parent.phase == .ending { parent.startGrace() }
        let onEnd = self.onEnd
        self.onEnd = nil
        onEnd?()
    }
}

/// A run of a scene.
private final class SceneTask {
    let isBody: Bool
    /// `nil` if it had ended before it was in the scene's list.
    var run: (any AnyGuestRun)?
    var place = MemberList<SceneTask>.none

    init(isBody: Bool) { self.isBody = isBody }
}

/// A list of handles, many of which may be done. It is cleaned whenever their number has doubled, so that a scene can
/// arm and cancel for hours.
struct Handles<Handle> {
    private var handles: [Handle] = []
    private var limit = 32
    private let isDone: (Handle) -> Bool

    init(isDone: @escaping (Handle) -> Bool) { self.isDone = isDone }

    var count: Int { handles.count }
    /// Those that are not over.
    var live: [Handle] { handles.filter { !isDone($0) } }

    /// Amortised O(1).
    mutating func keep(_ handle: Handle) -> Handle {
        if handles.count >= limit {
            handles.removeAll(where: isDone)
            limit = max(32, handles.count * 2)
        }
        handles.append(handle)
        return handle
    }

    mutating func takeAll() -> [Handle] {
        defer { handles = [] }
        return handles
    }
}
