// SPDX-License-Identifier: Apache-2.0
// LoopMembers: what ends with a loop: scenes, runs, waiting tasks, tasks that wait for frames, and actions that others
//              have registered.
// Owner:  the UI thread.

final class LoopMembers {
    let closingActions = ClosingActions()
    /// The runs that have not ended.
    let runs = RunList()
    private var liveScenes = MemberList<GuestScene> { $0.takePlace($1) }
    private var waiting = MemberList<Waiter> { $0.takePlace($1) }
    // Exclusivity of these two is not checked: only the methods below change them, and call nothing meanwhile.
    /// The handlers of frames, and the tasks that wait for frames. Made by the first of them.
    @exclusivity(unchecked) private(set) var frameQueues: FrameQueues?
    /// Sequences of frames have ended, and new ones end at once. See `GuestLoop.endFrames`.
    @exclusivity(unchecked) private(set) var framesHaveEnded = false

    // MARK: Scenes

    /// The scenes that have not ended, the oldest first.
    var scenes: [GuestScene] { liveScenes.values }
    func add(_ scene: GuestScene) { liveScenes.add(scene) }
    func remove(_ scene: GuestScene) { liveScenes.remove(at: scene.place) }

    // MARK: Tasks that wait for neither a timer nor a descriptor of the loop, and that its end has to resume, too

    var waiters: [Waiter] { waiting.values }
    func add(_ waiter: Waiter) { waiting.add(waiter) }
    func remove(_ waiter: Waiter) { waiting.remove(at: waiter.place) }

    func removeWaiters() { _ = waiting.takeAll() }

    // MARK: Frames

    /// A task waits for a frame, or a handler runs in each.
    var hasFrameWaiters: Bool { (frameQueues?.count ?? 0) > 0 }

    func frameQueues(of loop: GuestLoop) -> FrameQueues {
        if let frameQueues { return frameQueues }
        let new = FrameQueues(loop: loop)
        frameQueues = new
        return new
    }

    func endFrames() { framesHaveEnded = true }
    func beginFrames() { framesHaveEnded = false }
}

/// The runs of a loop that have not ended. A separate object, because a run may end while its loop is being
/// deinitialised.
final class RunList: @unchecked Sendable {
    // Safe to send: used on the UI thread only, or in the loop's `deinit`, when no other code can use it.
    private var runs = MemberList<any AnyGuestRun> { $0.takePlace($1) }

    var isEmpty: Bool { runs.isEmpty }
    /// The oldest first.
    var values: [any AnyGuestRun] { runs.values }
    func add(_ run: some AnyGuestRun) { runs.add(run) }
    func remove(_ run: any AnyGuestRun) { runs.remove(at: run.place) }
    func takeAll() -> [any AnyGuestRun] { runs.takeAll() }
}
