// SPDX-License-Identifier: Apache-2.0
// GuestLoop: an event loop that runs inside another loop.
//
//         UI thread (the game's)                         backend thread ("tandem-backend")
//   ┌───────────────────────────────┐                ┌──────────────────────────────────┐
//   │ frame: the host's events      │                │ wait for the turn                │
//   │ tick:  I/O callbacks          │   the turn     │ epoll_pwait2(nearest deadline)   │
//   │        due timers             │ ─────────────▶ │   … sleeps …                     │
//   │        posted and ready work  │                │ results into the event buffer    │
//   │        publish next deadline  │ ◀───────────── │ give the turn back               │
//   │        pass the turn          │    a hint      │ ask the host for a tick, once    │
//   │ frame: update, draw           │                └──────────────────────────────────┘
//   └───────────────────────────────┘                        ▲ wake pipe: an earlier deadline, or closing
//           ▲ post(): any thread
//
// Owner:  the UI thread. What other threads may use is in `SharedState`. The article *How a tick works* explains the
//         design.

import Logging
import Synchronization
import TandemCLinux

/// An asynchronous event loop that is a guest in a host's loop: it runs callbacks, timers, descriptor handlers and
/// `async` code on the thread that made it, whenever that thread calls ``tick(budget:)``, and has a second thread of
/// its own that does nothing but sleep until there is a reason to ask for a tick.
///
/// ```swift
/// let loop = try GuestLoop(host: host)
/// loop.callLater(.seconds(1)) { print("a second later, on the same thread") }
/// // … in the host's loop, at every frame or request:
/// loop.tick()
/// ```
///
/// All calls belong to the thread that made the loop (the UI thread) unless they say otherwise. On another thread they
/// trap, with a message that names both threads. Other threads use ``post(fileID:line:_:)``, or ``proxy``.
///
/// The design is that of Trio's guest mode and Electron's integration of Node's loop: two threads that alternate.
public final class GuestLoop: @unchecked Sendable {
    // Safe to send: the parts below are used on the UI thread only, which each call checks, except for those that say
    // otherwise.

    let configuration: Configuration
    let time: LoopClock
    /// Which calls are allowed, and whether the loop is open.
    let admission: Admission
    /// Everything that the backend thread and the posts of other threads use.
    let shared: SharedState
    /// Scenes, runs and waiting tasks.
    let members = LoopMembers()
    /// Descriptors' events.
    let io: IOSource
    private var backend: BackendThread?

    // Parts that are structs. Exclusivity is not checked at run time: none of their methods runs user code, so that no
    // access begins inside another one.
    @exclusivity(unchecked) var tickState: TickState
    @exclusivity(unchecked) var timers: TimerQueue
    @exclusivity(unchecked) var queues = ReadyQueues()
    @exclusivity(unchecked) var hosting = HostParts()
    @exclusivity(unchecked) var executors = ExecutorState()
    // The last one, because it is large.
    @exclusivity(unchecked) var instruments: Instruments

    /// Makes a loop on the calling thread, which becomes its UI thread, and starts its backend thread.
    ///
    /// - Throws: `.loopAlreadyOnThread` if this thread has an open loop, `.startFailed` if the kernel refuses a
    ///   descriptor or the thread. Nothing is left behind.
    public init(
        host: any GuestHost, configuration: Configuration = .init(), fileID: StaticString = #fileID, line: UInt = #line
    ) throws(GuestError) {
        time = LoopClock(source: configuration.keptTimeSource)
        admission = Admission(site: CallSite(fileID: fileID, line: line), logger: configuration.chosenLogger)
        let callbacks = CallbackTable(thread: admission.thread)
        timers = TimerQueue(table: callbacks, isVirtual: time.isVirtual)
        try OpenLoops.enter(admission.thread, admission.site, callbacks.number)
        var configuration = configuration
        let trace = configuration.beginTrace()
        let probe = configuration.watchdog.map { WatchdogProbe($0, logger: configuration.logger) }
        self.configuration = configuration
        tickState = TickState(budget: configuration.budget.nanosecondsRoundedUp)
        instruments = Instruments(
            tape: configuration.keptTimeSource.flatMap { $0.source as? any RunTape }, trace: trace, watchdog: probe)
        do throws(GuestError) {
            try callbacks.attach()
            shared = try SharedState(host: host, configuration: configuration, postTrace: trace?.trace)
            io = IOSource(poller: shared.poller, thread: admission.thread)
            backend = try BackendThread(shared: shared)
        } catch {
            callbacks.close()
            OpenLoops.leave(admission.thread, callbacks.number)
            instruments.activities?.endAll()
            throw error
        }
        probe?.start(shared)
        if !configuration.admitsOthers { admitsOthers = false }
        if time.isVirtual { tickState.expectUnannouncedWork() }
        callbacks.open(self)
        tandem_workers_take_mask_of_this_thread()
        io.registrations.onEnded = { [unowned self] in watchesEnded($0, $1, $2) }
        io.registrations.onRefused = { [unowned self] in watchWasRefused($0, $1, $2, attempt: $3) }
        io.registrations.onOrphan = { [unowned self] in orphanWasRemoved($0, $1) }
    }

