// SPDX-License-Identifier: Apache-2.0
// SDLGuest: a loop that is a guest of an SDL2 program.
// Owner:  the main thread, where SDL's video and events live.

// Who imports the host has the loop's names, too.
@_exported public import Tandem
// SDL's C interface too: a game needs one import.
@_exported public import TandemCSDL

/// An event loop inside an SDL2 frame loop.
///
/// ```swift
/// let guest = try SDLGuest()
/// while running {
///     while SDL_PollEvent(&event) != 0 {
///         if guest.handle(event) { continue }
///         // … the game's own events
///     }
///     guest.tick()
///     // … update, draw
/// }
/// guest.close()
/// ```
///
/// Making it adopts the main actor: `@MainActor` code, `Task.sleep` and `DispatchQueue.main` run in ``tick(budget:)``.
///
/// A framework whose classes know nothing of actors makes it by `MainActor.assumeIsolated { try SDLGuest() }`; the calls that stand in a loop
/// (``handle(_:)``, ``tick(budget:)``, ``waitEvent(_:timeout:)``, ``run(fileID:line:_:onDone:)``, ``close()``) need no actor, and check
/// their thread instead.
@MainActor public final class SDLGuest {
    /// The loop: timers, descriptors, posts. Any thread may refer to it, and `post`; the rest of it is the main thread's.
    public nonisolated let loop: GuestLoop
    let host: SDLHost
    nonisolated let eventType: UInt32
    /// Who waits for SDL's events.
    let events = EventLine()
    /// The frame loop that is under way, the innermost one.
    private var running: RunningFrames?
    /// The distance of two frames of the frame loop that is under way.
    var runningPeriod: Duration? { running?.period }
    /// What the loop does, to be drawn over the game; see ``FrameOverlay``.
    public private(set) lazy var overlay = FrameOverlay(self)
    /// The frames of an async main that awaits some without a frame loop.
    private lazy var unaskedFrames = {
        let frames = FrameLoop(self)
        frames.stopsOnQuit = false
        // The guest keeps these frames.
        return RunningFrames(
            frames, event: { [unowned self] in drop($0) }, fixedUpdate: { _ in }, update: { _ in }, draw: { _ in })
    }()
    // Exclusivity of these is not checked, which would cost a wait as much as its sleep: each is a plain value, and no method calls the loop's user
    // code while it changes one. An event watch of the game's, which a pump may call, may find `pump` half changed; it then pumps once more.
    /// Frames of a game that has a loop of its own.
    @exclusivity(unchecked) var ownFrames = OwnFrames()
    @exclusivity(unchecked) var pump = Pump()
    let watch: PushedEventWatch
    /// What the event watch has heard of, where waits for events hear by it.
    @exclusivity(unchecked) var heard: HeardEvents?
    /// Pictures a second; for tests, which have one display.
    var displayRate: @MainActor () -> Int? = DisplayRate.current
    /// Leaves every wait to SDL, as where no connection can be had. For tests of that path.
    @exclusivity(unchecked) package var forcesSDLWait = false
    /// `SDL_QUIT`, which came while an async main awaited something else than frames.
    private var unclaimedQuit: SDL_Event?
    /// `waitEvent` was called since the last tick: the game sleeps there, and is likely to come back.
    @exclusivity(unchecked) var ticksAfterWait = false
    /// Something happened that a frame drawn on demand should show.
    @exclusivity(unchecked) var wantsFrame = false

    /// Makes a loop on the main thread and starts its backend thread. SDL's event subsystem is initialised if it is not yet.
    ///
    /// - Parameters:
    ///   - configuration: The loop's.
    ///   - mainActor: How `@MainActor` code reaches the loop.
    ///   - handlesInterrupts: Ctrl-C (SIGINT), SIGTERM and the end of the terminal (SIGHUP) become `SDL_QUIT` at once, also while the host
    ///     sleeps; a second SIGINT or SIGTERM ends the process. SDL's own handler only sets a flag that the next pump reads, and SIGHUP has none.
    ///   - fileID: The caller's file, for reports.
    ///   - line: The caller's line, for reports.
    /// - Throws: `GuestError`: `.hostFailed` if SDL refuses, `.wrongThread`, and what `GuestLoop.init` throws. Nothing is left behind.
    public init(
        configuration: Configuration = .init(), mainActor: MainActorPath = .executor, handlesInterrupts: Bool = true,
        fileID: StaticString = #fileID, line: UInt = #line
    ) throws(GuestError) {
        if SDL_WasInit(UInt32(SDL_INIT_EVENTS)) == 0, SDL_InitSubSystem(UInt32(SDL_INIT_EVENTS)) != 0 {
            throw GuestError(.hostFailed, "SDL's event subsystem did not start: \(String(cString: SDL_GetError()))")
        }
        eventType = try AsyncioMessage.type()
        host = try SDLHost(eventType: eventType)
        watch = PushedEventWatch(waker: host.waker, own: eventType)
        loop = try GuestLoop(host: host, configuration: configuration, fileID: fileID, line: line)
        do throws(GuestError) {
            try loop.adoptMainActor(mainActor)
            if handlesInterrupts { _ = try Interrupts(loop) }
            loop.closingActions.add { [watch, events] in
                MainActor.assumeIsolated {
                    watch.end()
                    events.endServed()
                }
            }
            loop.attachHost(
                tick: { [weak self] budget in self.map { Self.tickAsMain($0, budget) } },
                drive: { [weak self] in
                    guard let self else { return false }
                    drive()
                    return true
                }, awaitsEvents: { [events] in MainActor.assumeIsolated { events.count > 0 } })
        } catch {
            loop.close()
            throw error
        }
    }

