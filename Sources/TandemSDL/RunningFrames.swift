// SPDX-License-Identifier: Apache-2.0
// RunningFrames: a frame loop under way, one step at a time, so that a synchronous `run` and the program's main executor can both drive it.
// Owner:  the main thread.

import Tandem
import TandemCSDL

@MainActor
final class RunningFrames {
    private let owner: FrameLoop
    private let settings: FrameSettings
    private let guest: SDLGuest
    private let event: (SDL_Event) -> Void
    private let fixedUpdate: (Duration) -> Void
    private let update: (Frame) -> Void
    private let draw: (Frame) -> Void
    private var pacer: FramePacer
    /// What update and drawing needed lately.
    private var drawing = Duration.zero
    /// How many frames were run.
    private(set) var count = 0
    /// The distance of two frames.
    var period: Duration { pacer.period }
    // Exclusivity of these two is not checked: they are read after each piece of work between two frames, and are plain values.
    /// The player wants to leave.
    @exclusivity(unchecked) var hasQuit = false
    /// The task that waits for the end was cancelled.
    @exclusivity(unchecked) var isCancelled = false
    /// Told once, when the frames have ended.
    var onEnd: () -> Void = {}

    init(
        _ owner: FrameLoop, event: @escaping (SDL_Event) -> Void, fixedUpdate: @escaping (Duration) -> Void,
        update: @escaping (Frame) -> Void, draw: @escaping (Frame) -> Void
    ) {
        self.owner = owner
        guest = owner.guest
        settings = FrameSettings(owner)
        self.event = event
        self.fixedUpdate = fixedUpdate
        self.update = update
        self.draw = draw
        pacer = FramePacer(
            period: settings.period, fixedStep: settings.fixedStep, maximumSteps: settings.maximumSteps,
            maximumDelta: settings.maximumDelta)
    }

    /// Nothing but the number of frames is left to ask. `loop`: the guest's. Who asks often has it: the loop is also referred
    /// to weakly, and then Swift needs 170 instructions to take a reference and give it back.
    private func isStopped(_ loop: GuestLoop) -> Bool {
        owner.isStopRequested || hasQuit || isCancelled || !loop.isOpen
            || (loop.isTaped && loop.tape?.isOver ?? false)
    }

    private var isOver: Bool { isStopped(guest.loop) || count >= settings.frameLimit ?? .max }

    /// One frame, and the rest until the next; `false` once there is none.
    func step() -> Bool {
        guard !isOver else { return false }
        frame()
        if !isOver { rest(until: pacer.next!) }
        return !isOver
    }

    /// The frames have ended: whatever asked for that is answered, and means nothing to the next run.
    func end() { owner.answerStop() }

    private func frame() {
        let loop = guest.loop
        let start = loop.beginFrame()
        loop.observed(.events) { takeEvents() }
        let plan = pacer.begin(at: start)
        var frame = Frame(number: count, time: start, delta: plan.delta, blend: plan.blend)
        loop.runPhase(.input, of: frame)
        loop.tick(budget: pacer.budget(start: start, now: loop.hostNow, drawing: drawing), then: .frame)
        let beforeDrawing = loop.hostNow
        frame.budgetLeft = max(.zero, pacer.period - start.duration(to: beforeDrawing))
        if let step = pacer.fixedStep {
            var part = frame
            part.delta = step
            for _ in 0..<plan.steps {
                loop.runPhase(.fixedUpdate, of: part)
                loop.observed(.fixedUpdate) { fixedUpdate(step) }
            }
        }
        loop.runPhase(.update, of: frame)
        loop.observed(.update) { update(frame) }
        loop.runPhase(.lateUpdate, of: frame)
        loop.runPhase(.draw, of: frame)
        loop.observed(.draw) { draw(frame) }
        loop.endFrame()
        count += 1
        let took = beforeDrawing.duration(to: loop.hostNow)
        // The slower of what was seen lately: a budget that is too small costs less than a late frame.
        drawing = took > drawing ? took : drawing - (drawing - took) / 16
    }

    private func takeEvents() {
        if settings.stopsOnQuit, let quit = guest.takeUnclaimedQuit() { take(quit) }
        var event = SDL_Event()
        while guest.nextGameEvent(&event) { deliver(event) }
    }

    private func deliver(_ event: SDL_Event) {
        guest.wantsFrame = true
        if DisplayRate.mayChange(with: event) { pacer.period = settings.period }
        if !guest.events.offer(event) { take(event) }
    }

    /// An event that no task has consumed.
    private func take(_ event: SDL_Event) {
        self.event(event)
        if settings.stopsOnQuit, event.type == SDL_QUIT.rawValue { hasQuit = true }
    }

    /// What happened between two frames of the recorded run.
    private func replayRest(_ tape: any RunTape) {
        var event = SDL_Event()
        while true {
            if guest.nextGameEvent(&event) {
                deliver(event)
            } else if tape.hasTick ?? false {
                guest.loop.tick(then: .unknown)
            } else {
                return
            }
        }
    }

    /// Runs the loop's work until the next frame is due and, on demand, wanted.
    private func rest(until next: ContinuousClock.Instant) {
        let loop = guest.loop
        if let tape = loop.activeTape, tape.isReplay { return replayRest(tape) }
        switch settings.pace {
        case .fixed: guest.runWork(until: next) { self.isStopped(loop) }
        // The last stretch is left to the drawing: with vertical synchronisation it waits for the display, exactly.
        case .display: guest.runWork(until: next.advanced(by: .zero - pacer.period / 8)) { self.isStopped(loop) }
        case .onDemand:
            while !guest.wantsFrame, !loop.hasFrameWaiters, !isStopped(loop) {
                if !guest.waitAndTick(deliver).isEmpty { guest.wantsFrame = true }
            }
            // No more often than the display shows.
            guest.runWork(until: next) { self.isStopped(loop) }
            guest.wantsFrame = false
        }
    }
}

/// A frame loop's settings as its run began.
@MainActor
private struct FrameSettings {
    let guest: SDLGuest
    let pace: FrameLoop.Pace
    let fixedStep: Duration?
    let maximumSteps: Int
    let maximumDelta: Duration
    let stopsOnQuit: Bool
    let frameLimit: Int?

    init(_ loop: FrameLoop) {
        (guest, pace, fixedStep) = (loop.guest, loop.pace, loop.fixedStep)
        (maximumSteps, maximumDelta) = (loop.maximumSteps, loop.maximumDelta)
        (stopsOnQuit, frameLimit) = (loop.stopsOnQuit, loop.frameLimit)
    }

    /// The distance of two frames.
    var period: Duration {
        if case .fixed(let rate) = pace {
            require(rate > 0, "FrameLoop was given \(rate) frames per second; expected 1 or more")
            return .seconds(1) / rate
        }
        return .seconds(1) / (guest.displayRate() ?? 60)
    }
}
