// SPDX-License-Identifier: Apache-2.0
// FrameLine: the tasks that wait for a frame, in a line for each phase, and how a phase runs them.
// Idea:   a phase is a small tick of its own: it resumes who waits for it and runs what comes of that at once, in the phase, instead of
//         leaving it to the next tick. Jobs that are enqueued meanwhile stand in a queue of the phase's.
// Owner:  the UI thread.
// Breaks: a task that waits again while its phase runs waits for the next time that the phase comes; resumed in this one, it might never end.

final class FrameLine {
    // Safe: the loop owns its line and empties it when it closes; the tasks that wait keep the loop.
    unowned let loop: GuestLoop
    private var lines = [[FrameWaiter]](repeating: [], count: FramePhase.allCases.count)
    /// Those of the phase under way; kept for its memory.
    private var current: [FrameWaiter] = []
    /// Waiters that serve nobody now.
    private var spare: [FrameWaiter] = []
    private(set) var count = 0
    /// Waiters are being resumed, and their conditions asked.
    private(set) var isResuming = false

    init(loop: GuestLoop) { self.loop = loop }

    /// Those that wait, by phase.
    var waiters: [FrameWaiter] { lines.flatMap { $0 } }

    func waiter() -> FrameWaiter { spare.popLast() ?? FrameWaiter(line: self) }

    func recycle(_ waiter: FrameWaiter) { spare.append(waiter) }

    func append(_ waiter: FrameWaiter) {
        lines[waiter.phase.rawValue].append(waiter)
        count += 1
    }

    /// Takes a waiter out. O(n); harmless if the phase under way has taken it out already.
    func remove(_ waiter: FrameWaiter) {
        guard let index = lines[waiter.phase.rawValue].firstIndex(where: { $0 === waiter }) else { return }
        lines[waiter.phase.rawValue].remove(at: index)
        count -= 1
    }

    /// Resumes those that wait for `phase`, in the order in which they began to.
    func resume(_ phase: FramePhase, _ frame: Frame) {
        guard !lines[phase.rawValue].isEmpty else { return }
        isResuming = true
        defer { isResuming = false }
        swap(&current, &lines[phase.rawValue])
        count -= current.count
        for waiter in current {
            let wait = waiter.number
            // A condition is user code: it may have cancelled one of the others, which ended that one's wait.
            if waiter.isWaiting, !waiter.resume(frame), waiter.isWaiting, waiter.number == wait { append(waiter) }
        }
        current.removeAll(keepingCapacity: true)
    }

    /// Ends the waits of sequences.
    func endSequences() {
        for waiter in waiters where waiter.isOfSequence {
            remove(waiter)
            waiter.end(with: .failure(CancellationError()))
        }
    }

    /// Ends every wait.
    func end(throwing error: any Error) {
        for phase in lines.indices {
            let ended = lines[phase]
            lines[phase] = []
            count -= ended.count
            for waiter in ended { waiter.end(with: .failure(error)) }
        }
    }
}

extension GuestLoop {
    /// UI thread, for hosts that run frames as tasks wait for them: the player wants to leave. Every sequence of frames ends, those that begin later,
    /// too: scene after scene, until the program does. Waits for a single frame go on.
    package func endFrames() {
        members.endFrames()
        members.frameLine?.endSequences()
    }

    /// UI thread, for hosts that can run no frame any more, though the loop is open: whoever waits for one is resumed with `CancellationError`.
    package func callOffFrames() {
        members.endFrames()
        members.frameLine?.end(throwing: CancellationError())
    }

    /// UI thread, for hosts: frames begin anew.
    package func beginFrames() { members.beginFrames() }

    /// UI thread: does a task wait for a frame? Then a host that draws on demand should have one.
    public var hasFrameWaiters: Bool {
        thread.check("GuestLoop.hasFrameWaiters")
        return (members.frameLine?.count ?? 0) > 0
    }

    /// UI thread, for hosts: runs one phase of a frame: resumes the tasks that wait for it, in the order in which they began to wait, and
    /// runs them until they wait again.
    ///
    /// `FrameLoop` and `SDLGuest` call it; a host of your own calls it for each phase that it has, in the order of ``FramePhase``. Every
    /// resumed task is run once at least; what goes on beyond the configuration's budget is left to the next tick. Without waiting
    /// tasks it costs a comparison. Must not be called from inside a tick.
    public func run(_ phase: FramePhase, of frame: Frame) {
        guard let frameLine = members.frameLine, frameLine.count > 0 else { return }
        thread.check("GuestLoop.run(_:of:)")
        guard admission.state == .open else { return }
        precondition(
            !tickState.isTicking,
            "GuestLoop.run(_:of:) was called from inside a tick; phases are the host's, which runs outside of ticks")
        tickState.begin()
        hooks.onWork?(true)
        tickClock.read()
        queues.beginPhase()
        frameLine.resume(phase, frame)
        // Everybody once, then as long as the budget allows.
        runPhaseWork(budget: 0)
        runPhaseWork(budget: max(1, configuration.budget.nanosecondsRoundedUp))
        queues.endPhase()
        // As at the end of a tick, but for the turn, which a phase does not have.
        publishDeadline()
        if hasReadyWork { shared.requestTick(for: .ready) }
        tickState.end()
        if tickState.closesNow { performClose() }
        hooks.onWork?(false)
    }
}
