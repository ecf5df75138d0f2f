// SPDX-License-Identifier: Apache-2.0
// GuestLoop: an event loop that runs inside somebody else's.
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
// Owner:  every `var` belongs to the UI thread. What other threads may touch is in `Inbox`, `Backstage` and the atomics.

import Logging
import Synchronization
import TandemCLinux

/// An asynchronous event loop that is a guest in a host's loop: it runs callbacks, timers, descriptor handlers and `async` code
/// on the thread that made it, whenever that thread calls ``tick(budget:)``, and has a second thread of its own that does
/// nothing but sleep until there is a reason to ask for a tick.
///
/// ```swift
/// let loop = try GuestLoop(host: host)
/// loop.callLater(.seconds(1)) { print("a second later, on the same thread") }
/// // … in the host's loop, at every frame or request:
/// loop.tick()
/// ```
///
/// All calls belong to the thread that made the loop (the UI thread) unless they say otherwise; from another thread they trap
/// with a message that names both. ``post(fileID:line:_:)`` is the way in from other threads.
///
/// The design is that of Trio's guest mode and Electron's integration of Node's loop: two threads that alternate.
public final class GuestLoop: @unchecked Sendable {
    // Safe to send: every `var` is touched on the UI thread only, which each call checks.

    let thread: UIThread
    let configuration: Configuration
    let time: LoopClock
    let backstage: Backstage
    let inbox = Inbox()
    let isClosed = Atomic<Bool>(false)
    let site: CallSite
    private var backend: BackendThread?

    enum State { case open, closing, closed }
    @exclusivity(unchecked) var state = State.open
    /// What broke the backend, once something has.
    var failure: GuestError?

    // What is ready, by source; each pass serves all of them.
    let readyIO = TaskQueue<ReadyDescriptor>()
    let readyTimers = TaskQueue<DueTimer>()
    let ready = TaskQueue<ReadyWork>()

    let callbacks: CallbackTable
    let timers: TimerHeap
    let registrations: RegistrationTable
    /// Those whose handlers seem to do nothing.
    var suspects = Suspects()
    /// Tasks that wait for something else than a timer or a descriptor of the loop's: the loop's end resumes them, too.
    var otherWaiters = InOrder<Waiter>()
    let runList = RunList()
    /// Those that have not ended.
    var runs: InOrder<any AnyGuestRun> {
        get { runList.runs }
        _modify { yield &runList.runs }
    }
    /// Those that have not ended.
    var scenes = InOrder<Scene>()
    /// The tasks that wait for frames, and what runs in the phase under way.
    var frameLine: FrameLine {
        if let madeFrameLine { return madeFrameLine }
        let line = FrameLine(loop: self)
        madeFrameLine = line
        return line
    }
    private(set) var madeFrameLine: FrameLine?
    let phaseWork = TaskQueue<ReadyWork>()
    var isInPhase = false
    private(set) lazy var runExecutor = RunExecutor(loop: self)
    /// How the main actor's jobs come here; `nil` unless this loop adopted it. See ``adoptMainActor(_:)``.
    public var mainActorPath: MainActorPath? {
        thread.check("GuestLoop.mainActorPath")
        return adoptionPath
    }
    var adoptionPath: MainActorPath?
    /// Whether ticks run what `DispatchQueue.main` has.
    var drainsMainQueue = false
    /// For hosts that the program's main executor can run: one frame, or one wait and tick. UI thread, outside of ticks. `false`: the host
    /// has gone.
    package var drive: (() -> Bool)?
    /// Whether the main executor runs this loop's host at the moment.
    package internal(set) var isDriven = false
    /// For hosts with events: does a task wait for one? Then a simulation gives the host frames to take them in.
    package var awaitsHostEvents: (() -> Bool)?
    /// For hosts: sequences of frames have ended, those that begin later, too. See `GuestLoop.endFrames`.
    package internal(set) var framesHaveEnded = false
    /// What else lives on the loop and ends with it, on the UI thread.
    package var closingActions = ClosingActions()

