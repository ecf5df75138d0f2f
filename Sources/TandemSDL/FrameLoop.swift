// SPDX-License-Identifier: Apache-2.0
// FrameLoop: the ready-made frame loop for programs that have none.
//
// One frame:
//   1. SDL's events (Tandem's own are taken out), then the input phase
//   2. a tick, with what is left of the frame as its budget
//   3. the fixed steps that are due, then the update and late-update phases
//   4. the draw phase, and the drawing
//   5. until the next frame: the loop's work, as it comes
// In each phase the tasks that wait for it go first, then the closure of its name.
//
// Owner: the main thread.

import Tandem
public import TandemCSDL

/// A frame loop with the guest inside: events, tick, update, draw, pacing.
///
/// ```swift
/// FrameLoop(guest, pace: .display).run(
///     event: { event in … },
///     update: { frame in … },
///     draw: { frame in …; SDL_RenderPresent(renderer) })
/// ```
///
/// A run takes the settings that stand here when it begins.
@MainActor public final class FrameLoop {
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
    /// Whether `SDL_QUIT` ends the loop after its `event` call. One that a task has consumed does not.
    public var stopsOnQuit = true
    /// Ends the loop after so many frames.
    public var frameLimit: Int?
    /// What ``stop()`` has asked for, until a run has answered it.
    @exclusivity(unchecked) private(set) var isStopRequested = false

    /// A loop around `guest`, at rest.
    public init(_ guest: SDLGuest, pace: Pace = .display, fixedStep: Duration? = nil) {
        self.guest = guest
        self.pace = pace
        self.fixedStep = fixedStep
    }

    /// Ends this loop's `run` after the present frame, or the next one as it begins. From callbacks, tasks and updates. A loop that runs inside of it
    /// ends by a `stop()` of its own.
    public func stop() { isStopRequested = true }

    /// A run has ended: whatever asked for that is answered, and means nothing to the next one.
    func answerStop() { isStopRequested = false }

    /// Asks for a frame when drawing on demand.
    public func requestFrame() {
        guest.wantsFrame = true
        // Wakes an idle wait; within a frame it is one more look.
        guest.loop.callSoon {}
    }

    /// Runs frames until ``stop()``, a quit event, the frame limit, or the loop's close. Each of them may have come before: then there is no frame.
    ///
    /// Also inside another frame loop, a callback or a task: as a modal loop, with frames for everybody who waits for some, after which the outer
    /// code goes on; see `GuestLoop.runModal`.
    ///
    /// - Parameters:
    ///   - event: Each of the game's events, but for those that a task has consumed. The string of a dropped file is the closure's to free, by
    ///     `SDL_free`; without a closure the frame loop frees it.
    ///   - fixedUpdate: Each fixed step, with its length.
    ///   - update: Once a frame, after the fixed steps.
    ///   - draw: Once a frame; presents it.
    /// - Returns: How many frames were run.
    @discardableResult
    public func run(
        event: ((SDL_Event) -> Void)? = nil,
        fixedUpdate: @escaping (Duration) -> Void = { _ in },
        update: @escaping (Frame) -> Void = { _ in },
        draw: @escaping (Frame) -> Void = { _ in }
    ) -> Int {
        let frames = RunningFrames(
            self, event: event ?? { $0.freeString() }, fixedUpdate: fixedUpdate, update: update, draw: draw)
        guest.run(frames)
        return frames.count
    }

    /// In async code: as the synchronous one. An `async` main hands the frames to the program's main executor and suspends until they end; any
    /// other task runs them as a modal loop. At top level Swift takes the synchronous one, which does the same.
    ///
    /// - Throws: `CancellationError` if the task is cancelled, which ends the frames.
    @discardableResult
    public func run(
        event: ((SDL_Event) -> Void)? = nil,
        fixedUpdate: @escaping (Duration) -> Void = { _ in },
        update: @escaping (Frame) -> Void = { _ in },
        draw: @escaping (Frame) -> Void = { _ in }
    ) async throws -> Int {
        let frames = RunningFrames(
            self, event: event ?? { $0.freeString() }, fixedUpdate: fixedUpdate, update: update, draw: draw)
        try Task.checkCancellation()
        if guest.canHand {
            try await guest.hand(frames)
        } else {
            let loop = guest.loop
            await withTaskCancellationHandler {
                guest.run(frames)
            } onCancel: {
                // A refusal means that the loop has closed, which ends the frames as well.
                try? loop.post { MainActor.assumeIsolated { frames.isCancelled = true } }
            }
            try Task.checkCancellation()
        }
        return frames.count
    }
}
