// SPDX-License-Identifier: Apache-2.0
// LoopTrace: what one loop puts into its trace: the UI thread's activities and figures, the steps of both threads, posts, and scenes.
// Owner:  an observer, so the UI thread's; `StepTrace` and `PostFlow` say for themselves.

import Synchronization
import TandemCLinux

final class LoopTrace: LoopObserver {
    private let trace: Trace
    private let thread = tandem_thread_id()
    private let configuration: Configuration
    /// For each open activity, whether its beginning was taken.
    private var taken: [Bool] = []
    private var counters: [Activity: Int64] = [:]
    private var scenes = SceneTracks()

    init(_ trace: Trace, _ configuration: Configuration) {
        self.trace = trace
        self.configuration = configuration
        taken.reserveCapacity(64)
    }

    func began(_ activity: Activity, _ site: CallSite?) {
        taken.append(
            trace.begin(
                TraceEvent(time: trace.now, site: site ?? .unknown, thread: thread, phase: .begin, name: activity)))
    }

    func ended(_ activity: Activity) {
        guard taken.popLast() == true else { return }
        trace.end(TraceEvent(time: trace.now, thread: thread, phase: .end, name: activity))
    }

    func counted(_ figures: TickFigures) {
        let time = trace.now
        count(.carriedOver, figures.carriedOver, time)
        count(.timers, figures.timers, time)
        count(.descriptors, figures.descriptors, time)
        count(.reports, figures.reports, time)
        count(.budgetLeft, Int(figures.budgetLeft / 1000), time)
    }

    /// A counter keeps its figure until the next one.
    private func count(_ counter: Activity, _ figure: Int, _ time: Int64) {
        let value = Int64(figure)
        guard counters[counter] != value else { return }
        counters[counter] = value
        trace.mark(TraceEvent(time: time, value: value, thread: thread, phase: .counter, name: counter))
    }

    /// A point in time.
    func mark(_ name: Activity) {
        trace.mark(TraceEvent(time: trace.now, thread: thread, phase: .instant, name: name))
    }

    // MARK: Scenes

    func began(_ scene: GuestScene, in parent: GuestScene?) {
        let track = scenes.begin(ObjectIdentifier(scene), in: parent.map { ObjectIdentifier($0) })
        let event = TraceEvent(
            time: trace.now, value: track, site: scene.site, thread: thread, phase: .asyncBegin, name: .scene)
        if !trace.begin(event) { _ = scenes.end(ObjectIdentifier(scene)) }
    }

    func ended(_ scene: GuestScene) {
        guard let track = scenes.end(ObjectIdentifier(scene)) else { return }
        trace.end(
            TraceEvent(
                time: trace.now, value: track, site: scene.site, thread: thread, phase: .asyncEnd, name: .scene))
    }

    /// The backend has ended, too.
    func loopEnded() {
        trace.turnGoes(to: nil, on: StepTrace.turnTrack(of: thread))
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
    private let turnTrack: Int32
    // Safe: the backend thread's alone.
    private nonisolated(unsafe) var isPolling = false
    private nonisolated(unsafe) var backendThread: Int32 = 0

    init(_ trace: Trace) {
        self.trace = trace
        turnTrack = Self.turnTrack(of: uiThread)
    }

    /// The track of the turn of the loop with that UI thread.
    static func turnTrack(of uiThread: Int32) -> Int32 { TraceText.firstTurnTrack + uiThread }

    /// On the thread that takes the step.
    func note(_ step: TraceStep) {
        switch step {
        case .backendStarted: backendThread = tandem_thread_id()
        case .poll:
            trace.turnGoes(to: .turnOfBackend, on: turnTrack)
            isPolling = trace.begin(TraceEvent(time: trace.now, thread: backendThread, phase: .begin, name: .poll))
        case .turnReturned:
            endPoll()
            trace.turnGoes(to: .turnOfUIThread, on: turnTrack)
        case .backendEnded: endPoll()
        case .turnPassed: trace.turnGoes(to: .turnOfBackend, on: turnTrack)
        case .hint: mark(.hint)
        case .wake: mark(.wake)
        default: break
        }
    }

    private func endPoll() {
        if isPolling { trace.end(TraceEvent(time: trace.now, thread: backendThread, phase: .end, name: .poll)) }
        isPolling = false
    }

    private func mark(_ name: Activity) {
        let thread = tandem_thread_key() == uiKey ? uiThread : tandem_thread_id()
        trace.mark(TraceEvent(time: trace.now, thread: thread, phase: .instant, name: name))
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
        number = trace.beginFlow(on: thread)
    }

    deinit { end() }

    /// Any thread.
    func end() {
        guard let number, !hasEnded.exchange(true, ordering: .relaxed) else { return }
        trace.end(
            TraceEvent(time: trace.now, value: number, thread: tandem_thread_id(), phase: .flowEnd, name: .flow))
    }
}

extension Configuration {
    /// UI thread: a loop with this configuration begins, and is traced if it is to be. What goes wrong goes to the log: no game ends for its trace.
    mutating func beginTrace() -> LoopTrace? {
        do throws(GuestError) {
            if trace == nil { trace = try Trace.ofEnvironment?.get() }
            guard let trace else { return nil }
            try trace.attach()
            let (steps, others) = (StepTrace(trace), onStep)
            onStep = {
                steps.note($0)
                others?($0)
            }
            return LoopTrace(trace, self)
        } catch {
            logger.error("the loop is not traced: \(error)")
            trace = nil
            return nil
        }
    }
}

extension SharedState {
    /// Any thread: a post where a trace is told of it.
    @inline(never) func deliverTraced(_ body: @escaping () throws -> Void, _ site: CallSite, _ trace: Trace) -> Bool {
        let thread = tandem_thread_id()
        let isTaken = trace.begin(
            TraceEvent(time: trace.now, site: site, thread: thread, phase: .begin, name: .posting))
        defer {
            if isTaken { trace.end(TraceEvent(time: trace.now, thread: thread, phase: .end, name: .posting)) }
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