    deinit {
        guard admission.state != .closed else { return }
        // A forked child has a copy of its parent's loop: it is only released.
        if thread.isForkedChild { return finishClosing() }
        logger.warning("the loop made at \(site) was released without close(); it is closed now")
        if thread.isCurrent { performClose() } else { closeFromElsewhere() }
    }

    /// The present time, by the clock that deadlines are measured by: the machine's continuous clock, or the configured
    /// source. Any thread.
    public var now: ContinuousClock.Instant { time.instant(at: time.now) }

    /// When the nearest timer is due; `nil` without one. O(1).
    public var nextDeadline: ContinuousClock.Instant? {
        thread.check("GuestLoop.nextDeadline")
        let deadline = timers.nearest
        return deadline == .never ? nil : time.instant(at: deadline)
    }

    /// Whether a tick would do something now. Check it before the host goes to sleep. It costs an atomic load and a few
    /// comparisons.
    public var hasWork: Bool {
        thread.check("GuestLoop.hasWork")
        return hasWork(asOf: nil)
    }

    /// The same on the UI thread. `now`: a look at ``LoopClock/live`` just before; without it, the clock is read if there
    /// are timers.
    func hasWork(asOf now: Nanoseconds?) -> Bool {
        guard admission.state == .open else { return false }
        if isTaped, let known = knownByTape { return known }
        if !shared.pending.isEmpty || hasReadyWork || shared.turn.hasReadiness { return true }
        guard timers.count > 0, timers.nearest <= (now ?? time.live) else { return false }
        // The backend will find out, too, but a moment later. The tick that follows must not depend on that: it would
        // find nothing to do, and the host would check again, and again.
        shared.note(.ready)
        return true
    }

    // Apart, so that a look without a tape saves no registers for it.
    @inline(never) private var knownByTape: Bool? { activeTape?.hasTick }

    /// What the loop has done so far. O(1), allocates nothing.
    public var statistics: Statistics {
        thread.check("GuestLoop.statistics")
        var statistics = instruments.statistics
        timers.count(into: &statistics)
        io.count(into: &statistics)
        shared.count(into: &statistics)
        return statistics
    }

    /// Stops the backend thread and waits for it, closes all descriptors, and allows the thread to make another loop.
    func finishClosing() {
        admission.close()
        tickState.expectUnannouncedWork()
        shared.inbox.close()
        if let backend = backend.take(), !thread.isForkedChild { backend.stop() }
        if executors.adoption.path != nil { ProgramExecutors.leave(self) }
        shared.release()
        callbacks.close()
        OpenLoops.leave(thread, callbacks.number)
        if !thread.isForkedChild { instruments.activities?.endAll() }
    }
}

// MARK: - Within the package

extension GuestLoop {
    var thread: UIThread { admission.thread }
    /// Where the loop was made.
    var site: CallSite { admission.site }
    /// The records of callbacks, timers and sleeps.
    var callbacks: CallbackTable { timers.table }
    /// Where the loop logs what nobody else is told.
    package var logger: Logger { configuration.logger }
    /// Actions that other parts have registered for the end of the loop. They are called on the UI thread.
    package var closingActions: ClosingActions { members.closingActions }
    /// The time source, if it records or replays; see `RunTape`.
    package var tape: (any RunTape)? { instruments.tape }

    /// Whether the loop accepts work: it is not closed and not closing, and no close waits for the end of the present
    /// tick.
    package var isOpen: Bool { admission.state == .open && !tickState.closesAfterTick }
    /// Whether a tick runs. For hosts, whose own loops cannot run inside a tick.
    package var isInTick: Bool { tickState.isTicking }
    /// Whether a tick is paused for a modal loop.
    package var isInModalLoop: Bool { tickState.pausedTicks > 0 }
    /// Whether there is work in the queues of the UI thread.
    @inline(__always) var hasReadyWork: Bool {
        !queues.isEmpty || timers.dueCount > 0 || io.count > 0 || shared.inbox.hasLeftovers
    }
    /// The same, with what other threads have put in since it was last looked at.
    var hasAcceptedWork: Bool { hasReadyWork || !shared.inbox.isEmpty }

    /// For hosts: traps unless this is the loop's thread. The message names the host's call.
    package func requireUIThread(_ call: StaticString) { thread.check(call) }

    /// Whether main-actor jobs of other threads run on this loop, too. A simulation refuses them, since in a test
    /// runner they belong to other tests. Any thread.
    package var admitsOthers: Bool {
        get { shared.admitsOthers }
        set { shared.admitsOthers = newValue }
    }
}
