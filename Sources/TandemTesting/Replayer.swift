// SPDX-License-Identifier: Apache-2.0
// Replayer: gives a recorded run back.
// Idea:   it is the loop's time source, and stands for the clock, the player and the budget: it says when a tick has work, what time it is
//         then, which inputs come before, and where the budget ends. What runs must be what ran: the first difference is told.
// Owner:  the UI thread, but for `now`.

import Synchronization
public import Tandem

/// Replays a run that a ``Recorder`` wrote down.
///
/// ```swift
/// let replayer = Replayer(try Recording(contentsOf: "run.tandem"))
/// let guest = try SDLGuest(configuration: Configuration(budget: .milliseconds(4), timeSource: replayer))
/// replayer.begin(on: guest.loop)
/// // … the same run: `FrameLoop` takes events, frames and ticks from the recording …
/// try replayer.finish()
/// ```
///
/// Exact is what happens on the loop: callbacks, timers, main-actor code, tasks, sleeps, input. What comes from other threads, descriptors and
/// other processes is not in a recording; a program that waits for such things in its recorded part differs, and is told so.
public final class Replayer: RunTape, @unchecked Sendable {
    // Safe to send: other threads only read `now`, which is an object of its own; everything else is the UI thread's.

    /// How a replay differed from its recording.
    public struct Divergence: Error, Sendable, CustomStringConvertible {
        /// The frame in which it did, counted from 0; -1 before the first.
        public let frame: Int
        /// The tick, counted from 0.
        public let tick: Int
        /// What the recorded run did next.
        public let expected: String
        /// What this one did.
        public let found: String

        /// Where, and what.
        public var description: String {
            "the replay differs from the recorded run in frame \(frame), tick \(tick): there \(expected), here \(found). Exact are runs of the same program, and only what happens on the loop"
        }
    }

    /// The recording.
    public let recording: Recording
    private let clock = VirtualClock()
    private var begun: ContinuousClock.Instant?
    private var position = 0
    private var frameNumber = -1
    private var tickNumber = -1
    private var names: [RecordedWork: Substring] = [:]
    private let expectedNames: [Substring]
    /// The first difference. UI thread, as everything here but ``now``.
    public private(set) var divergence: Divergence?
    private var hasEnded = false

    /// A replay at its beginning.
    public init(_ recording: Recording) {
        self.recording = recording
        expectedNames = recording.works.map { RecordedWork.withoutLine($0) }
    }

    /// UI thread: the run begins here.
    public func begin(on loop: GuestLoop) {
        require(
            loop.tape as? Replayer === self,
            "Replayer.begin(on:) needs a loop with the replayer as its configuration's timeSource")
        require(begun == nil, "Replayer.begin(on:) was called twice; a replayer replays one run")
        begun = clock.now
        loop.beginTape()
    }

    /// The recorded run has been replayed to its end, or left at a difference, or its loop has closed.
    public var isOver: Bool { begun != nil && (hasEnded || divergence != nil || position == recording.steps.count) }

    /// UI thread: the end of the replay.
    ///
    /// - Throws: ``Divergence`` if it differed, or ended before the recorded run did.
    public func finish() throws(Divergence) {
        if divergence == nil, position < recording.steps.count { differ("the run ended") }
        hasEnded = true
        if let divergence { throw divergence }
    }

    /// UI thread, for hosts without `FrameLoop`: runs a frame, with its inputs and its tick in `body`, and then what the recorded host ticked before
    /// the next one. `false`, and nothing is run, once the recorded run is over.
    public func frame(of loop: GuestLoop, _ body: () throws -> Void) rethrows -> Bool {
        guard !isOver else { return false }
        frameBegins()
        try body()
        while !isOver, hasTick ?? false { loop.tick(then: .unknown) }
        return true
    }

    // MARK: - TimeSource

    /// The last reading of the recorded run. Any thread.
    public var now: ContinuousClock.Instant { clock.now }

    /// Before the run begins: as a ``VirtualClock``. Within it time goes as recorded.
    public func advance(to instant: ContinuousClock.Instant) {
        if !isActive { clock.advance(to: instant) }
    }
}

extension Replayer {
    package var isReplay: Bool { true }
    package var isActive: Bool { begun != nil && !hasEnded }

    private var next: Recording.Step? {
        position < recording.steps.count && divergence == nil ? recording.steps[position] : nil
    }

    package var hasTick: Bool? {
        if isActive, case .tick = next { true } else { false }
    }

    package func frameBegins() {
        guard divergence == nil, position < recording.steps.count else { return }
        guard case .frame(let time) = recording.steps[position] else { return differ("a frame began") }
        position += 1
        frameNumber += 1
        clock.advance(to: begun!.advanced(by: .nanoseconds(time)))
    }

    package func frameEnds() {}

    package func tickBegins(hasWork: Bool) -> Bool {
        guard case .tick(let time) = next else {
            if next == .emptyTick { position += 1 }
            return false
        }
        position += 1
        tickNumber += 1
        clock.advance(to: begun!.advanced(by: .nanoseconds(time)))
        return true
    }

    package func runs(_ work: RecordedWork) {
        guard divergence == nil, position < recording.steps.count else { return }
        let name = names[work] ?? RecordedWork.withoutLine(work.name)
        names[work] = name
        guard case .work(let number) = recording.steps[position], expectedNames[number] == name else {
            return differ("\(work.name) ran")
        }
        position += 1
    }

    package func budgetEnds(_ isSpent: Bool, isLook: Bool) -> Bool {
        guard next == .spent(isLook: isLook) else { return false }
        position += 1
        return true
    }

    package func sleeps(_ left: Int64) -> Int64 {
        guard divergence == nil, position < recording.steps.count else { return left }
        guard case .sleep(let recorded) = recording.steps[position] else {
            differ("a Task.sleep began")
            return left
        }
        position += 1
        return recorded
    }

    package func input(_ bytes: UnsafeRawBufferPointer) {}

    /// UI thread, for hosts without `FrameLoop`: the next input, if it came before the next frame and tick.
    public func nextInput() -> [UInt8]? {
        guard isActive, case .input(let bytes) = next else { return nil }
        position += 1
        return bytes
    }

    package func loopCloses() {
        guard begun != nil, !hasEnded else { return }
        // The recorded run went on from here; this one cannot.
        if divergence == nil, position < recording.steps.count { differ("the loop closed") }
        hasEnded = true
    }

    private func differ(_ found: String) {
        let expected =
            switch next {
            case .frame: "a frame began"
            case .tick: "a tick ran"
            case .emptyTick: "a tick had nothing to do"
            case .input: "an input came"
            case .work(let number): "\(recording.works[number]) ran"
            case .sleep: "a Task.sleep began"
            case .spent: "the tick's budget ended"
            case nil: "the run ended"
            }
        divergence = Divergence(frame: frameNumber, tick: tickNumber, expected: expected, found: found)
    }
}
