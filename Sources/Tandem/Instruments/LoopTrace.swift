// SPDX-License-Identifier: Apache-2.0
// LoopTrace: what one loop puts into its trace: the UI thread's activities and figures, the steps of both threads, posts, and scenes.
// Owner:  the UI thread; `StepTrace` and `PostFlow` say for themselves.

import Synchronization
import TandemCLinux

final class LoopTrace {
    private let trace: Trace
    private let events: TraceBuffer
    private let pieces: PieceBuffer
    private let turn: TurnTrack
    private let configuration: Configuration
    // Exclusivity is not checked: only `count` changes it, and the trace does not call that.
    @exclusivity(unchecked) private var lastFigures: TickFigures?
    private var scenes = SceneTracks()
    private var isForgotten = false

    init(_ trace: Trace, _ turn: TurnTrack, _ configuration: Configuration) {
        self.trace = trace
        events = trace.events
        pieces = trace.events.makePieceBuffer()
        self.turn = turn
        self.configuration = configuration
    }

    // In a forked child the trace still knows the pieces of its parent's loops, which are not told of an end.
    deinit { if isForgotten { pieces.deallocate() } }

    private var thread: Int32 { pieces.thread }

    /// An activity of this thread begins that is no piece of work. `false`: it was dropped, and its end must not come.
    func begin(_ activity: Activity) -> Bool {
        pieces.interrupt()
        return events.begin(TraceEvent(thread: thread, phase: .begin, name: activity), after: pieces)
    }

    func end(_ activity: Activity) {
        pieces.interrupt()
        trace.end(TraceEvent(thread: thread, phase: .end, name: activity), after: pieces)
    }

    /// A tick or a phase is about to end.
    func count(_ figures: TickFigures) {
        pieces.interrupt()
        events.count(figures, since: lastFigures, after: pieces)
        lastFigures = figures
    }

    /// A point in time.
    func mark(_ name: Activity, _ site: CallSite = .unknown) {
        events.mark(TraceEvent(site: site, thread: thread, phase: .instant, name: name), after: pieces)
    }

    // MARK: Pieces of work

    /// A piece of work begins. Returns the processor's cycles, by which it is measured.
    @inline(__always) func beginPiece() -> UInt64 { pieces.begin() }

    /// The next piece of work, if there is one, does not follow at once.
    @inline(__always) func interrupt() { pieces.interrupt() }

    /// The piece of work that runs is about to have another activity inside. Returns the time at which it began.
    func timePiece() -> Int64 { events.timeOfPresentPiece(pieces) }

    /// A piece of work of this thread's has ended.
    @inline(__always) func ran(_ piece: OpenActivity) {
        if piece.isTimed { return ranAround(piece) }
        if pieces.end(piece.activity, piece.site, began: piece.began) { makeRoom() }
    }

    /// Other activities were inside of it.
    @inline(never) private func ranAround(_ piece: OpenActivity) {
        pieces.interrupt()
        let event = TraceEvent(site: piece.site, thread: thread, phase: .complete, name: piece.activity)
        if events.add(event, since: piece.time ?? 0, after: pieces) { trace.wakeWriter() }
    }

    @inline(never) private func makeRoom() {
        if !pieces.hasRoom(), events.take(pieces) { trace.wakeWriter() }
    }

    // MARK: Scenes

    func began(_ scene: GuestScene, in parent: GuestScene?) {
        let track = scenes.begin(ObjectIdentifier(scene), in: parent.map { ObjectIdentifier($0) })
        let event = TraceEvent(value: track, site: scene.site, thread: thread, phase: .asyncBegin, name: .scene)
        if !events.begin(event, after: pieces) { _ = scenes.end(ObjectIdentifier(scene)) }
    }

    func ended(_ scene: GuestScene) {
        guard let track = scenes.end(ObjectIdentifier(scene)) else { return }
        trace.end(
            TraceEvent(value: track, site: scene.site, thread: thread, phase: .asyncEnd, name: .scene),
            after: pieces)
    }

    /// The backend has ended, too.
    func loopEnded() {
        events.turnGoes(to: nil, on: turn)
        events.forget(pieces)
        isForgotten = true
        if let failure = trace.detach() {
            configuration.logger.error("the trace's file could not be written to its end: \(failure)")
        }
        let dropped = trace.dropped
        if dropped > 0 {
            configuration.logger.warning(
                "the trace dropped \(dropped) events, whose buffer was full; give it a larger capacity")
        }
    }
}