    /// Offers an event to Tandem, for a loop that takes SDL's events itself. Runs no code of the game's.
    ///
    /// - Returns: `true` if the game has nothing to do with it: it was Tandem's own, a request for a tick, or a waiting task
    ///   has consumed it (see ``nextEvent(priority:consuming:fileID:line:matching:)``).
    public nonisolated func handle(_ event: SDL_Event) -> Bool {
        loop.requireUIThread("SDLGuest.handle")
        return Self.handleAsMain(self, event)
    }

    // Safe: as in `onMain`, of which each call allocates a closure.
    private nonisolated static let handleAsMain = unsafeBitCast(
        SDLGuest.handleEvent, to: (@Sendable (SDLGuest, SDL_Event) -> Bool).self)

    private static func handleEvent(_ guest: SDLGuest, _ event: SDL_Event) -> Bool {
        guard !guest.isOwn(event) else { return true }
        guest.tendEvents()
        guest.watch.saw(event)
        return guest.events.offer(event)
    }

    /// As ``handle(_:)``, for Swift bindings of SDL2 that have an event type of their own. Tasks that wait for events hear of them if
    /// ``eventSource`` is ``EventSource/eventWatch``, which is to be set once, after the guest was made.
    public nonisolated func handle(eventType: UInt32) -> Bool {
        onMain("SDLGuest.handle") { tendEvents() }
        return eventType == self.eventType
    }

    func isOwn(_ event: SDL_Event) -> Bool { event.type == eventType }

    /// Runs what is ready, within the budget; see `GuestLoop.tick`, which on a guest's loop is this.
    ///
    /// In a game with a loop of its own each call is a frame, too: the phases run after the tick, one after the other, for the tasks
    /// that wait for them. So it is in a modal loop of the game's, inside a `FrameLoop` or not. But where the game waits for its next frame's
    /// time by ``waitEvent(_:timeout:)``, ticks because of work that came before, and waits for that time again, it draws nothing in between, and
    /// such a tick is no frame.
    ///
    /// A callback or a task is inside a tick, where this runs nothing and says so; see `GuestLoop.runModal`. But an `async` main, and what its
    /// tasks call, may have a loop of its own, as a synchronous one may.
    @discardableResult
    public nonisolated func tick(budget: Duration? = nil) -> TickReport {
        loop.requireUIThread("SDLGuest.tick")
        return Self.tickAsMain(self, budget)
    }

    // Safe: as in `onMain`, of which each call allocates a closure.
    private nonisolated static let tickAsMain = unsafeBitCast(
        SDLGuest.tickWithFrame, to: (@Sendable (SDLGuest, Duration?) -> TickReport).self)

    private static func tickWithFrame(_ guest: SDLGuest, _ budget: Duration?) -> TickReport {
        let loop = guest.loop
        guard !guest.isOwnLoopInTick else { return loop.runModal { guest.tick(budget: budget) } }
        let isAfterWait = guest.ticksAfterWait
        let report = loop.tick(budget: budget, then: isAfterWait ? .wait : .unknown)
        guest.ticksAfterWait = false
        // The phases run user code, which may have a loop of its own in it.
        if !report.isNested, guest.ownFrames.isFrame(loop, isAfterWait: isAfterWait) { guest.runPhases() }
        guest.tendEvents()
        // A frame's code may wait, too.
        loop.leavesOutIdleTicks = guest.heard == nil && guest.events.isUnused && !guest.ticksAfterWait
        return report
    }

    // Apart, so that a tick that is no frame makes no room for one.
    @inline(never) private func runPhases() {
        let frame = ownFrames.next(loop)
        for phase in FramePhase.allCases { loop.runPhase(phase, of: frame) }
    }

    /// Starts an async main function on the main actor; `onDone` gets its outcome on the main thread. It is `GuestLoop.run` for main-actor code:
    /// the closure need not be `@Sendable`.
    @discardableResult
    public nonisolated func run<T: Sendable>(
        fileID: StaticString = #fileID, line: UInt = #line,
        @_implicitSelfCapture _ main: @escaping @MainActor () async throws -> T,
        @_implicitSelfCapture onDone: ((Result<T, any Error>) -> Void)? = nil
    ) -> GuestRun<T> {
        loop.run(fileID: fileID, line: line, { try await main() }, onDone: onDone)
    }

