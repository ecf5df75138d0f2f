// SPDX-License-Identifier: Apache-2.0
// FrameLoop: the ready-made frame loop for programs that have none.
//
// One frame:
//   1. SDL's events (Tandem's own are taken out)
//   2. a tick, with what is left of the frame as its budget
//   3. the fixed steps that are due, then the variable update
//   4. drawing
//   5. until the next frame: the loop's work, as it comes
//
// Owner: the main thread.

public import CSDL2
import Tandem

/// What a frame knows of itself.
public struct Frame: Sendable, Hashable {
    /// Counted from 0.
    public let number: Int
    /// When the frame began.
    public let time: ContinuousClock.Instant
    /// The time since the last frame began, bounded by ``FrameLoop/maximumDelta``.
    public let delta: Duration
    /// How far the frame is into the next fixed step, 0…1: what drawing may interpolate by. 0 without fixed steps.
    public let blend: Double
    /// What the frame has left before it is late, measured after the tick.
    public let budgetLeft: Duration
}

/// A frame loop with the guest inside: events, tick, update, draw, pacing.
///
/// ```swift
/// FrameLoop(guest, pace: .display).run(
///     event: { event in … },
///     update: { frame in … },
///     draw: { frame in …; SDL_RenderPresent(renderer) })
/// ```
@MainActor public struct FrameLoop {
    /// When frames are drawn.
    public enum Pace: Sendable, Hashable {
        /// At the display's rate. With vertical synchronisation the last moments are left to the drawing that waits for it.
        case display
        /// So many times a second.
        case fixed(framesPerSecond: Int)
        /// When something happened: an event of the game, work of the loop, or ``FrameLoop/requestFrame()``; and no more often than the
        /// display shows. Idle costs nothing.
        case onDemand
    }

    /// The guest that ticks in each frame.
    public let guest: SDLGuest
    /// When frames are drawn.
    public var pace: Pace
    /// The length of a fixed step; `nil`: no fixed updates.
    public var fixedStep: Duration?
    /// How many fixed steps a frame may catch up with; what a longer stall lost is lost.
    public var maximumSteps = 5
    /// The longest delta that an update is told of.
    public var maximumDelta: Duration = .milliseconds(100)
    /// Whether `SDL_QUIT` ends the loop after its `event` call.
    public var stopsOnQuit = true
    /// Ends the loop after so many frames.
    public var frameLimit: Int?

    /// A loop around `guest`, at rest.
    public init(_ guest: SDLGuest, pace: Pace = .display, fixedStep: Duration? = nil) {
        self.guest = guest
        self.pace = pace
        self.fixedStep = fixedStep
    }

    /// Ends ``run(event:fixedUpdate:update:draw:)`` after the present frame. From callbacks, tasks and updates.
    public func stop() { guest.stopsFrames = true }

    /// Asks for a frame when drawing on demand.
    public func requestFrame() {
        guest.wantsFrame = true
        // Wakes an idle wait; within a frame it is one more look.
        guest.loop.callSoon {}
    }

    /// Runs frames until ``stop()``, a quit event or the frame limit. Must not be called from inside a tick.
    ///
    /// - Parameters:
    ///   - event: Each of the game's events.
    ///   - fixedUpdate: Each fixed step, with its length.
    ///   - update: Once a frame, after the fixed steps.
    ///   - draw: Once a frame; presents it.
    /// - Returns: How many frames were run.
    @discardableResult
    public func run(
        event: (SDL_Event) -> Void = { _ in },
        fixedUpdate: (Duration) -> Void = { _ in },
        update: (Frame) -> Void = { _ in },
        draw: (Frame) -> Void = { _ in }
    ) -> Int {
        precondition(
            !guest.loop.isInTick,
            "FrameLoop.run was called from inside a tick, where no tick can run; start it from main or from a frame")
        let period = periodOfDisplay()
        var pacer = FramePacer(
            period: period, fixedStep: fixedStep, maximumSteps: maximumSteps, maximumDelta: maximumDelta)
        var drawing = Duration.zero
        var number = 0
        guest.stopsFrames = false
        while !guest.stopsFrames, number < frameLimit ?? .max {
            takeEvents(event)
            let start = guest.loop.now
            let plan = pacer.begin(at: start)
            guest.tick(budget: pacer.budget(start: start, now: guest.loop.now, drawing: drawing))
            let beforeDrawing = guest.loop.now
            for _ in 0..<plan.steps { fixedUpdate(pacer.fixedStep!) }
            let frame = Frame(
                number: number, time: start, delta: plan.delta, blend: plan.blend,
                budgetLeft: max(.zero, period - start.duration(to: beforeDrawing)))
            update(frame)
            draw(frame)
            number += 1
            let took = beforeDrawing.duration(to: guest.loop.now)
            // The slower of what was seen lately: a budget that is too small costs less than a late frame.
            drawing = took > drawing ? took : drawing - (drawing - took) / 16
            if guest.stopsFrames || number >= frameLimit ?? .max { break }
            rest(until: pacer.next!, event)
        }
        return number
    }

    private func takeEvents(_ handler: (SDL_Event) -> Void) {
        var event = SDL_Event()
        while SDL_PollEvent(&event) != 0 {
            deliver(event, handler)
        }
    }

    private func deliver(_ event: SDL_Event, _ handler: (SDL_Event) -> Void) {
        if guest.handle(event) { return }
        guest.wantsFrame = true
        handler(event)
        if stopsOnQuit, event.type == SDL_QUIT.rawValue { stop() }
    }

    /// Runs the loop's work until the next frame is due and, on demand, wanted.
    private func rest(until next: ContinuousClock.Instant, _ handler: (SDL_Event) -> Void) {
        switch pace {
        case .fixed: guest.runWork(until: next)
        // The last stretch is left to the drawing: with vertical synchronisation it waits for the display, exactly.
        case .display: guest.runWork(until: next.advanced(by: .zero - periodOfDisplay() / 8))
        case .onDemand:
            var event = SDL_Event()
            while !guest.wantsFrame, !guest.stopsFrames {
                if guest.waitEvent(&event) { deliver(event, handler) }
                if !guest.tick().isEmpty { guest.wantsFrame = true }
            }
            // No more often than the display shows.
            guest.runWork(until: next)
            guest.wantsFrame = false
        }
    }

    private func periodOfDisplay() -> Duration {
        if case .fixed(let rate) = pace {
            precondition(rate > 0, "FrameLoop was given \(rate) frames per second; expected 1 or more")
            return .seconds(1) / rate
        }
        var mode = SDL_DisplayMode()
        let isKnown =
            SDL_WasInit(UInt32(SDL_INIT_VIDEO)) != 0 && SDL_GetCurrentDisplayMode(0, &mode) == 0
            && mode.refresh_rate > 0
        return .seconds(1) / (isKnown ? Int(mode.refresh_rate) : 60)
    }
}