/// A scene inside of another one is shown on the same track, below it, unless another scene is there already, which may outlive it.
private struct SceneTracks {
    private var tracks: [Int64: [ObjectIdentifier]] = [:]
    private var trackOf: [ObjectIdentifier: Int64] = [:]
    private var last: Int64 = 0

    mutating func begin(_ scene: ObjectIdentifier, in parent: ObjectIdentifier?) -> Int64 {
        var track = parent.flatMap { trackOf[$0] }
        if let shared = track, tracks[shared]?.last != parent { track = nil }
        if track == nil { last += 1 }
        let number = track ?? last
        tracks[number, default: []].append(scene)
        trackOf[scene] = number
        return number
    }

    mutating func end(_ scene: ObjectIdentifier) -> Int64? {
        guard let track = trackOf.removeValue(forKey: scene) else { return nil }
        tracks[track]?.removeAll { $0 == scene }
        if tracks[track]?.isEmpty ?? true { tracks[track] = nil }
        return track
    }
}

/// The steps of the two threads.
final class StepTrace: Sendable {
    private let trace: Trace
    private let uiThread = tandem_thread_id()
    private let uiKey = tandem_thread_key()
    private let turn: TurnTrack
    // Safe: the backend thread's alone.
    private nonisolated(unsafe) var isPolling = false
    private nonisolated(unsafe) var backendThread: Int32 = 0

    init(_ trace: Trace, _ turn: TurnTrack) {
        self.trace = trace
        self.turn = turn
    }

    /// On the thread that takes the step.
    func note(_ step: TraceStep) {
        switch step {
        case .backendStarted: backendThread = tandem_thread_id()
        case .poll:
            trace.events.turnGoes(to: .turnOfBackend, on: turn)
            isPolling = trace.events.begin(
                TraceEvent(thread: backendThread, phase: .begin, name: .poll))
        case .turnReturned:
            endPoll()
            trace.events.turnGoes(to: .turnOfUIThread, on: turn)
        case .backendEnded: endPoll()
        case .turnPassed: trace.events.turnGoes(to: .turnOfBackend, on: turn)
        case .hint: mark(.hint)
        case .wake: mark(.wake)
        default: break
        }
    }

    private func endPoll() {
        if isPolling {
            trace.end(TraceEvent(thread: backendThread, phase: .end, name: .poll))
        }
        isPolling = false
    }

    private func mark(_ name: Activity) {
        let thread = tandem_thread_key() == uiKey ? uiThread : tandem_thread_id()
        trace.events.mark(TraceEvent(thread: thread, phase: .instant, name: name))
    }
}

/// The way of one post from its thread to its run. It ends with the run, or when the post is let go without one.
final class PostFlow: Sendable {
    private let trace: Trace
    private let number: Int64?
    private let hasEnded = Atomic<Bool>(false)

    /// The posting thread.
    init(_ trace: Trace, thread: Int32) {
        self.trace = trace
        number = trace.events.beginFlow(on: thread)
    }

    deinit { end() }

    /// Any thread.
    func end() {
        guard let number, !hasEnded.exchange(true, ordering: .relaxed) else { return }
        trace.end(
            TraceEvent(
                value: number, thread: tandem_thread_id(), phase: .flowEnd, name: .flow))
    }
}

extension Configuration {
    /// UI thread: a loop with this configuration begins, and is traced if it is to be. What goes wrong goes to the log: no game ends for its trace.
    mutating func beginTrace() -> LoopTrace? {
        do throws(GuestError) {
            if trace == nil { trace = try Trace.ofEnvironment?.get() }
            guard let trace else { return nil }
            try trace.attach()
            let turn = TurnTrack(ofLoopOn: tandem_thread_id())
            let (steps, others) = (StepTrace(trace, turn), onStep)
            onThreadStep = {
                steps.note($0)
                others?($0)
            }
            return LoopTrace(trace, turn, self)
        } catch {
            logger.error("the loop is not traced: \(error)")
            trace = nil
            return nil
        }
    }
}

extension SharedState {
    /// Any thread: a post where a trace is told of it.
    @inline(never) func deliverTraced(
        _ body: @escaping () throws -> Void, _ site: CallSite, _ trace: Trace
    ) -> Bool {
        let thread = tandem_thread_id()
        let isTaken = trace.events.begin(
            TraceEvent(site: site, thread: thread, phase: .begin, name: .posting))
        defer {
            if isTaken {
                trace.end(TraceEvent(thread: thread, phase: .end, name: .posting))
            }
        }
        let flow = PostFlow(trace, thread: thread)
        return deliver(
            .posted(
                {
                    flow.end()
                    try body()
                }, site), isPost: true)
    }
}
