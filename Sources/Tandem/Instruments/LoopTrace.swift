// SPDX-License-Identifier: Apache-2.0
// LoopTrace: what one loop puts into its trace: the UI thread's activities and figures, the steps of both threads, posts, and scenes.
// Owner:  the UI thread; `StepTrace` and `PostFlow` say for themselves.

import Synchronization
import TandemCLinux

final class LoopTrace {
    let trace: Trace
    private let events: TraceBuffer
    let ring: ActivityRing
    private let turn: TurnTrack
    private let configuration: Configuration
    // Exclusivity is not checked: only `count` changes it, and the trace does not call that.
    @exclusivity(unchecked) private var lastFigures: TickFigures?
    private var scenes = SceneTracks()
    private var isForgotten = false

    init(_ trace: Trace, _ turn: TurnTrack, _ configuration: Configuration) {
        self.trace = trace
        events = trace.events
        ring = trace.events.makeRing()
        self.turn = turn
        self.configuration = configuration
    }

    // In a forked child the trace still knows the rings of its parent's loops, which are not told of an end.
    deinit { if isForgotten { ring.deallocate() } }

    private var thread: Int32 { ring.thread }

    // MARK: What goes into the ring, with the cycle counter's present count

    @inline(__always) private func add(
        _ kind: TraceRecord.Kind, _ activity: Activity, _ content: CallSite = .unknown, at cycles: UInt64
    ) {
        if ring.add(kind, activity, content, at: cycles) { makeRoom() }
    }

    @inline(never) private func makeRoom() {
        if ring.isHalfFull { trace.wakeWriter() }
        // The writer has not come.
        if !ring.hasRoom() {
            if events.take(ring) { trace.wakeWriter() }
            _ = ring.hasRoom()
        }
    }

    /// An activity of this thread begins that is no piece of work.
    func begin(_ activity: Activity, at cycles: UInt64) { add(.begin, activity, at: cycles) }
    func end(_ activity: Activity, at cycles: UInt64) { add(.end, activity, at: cycles) }

    /// A piece of work begins here, and not where the last record was written.
    func beginPiece(at cycles: UInt64) { add(.pieceBegins, .pass, at: cycles) }
    func ran(_ piece: Activity, _ site: CallSite, at cycles: UInt64) { add(.piece, piece, site, at: cycles) }

    /// A tick or a phase is about to end. A counter keeps its figure until the next one.
    func count(_ new: TickFigures, at cycles: UInt64) {
        func count(_ counter: Activity, _ new: Int, _ old: Int?) {
            if new != old { add(.figure, counter, CallSite(bits: UInt64(bitPattern: Int64(new))), at: cycles) }
        }
        let old = lastFigures
        count(.carriedOver, new.carriedOver, old?.carriedOver)
        count(.timers, new.timers, old?.timers)
        count(.descriptors, new.descriptors, old?.descriptors)
        count(.reports, new.reports, old?.reports)
        count(.budgetLeft, new.budgetLeft, old?.budgetLeft)
        lastFigures = new
    }

    /// A point in time.
    func mark(_ name: Activity, _ site: CallSite = .unknown) { add(.instant, name, site, at: tandem_cycles()) }

    // MARK: What goes into the trace itself

    /// The piece of work that runs is about to have another activity inside. Returns the time at which it began.
    func timePiece() -> Int64 { events.timeOfPresentPiece(ring) }

    /// A piece of work has ended that has had other activities inside.
    func ranAround(_ piece: OpenActivity, since began: Int64) {
        let event = TraceEvent(site: piece.site, thread: thread, phase: .complete, name: piece.activity)
        if events.add(event, since: began, after: ring) { trace.wakeWriter() }
    }

    // MARK: Scenes

    func began(_ scene: GuestScene, in parent: GuestScene?) {
        let track = scenes.begin(ObjectIdentifier(scene), in: parent.map { ObjectIdentifier($0) })
        let event = TraceEvent(value: track, site: scene.site, thread: thread, phase: .asyncBegin, name: .scene)
        if !events.begin(event, after: ring) { _ = scenes.end(ObjectIdentifier(scene)) }
    }

    func ended(_ scene: GuestScene) {
        guard let track = scenes.end(ObjectIdentifier(scene)) else { return }
        trace.end(
            TraceEvent(value: track, site: scene.site, thread: thread, phase: .asyncEnd, name: .scene),
            after: ring)
    }

    /// The backend has ended, too.
    func loopEnded() {
        events.turnGoes(to: nil, on: turn)
        events.forget(ring)
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
    private let uiKey = tandem_thread_key()
    // Safe: the UI thread's alone.
    private nonisolated(unsafe) let loop: LoopTrace
    private let turn: TurnTrack
    // Safe: the backend thread's alone.
    private nonisolated(unsafe) var isPolling = false
    private nonisolated(unsafe) var backendThread: Int32 = 0

    init(_ trace: Trace, _ loop: LoopTrace, _ turn: TurnTrack) {
        self.trace = trace
        self.loop = loop
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
        if tandem_thread_key() == uiKey { return loop.mark(name) }
        trace.events.mark(TraceEvent(thread: tandem_thread_id(), phase: .instant, name: name))
    }
}

/// The way of one post from its thread to its run. It ends with the run, or when the post is let go without one.
final class PostFlow: Sendable {
    private let trace: Trace
    private let number: Int64?
    private let hasEnded = Atomic<Bool>(false)

    /// `number`: of a flow whose beginning was taken.
    init(_ trace: Trace, number: Int64?) {
        self.trace = trace
        self.number = number
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
            let loop = LoopTrace(trace, turn, self)
            let (steps, others) = (StepTrace(trace, loop, turn), onStep)
            onThreadStep = {
                steps.note($0)
                others?($0)
            }
            return loop
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
        let (isTaken, number) = trace.events.beginPost(
            TraceEvent(site: site, thread: thread, phase: .begin, name: .posting))
        defer {
            if isTaken {
                trace.end(TraceEvent(thread: thread, phase: .end, name: .posting))
            }
        }
        let flow = PostFlow(trace, number: number)
        return deliver(
            .posted(
                {
                    flow.end()
                    try body()
                }, site), isPost: true)
    }
}
