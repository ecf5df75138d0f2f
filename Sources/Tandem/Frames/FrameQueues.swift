// SPDX-License-Identifier: Apache-2.0
// FrameQueues: for each phase of a frame, its handlers and the tasks that wait for it; and how a phase runs them.
// Idea:   a phase is a small tick of its own. It calls its handlers, resumes the tasks that wait for it, and runs them,
//         and the jobs that they enqueue, within the phase instead of in the next tick. Jobs that are enqueued during a
//         phase go into the phase's own queue.
// Owner:  the UI thread.
// Breaks: a task that waits again while its phase runs waits for the next time that the phase comes. If it were resumed
//         in the same phase, the phase might never end.

final class FrameQueues {
    // Safe: the loop owns its frame queues and empties them when it closes. The tasks that wait keep the loop alive.
    private let loop: Unmanaged<GuestLoop>
    private let thread: UIThread
    let handlers = FrameHandlers()
    // Exclusivity of these is not checked: no method below is in the middle of a change when it calls user code.
    @exclusivity(unchecked) private var waitersOfPhase = [[FrameWaiter]](
        repeating: [], count: FramePhase.allCases.count)
    /// The waiters of the phase that runs now. The array is kept for its memory.
    @exclusivity(unchecked) private var current: [FrameWaiter] = []
    /// Waiters that are free for the next wait.
    @exclusivity(unchecked) private var spare: [FrameWaiter] = []
    @exclusivity(unchecked) private var waiterCount = 0
    /// Waiters are being resumed, and their conditions are being called.
    @exclusivity(unchecked) private(set) var isResuming = false

    init(loop: GuestLoop) {
        self.loop = .passUnretained(loop)
        thread = loop.thread
    }

    /// Calls `body` with the loop, without taking a reference: the loop is also referred to weakly, and then Swift needs
    /// 170 instructions to take a reference and give it back.
    @inline(__always) func withLoop<Result>(_ body: (GuestLoop) -> Result) -> Result {
        loop._withUnsafeGuaranteedRef(body)
    }

    /// The tasks that wait, phase after phase.
    var waiters: [FrameWaiter] { waitersOfPhase.flatMap { $0 } }

    func waiter() -> FrameWaiter {
        spare.popLast() ?? FrameWaiter(queues: self, Frame(number: 0, time: withLoop { $0.now }, delta: .zero))
    }

    func recycle(_ waiter: FrameWaiter) { spare.append(waiter) }

    /// Whether the calling thread is the loop's.
    var isOnUIThread: Bool { thread.isCurrent }

    /// Tasks that wait, and handlers.
    var count: Int { waiterCount + handlers.count }

    func append(_ waiter: FrameWaiter) {
        waitersOfPhase[waiter.phase.rawValue].append(waiter)
        waiterCount += 1
    }

    /// Removes a waiter. O(n). Does nothing if the phase that runs now has removed it already.
    func remove(_ waiter: FrameWaiter) {
        guard let index = waitersOfPhase[waiter.phase.rawValue].firstIndex(where: { $0 === waiter }) else { return }
        waitersOfPhase[waiter.phase.rawValue].remove(at: index)
        waiterCount -= 1
    }

    /// Whether the phase has neither handlers nor waiters.
    func isEmpty(_ phase: FramePhase) -> Bool { waitersOfPhase[phase.rawValue].isEmpty && handlers[phase].isEmpty }

    /// Resumes the tasks that wait for `phase`, in the order in which they began to wait.
    func resume(_ phase: FramePhase, _ frame: Frame) {
        isResuming = true
        defer { isResuming = false }
        swap(&current, &waitersOfPhase[phase.rawValue])
        waiterCount -= current.count
        // Nothing else changes `current`: a condition, which is user code, cannot start another phase.
        current.withUnsafeBufferPointer { waiters in
            for waiter in waiters {
                let wait = waiter.number
                // A condition may have cancelled another task of the list, which ended that task's wait.
                if waiter.isWaiting, !waiter.resume(frame), waiter.isWaiting, waiter.number == wait { append(waiter) }
            }
        }
        current.removeAll(keepingCapacity: true)
    }

    /// Ends the waits of sequences.
    func endSequences() {
        for waiter in waiters where waiter.isOfSequence {
            remove(waiter)
            waiter.end(throwing: CancellationError())
        }
    }

    /// Ends every wait.
    func end(throwing error: any Error) {
        for phase in waitersOfPhase.indices {
            let ended = waitersOfPhase[phase]
            waitersOfPhase[phase] = []
            waiterCount -= ended.count
            for waiter in ended { waiter.end(throwing: error) }
        }
    }
}

extension GuestLoop {
    /// UI thread, for hosts that run frames as tasks wait for them: the player wants to leave. Every sequence of frames
    /// ends, and one that begins later ends at once, so that scene after scene ends until the program does. Waits for a
    /// single frame go on.
    package func endFrames() {
        members.endFrames()
        members.frameQueues?.endSequences()
    }

    /// UI thread, for hosts that can run no more frames though the loop is open: every task that waits for a frame is
    /// resumed with `CancellationError`.
    package func cancelFrameWaits() {
        members.endFrames()
        members.frameQueues?.end(throwing: CancellationError())
    }

    /// UI thread, for hosts: frames run again after ``endFrames()`` or ``cancelFrameWaits()``.
    package func beginFrames() { members.beginFrames() }

    /// UI thread: whether a task waits for a frame, or a handler runs in each. A host that draws only on demand should
    /// then run one.
    public var hasFrameWaiters: Bool {
        thread.check("GuestLoop.hasFrameWaiters")
        return members.hasFrameWaiters
    }

    /// UI thread, for hosts: runs one phase of a frame. It calls the handlers of the phase, then resumes the tasks that
    /// wait for it, in the order in which they began to wait, and runs each until it waits again.
    ///
    /// `FrameLoop` and `SDLGuest` call it. A host of your own calls it for each phase that it has, in the order of
    /// ``FramePhase``. Every resumed task runs at least once; what is left when the configuration's budget is used up
    /// runs in the next tick. A phase without handlers and waiting tasks costs a few comparisons. It must not be called
    /// from inside a tick.
    public func runPhase(_ phase: FramePhase, of frame: Frame) {
        guard let frameQueues = members.frameQueues, !frameQueues.isEmpty(phase) else { return }
        thread.check("GuestLoop.runPhase(_:of:)")
        guard admission.state == .open else { return }
        require(
            !tickState.isTicking,
            "GuestLoop.runPhase(_:of:) was called from inside a tick; phases are the host's, which runs outside of ticks"
        )
        tickState.begin()
        instruments.activities?.begin(Activity(phase))
        hosting.hooks.onWork?(true)
        executors.beginWork(of: self)
        tickState.clock.read()
        queues.beginPhase()
        runHandlers(frameQueues.handlers[phase], frame)
        frameQueues.resume(phase, frame)
        // Each resumed task once, then whatever is ready, as long as the budget allows.
        runPhaseWork(budget: 0)
        if queues.phaseCount > 0 { runPhaseWork(budget: max(1, tickState.budget)) }
        queues.endPhase()
        instruments.activities?.end(Activity(phase))
        // As at the end of a tick. The turn is not passed, because a phase does not take it.
        publishDeadline()
        if hasReadyWork { shared.requestTick(for: .ready) }
        executors.endWork()
        tickState.end()
        if tickState.closesNow { performClose() }
        hosting.hooks.onWork?(false)
    }
}