    // The tick under way; see `Tick.swift`.
    @exclusivity(unchecked) var isTicking = false
    var closesAfterTick = false
    /// How many ticks stand aside for modal loops; see `ModalLoop.swift`.
    var pausedTicks = 0
    /// How long the tick or phase under way stood aside.
    @exclusivity(unchecked) var pausedTime: Nanoseconds = 0
    /// For hosts, whose own loops cannot run inside a tick.
    package var isInTick: Bool { isTicking }
    /// Whether a tick stands aside for a modal loop.
    package var isInModalLoop: Bool { pausedTicks > 0 }
    /// Whether the UI thread has the turn, or has put it down, and then the backend may have taken it. See `OwnWait`.
    @exclusivity(unchecked) var holdsTurn = false
    /// The host sleeps in a wait of ours, or looks whether it should.
    var isWaiting = false
    /// What ends that wait.
    var listeningBell: Bell?
    /// A sleep with the turn here ended since the epoll set has something.
    var hasReadiness = false
    /// Whether ticks have to look for due timers themselves: in virtual time, and once the backend has died. Else it tells.
    @exclusivity(unchecked) var looksAtClock: Bool
    /// The time source, if it records or replays; see `RunTape`.
    package let tape: (any RunTape)?
    /// Whether the loop tells the tape what it does: from the beginning of a recorded run on.
    var isTaped = false
    /// The executor that the task of the running job prefers, if it prefers one of the loop's.
    var preferredExecutor: UnownedTaskExecutor?
    /// On whose behalf the task goes on that is being resumed at this moment, where that is known.
    var resumption: ExecutorIdentity?
    /// Keeps what its ticks would give to the program's pool of threads, sleeps included: for simulations, whose order must not depend
    /// on other threads. Works once the loop has adopted the main actor by way of the executor.
    package var takesGlobalJobs = false
    /// Told before a tick or a phase begins to run user code, and after it has: a simulation shows that code its own time meanwhile.
    package var onWork: ((_ begins: Bool) -> Void)?
    /// Calls its argument while the thread sees the machine's clocks again, whatever it saw before: for grace periods and the waits that
    /// they bound, which are the machine's also in a simulation.
    package var byMachineTime: ((() -> Void) -> Void)?
    /// Whether main-actor jobs of other threads come here, too. A simulation keeps them out, since in a test runner they are other tests; they go where
    /// they would go without a loop. Any thread.
    package var admitsOthers: Bool {
        get { !backstage.keepsOthersOut.load(ordering: .relaxed) }
        set { backstage.keepsOthersOut.store(!newValue, ordering: .relaxed) }
    }
    /// Kept jobs that sleep.
    var keptSleeps: [Int: UnownedJob] = [:]
    var nextKeptSleep = 0
    /// The last reading of the machine's clock in this tick.
    @exclusivity(unchecked) var mark: Nanoseconds = 0
    /// The cycle counter at that reading.
    @exclusivity(unchecked) var cyclesAtMark: UInt64 = 0
    /// When something was scheduled outside of a tick: the last reading for that, and the cycle counter then.
    @exclusivity(unchecked) var schedulingTime: Nanoseconds = 0
    @exclusivity(unchecked) var schedulingCycles: UInt64 = 0
    /// When due timers were looked for last.
    @exclusivity(unchecked) var lastLook = LoopClock.machine
    /// Whether ticks nap while other threads post.
    @exclusivity(unchecked) var moderation = Moderation()
    @exclusivity(unchecked) var patience = Patience()
    /// Nothing of the user's has run since the poll that found what is queued, and could have closed a descriptor.
    @exclusivity(unchecked) var isPollFresh = false
    /// What the running job may still do in one go.
    @exclusivity(unchecked) var cooperativeBudget = CooperativeBudget()
    @exclusivity(unchecked) var counters = Statistics()