    /// Suspends until the next frame's `phase`; see `GuestLoop.nextFrame`.
    @discardableResult
    public func nextFrame(
        in phase: FramePhase = .update, fileID: StaticString = #fileID, line: UInt = #line
    ) async throws -> Frame {
        try await loop.nextFrame(in: phase, fileID: fileID, line: line)
    }

    /// Runs `body` in each frame, in `phase`; see `GuestLoop.everyFrame`.
    @discardableResult
    public func everyFrame(
        in phase: FramePhase = .update, fileID: StaticString = #fileID, line: UInt = #line,
        _ body: @escaping (Frame) throws -> Void
    ) -> FrameHandle {
        loop.everyFrame(in: phase, fileID: fileID, line: line, body)
    }

    /// The frames, each in its update phase; see `GuestLoop.frames`.
    public var frames: Frames { loop.frames }

    /// The frames, each in `phase`; see `GuestLoop.frames(in:)`.
    public func frames(in phase: FramePhase, fileID: StaticString = #fileID, line: UInt = #line) -> Frames {
        loop.frames(in: phase, fileID: fileID, line: line)
    }

    /// Suspends for `count` frames; see `GuestLoop.waitForFrames`.
    @discardableResult
    public func waitForFrames(
        _ count: Int, in phase: FramePhase = .update, fileID: StaticString = #fileID, line: UInt = #line
    ) async throws -> Frame? {
        try await loop.waitForFrames(count, in: phase, fileID: fileID, line: line)
    }

    /// Suspends until `condition` holds, looked at once a frame; see `GuestLoop.waitUntil`.
    public func waitUntil(
        in phase: FramePhase = .update, fileID: StaticString = #fileID, line: UInt = #line,
        _ condition: @escaping () -> Bool
    ) async throws {
        try await loop.waitUntil(in: phase, fileID: fileID, line: line, condition)
    }

    /// Ends the loop, as `GuestLoop.close`: cancels, drains, joins. Idempotent. SDL stays as it is.
    public nonisolated func close() { loop.close() }

    /// For calls that code which knows nothing of actors may make: they check their thread, and go on as the main actor's.
    @inline(__always)
    nonisolated func onMain<Value>(_ call: StaticString, _ body: @MainActor () -> Value) -> Value {
        loop.requireUIThread(call)
        // Safe: the loop was made by main-actor code, so that its thread is the main actor's.
        return withoutActuallyEscaping(body) { unsafeBitCast($0, to: (() -> Value).self)() }
    }
}

// MARK: - Frame loops

extension SDLGuest {
    /// Runs `frames` until they end, inside of those that are under way.
    func run(_ frames: RunningFrames) {
        let outer = running
        running = frames
        defer { running = outer }
        loop.beginFrames()
        loop.runModal { while frames.step() {} }
        frames.end()
    }

    /// Whether the main executor is there to run frames, and has none.
    var canHand: Bool { loop.isDriven && loop.isInTick && !loop.isInModalLoop && running == nil }

    /// Has the main executor run `frames`, until they end.
    func hand(_ frames: RunningFrames) async throws {
        running = frames
        loop.beginFrames()
        defer {
            if running === frames { running = nil }
            frames.end()
        }
        do {
            try await loop.wait(for: "an async main that waits for its frames to end", site: .unknown) { waiter in
                frames.onEnd = { waiter.resume() }
                return { frames.onEnd = {} }
            }
        } catch  where !Task.isCancelled && !loop.isOpen {
            // The loop's close has ended the frames.
        }
    }

    /// Called by the main executor, again and again: one frame, or one idle wait where no frames are wanted.
    private func drive() {
        if let running {
            if running.step() { return }
            // The task that waits for the end goes on in the next tick, which is the next round's.
            self.running = nil
            running.onEnd()
            return
        }
        if loop.hasFrameWaiters {
            // Frames are awaited, and nobody has made a frame loop: this is one. It ends with a run that is given back.
            if !unaskedFrames.step(), loop.isOpen { loop.cancelFrameWaits() }
            return
        }
        waitAndTick { event in
            if !events.offer(event) { drop(event) }
        }
    }

    /// An event that is nobody's. Where tasks await frames without a frame loop, nobody else sees that the player wants to leave.
    private func drop(_ event: SDL_Event) {
        event.freeString()
        guard event.type == SDL_QUIT.rawValue else { return }
        unclaimedQuit = event
        loop.endFrames()
    }

    /// That event, for a frame loop that has begun since.
    func takeUnclaimedQuit() -> SDL_Event? {
        defer { unclaimedQuit = nil }
        return unclaimedQuit
    }

    /// The player wants to leave a run that is given back.
    func quitFrames() {
        if let running { running.hasQuit = true } else { unaskedFrames.hasQuit = true }
    }

    /// Whether an async main, or what its tasks call, runs a loop of its own: its code is a job in a tick of the main executor's.
    var isOwnLoopInTick: Bool {
        loop.isInTick && loop.isDriven && withUnsafeCurrentTask { $0 != nil }
    }
}
