// SPDX-License-Identifier: Apache-2.0
// LoopMembers: what lives on a loop and ends with it: scenes, waiting tasks, lines of frames, and what others have registered for its end.
// Owner:  the UI thread.

final class LoopMembers {
    let closingActions = ClosingActions()
    /// The runs that have not ended.
    let runs = RunList()
    private var liveScenes = InOrder<Scene>()
    private var waiting = InOrder<Waiter>()
    /// The tasks that wait for frames; made by the first of them.
    private(set) var frameLine: FrameLine?
    /// Sequences of frames have ended, those that begin later, too. See `GuestLoop.endFrames`.
    private(set) var framesHaveEnded = false

    // MARK: Scenes

    /// Those that have not ended, the oldest first.
    var scenes: [Scene] { liveScenes.values }
    func add(_ scene: Scene) { liveScenes[ObjectIdentifier(scene)] = scene }
    func remove(_ scene: Scene) { liveScenes[ObjectIdentifier(scene)] = nil }

    // MARK: Tasks that wait for something else than a timer or a descriptor of the loop's: the loop's end resumes them, too

    var waiters: [Waiter] { waiting.values }
    func add(_ waiter: Waiter) { waiting[ObjectIdentifier(waiter)] = waiter }
    func remove(_ waiter: Waiter) { waiting[ObjectIdentifier(waiter)] = nil }

    func removeWaiters() { waiting.removeAll() }

    // MARK: Frames

    func frameLine(of loop: GuestLoop) -> FrameLine {
        if let frameLine { return frameLine }
        let line = FrameLine(loop: loop)
        frameLine = line
        return line
    }

    func endFrames() { framesHaveEnded = true }
    func beginFrames() { framesHaveEnded = false }
}

/// The runs of a loop that have not ended. An object of its own: a run ends in its loop's `deinit`, too.
final class RunList: @unchecked Sendable {
    // Safe to send: UI thread only, or when the loop has gone from there.
    private var runs = InOrder<any AnyGuestRun>()

    var isEmpty: Bool { runs.isEmpty }
    /// The oldest first.
    var values: [any AnyGuestRun] { runs.values }
    func add(_ run: some AnyGuestRun) { runs[ObjectIdentifier(run)] = run }
    func remove(_ run: any AnyGuestRun) { runs[ObjectIdentifier(run)] = nil }

    func takeAll() -> [any AnyGuestRun] {
        defer { runs.removeAll() }
        return runs.values
    }
}