    /// Makes a loop on the calling thread, which becomes its UI thread, and starts its backend thread.
    ///
    /// - Throws: `.loopAlreadyOnThread` if this thread has an open loop, `.startFailed` if the kernel refuses a descriptor or
    ///   the thread. Nothing is left behind.
    public init(
        host: any GuestHost, configuration: Configuration = .init(), fileID: StaticString = #fileID, line: UInt = #line
    ) throws(GuestError) {
        thread = UIThread()
        site = CallSite(fileID: fileID, line: line)
        self.configuration = configuration
        time = LoopClock(source: configuration.timeSource)
        looksAtClock = time.isVirtual
        tape = configuration.timeSource as? any RunTape
        callbacks = CallbackTable(thread: thread)
        timers = TimerHeap(table: callbacks)
        try OpenLoops.enter(thread, site, callbacks.number)
        do throws(GuestError) {
            backstage = try Backstage(host: host, configuration: configuration)
            registrations = RegistrationTable(poller: backstage.poller, thread: thread)
            backend = try BackendThread(backstage: backstage)
        } catch {
            OpenLoops.leave(thread, callbacks.number)
            throw error
        }
        if !configuration.admitsOthers { admitsOthers = false }
        callbacks.open(self)
        tandem_workers_take_mask_of_this_thread()
        registrations.onEnded = { [unowned self] in watchesEnded($0, $1, $2) }
        registrations.onRefused = { [unowned self] in watchWasRefused($0, $1, $2, attempt: $3) }
        registrations.onOrphan = { [unowned self] in orphanWasRemoved($0, $1) }
    }

    deinit {
        guard state != .closed else { return }
        // The parent's loop: only let go of.
        if thread.isForkedChild { return finishClosing() }
        configuration.logger.warning("the loop made at \(site) was let go without close(); it is closed now")
        if thread.isCurrent { performClose() } else { closeFromElsewhere() }
    }

    /// The time that deadlines are measured by: the machine's continuous clock, or the configured source's.
    public var now: ContinuousClock.Instant { time.instant(at: time.now) }

    /// When the nearest timer is due; `nil` without one. O(1).
    public var nextDeadline: ContinuousClock.Instant? {
        thread.check("GuestLoop.nextDeadline")
        let deadline = timers.firstDeadline
        return deadline == .never ? nil : time.instant(at: deadline)
    }

    /// Would a tick do something now? Look here before the host goes to sleep. An atomic load and a few comparisons.
    public var hasWork: Bool {
        thread.check("GuestLoop.hasWork")
        guard state == .open else { return false }
        if let known = activeTape?.hasTick { return known }
        if !backstage.announced.isEmpty || hasReadyWork || hasReadiness { return true }
        guard timers.count > 0, timers.firstDeadline <= time.live else { return false }
        // The backend will find it out, too, and a moment later. The tick that follows must not wait for that: it would find nothing to do, and
        // the host would look again.
        backstage.note(.ready)
        return true
    }

    /// Where what has no other owner is reported.
    package var logger: Logger { configuration.logger }

    /// Whether the loop takes work: it has neither closed nor begun to, nor will it at the end of the tick under way.
    package var isOpen: Bool { state == .open && !closesAfterTick }

    /// For hosts: traps unless this is the loop's thread, with the name of the host's call.
    package func requireUIThread(_ call: StaticString) { thread.check(call) }

    /// Work is left in the queues of the UI thread.
    var hasReadyWork: Bool { !ready.isEmpty || !readyTimers.isEmpty || !readyIO.isEmpty || inbox.hasLeftovers }

    /// What the loop has done so far. O(1), allocates nothing.
    public var statistics: Statistics {
        thread.check("GuestLoop.statistics")
        var statistics = counters
        statistics.timers = timers.count
        statistics.registrations = registrations.count
        let arrivals = inbox.counts
        statistics.posts = arrivals.posts
        statistics.waitsHandedOver = backstage.waitsHandedOver.load(ordering: .relaxed)
        statistics.hintsPosted = backstage.hintsPosted.load(ordering: .relaxed)
        statistics.hintsCoalesced += backstage.hintsCoalesced.load(ordering: .relaxed) + arrivals.known
        statistics.hintsDropped = backstage.hintsDropped.load(ordering: .relaxed)
        statistics.wakePipeWrites = backstage.poller.wakePipe.writes
        return statistics
    }

    /// Stops the backend thread, waits for it, closes what the kernel lent, and lets the thread have another loop.
    func finishClosing() {
        state = .closed
        isClosed.store(true, ordering: .releasing)
        inbox.close()
        if let backend = backend.take(), !thread.isForkedChild { backend.stop() }
        if adoptionPath != nil { ProgramExecutors.leave(self) }
        backstage.release()
        callbacks.close()
        OpenLoops.leave(thread, callbacks.number)
    }
}
