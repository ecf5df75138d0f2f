// SPDX-License-Identifier: Apache-2.0
// ActivityLog: what the UI thread does at the moment, one thing inside of another, and who is told of it.
// Idea:   ticks and frames say what begins and ends where they know it; what they leave out (a callback's end when it never began, a pass's when the
//         next one begins) is found here. So the trace and the watchdog see pairs, the inner inside of the outer, modal loops included.
//         A piece of work has a place of its own beside the others: nearly always nothing else begins inside of it.
//         A Swift job does not say where it comes from. It is the place of whoever resumed it, or started it, that tells most.
// Owner:  the UI thread. A loop that nobody observes has none.

import TandemCLinux

final class ActivityLog {
    private let trace: LoopTrace?
    private let watchdog: WatchdogProbe?
    /// Where pieces of work go if nobody but the trace is told of them.
    private let onlyRing: ActivityRing?
    // Exclusivity of these is not checked: no method tells the trace or the watchdog, or runs a body, while it changes one.
    /// What contains other activities, the innermost last.
    @exclusivity(unchecked) private var open: [OpenActivity] = []
    /// The piece of work that runs inside of them, as long as it contains nothing; and its place.
    @exclusivity(unchecked) private var piece: Activity?
    @exclusivity(unchecked) private var pieceSite = CallSite.unknown
    /// When the pieces of work that are in `open` began, by the trace's time.
    @exclusivity(unchecked) private var piecesBegan: [Int64] = []
    /// A piece of work that begins now does not follow at once upon what the trace was told last.
    @exclusivity(unchecked) private var isInterrupted = true {
        didSet { isSimple = !isInterrupted && onlyRing != nil }
    }
    /// It does, nobody but the trace is told of it, and no piece runs.
    @exclusivity(unchecked) private var isSimple = false
    @exclusivity(unchecked) private var hasEnded = false
    /// Where the task that is being resumed had waited.
    @exclusivity(unchecked) private var resumption: CallSite?
    /// Where the jobs come from that stand in line.
    @exclusivity(unchecked) private var origins: [UInt: CallSite] = [:]
    @exclusivity(unchecked) private var nextOrigin: CallSite?
    /// Jobs that run elsewhere after all leave their entries.
    private static let mostOrigins = 4096

    /// `nil`: there is nobody to tell.
    init?(_ trace: LoopTrace?, _ watchdog: WatchdogProbe?) {
        guard trace != nil || watchdog != nil else { return nil }
        self.trace = trace
        self.watchdog = watchdog
        onlyRing = watchdog == nil ? trace?.ring : nil
    }

    private var innermost: OpenActivity? {
        piece.map { OpenActivity(activity: $0, site: pieceSite) } ?? open.last
    }

    func begin(_ activity: Activity) {
        guard !hasEnded else { return }
        if piece != nil { suspendPiece() }
        trace?.begin(activity, at: tandem_cycles())
        // A first piece of work inside of it begins with it.
        isInterrupted = false
        open.append(OpenActivity(activity: activity, site: .unknown))
        watchdog?.present(open.last)
    }

    /// The piece of work that runs is about to contain something.
    @inline(never) private func suspendPiece() {
        guard let outer = innermost else { return }
        piecesBegan.append(trace?.timePiece() ?? 0)
        open.append(outer)
        piece = nil
    }

    /// Ends it, and what is open inside of it. Nothing if it is not open.
    func end(_ activity: Activity) {
        guard open.contains(where: { $0.activity == activity }) else { return }
        let cycles = tandem_cycles()
        endPiece(at: cycles)
        while endInnermost(at: cycles) != activity {}
    }

    /// `nil`: nothing is open.
    @discardableResult private func endInnermost(at cycles: UInt64) -> Activity? {
        guard let last = open.popLast() else { return nil }
        if last.activity.isPiece {
            trace?.ranAround(last, since: piecesBegan.removeLast())
        } else {
            trace?.end(last.activity, at: cycles)
        }
        isInterrupted = true
        watchdog?.present(open.last)
        return last.activity
    }

    // MARK: Ticks

    func beginPass() {
        endPass(at: tandem_cycles())
        begin(.pass)
    }

    /// Apart from what is not simple, so that the usual way calls nothing and saves no registers.
    @inline(never) func beginPiece(_ activity: Activity, _ site: CallSite) {
        guard isSimple, activity != .job else { return beginPieceWithCare(activity, site) }
        (piece, pieceSite, isSimple) = (activity, site, false)
    }

    @inline(never) private func beginPieceWithCare(_ activity: Activity, _ site: CallSite) {
        guard !hasEnded else { return }
        endPiece(at: tandem_cycles())
        if isInterrupted { trace?.beginPiece(at: tandem_cycles()) }
        isInterrupted = false
        (piece, pieceSite, isSimple) = (activity, activity == .job ? takeOrigin() : site, false)
        watchdog?.present(innermost)
    }

    /// A piece of work is over, if that is simple. `false`: it is not, and ``endPiece(at:)`` has to follow.
    @inline(__always) func endPieceIfSimple(at cycles: UInt64) -> Bool {
        guard let ring = onlyRing, let present = piece, !ring.isAtLimit else { return false }
        _ = ring.add(.piece, present, pieceSite, at: cycles)
        (piece, isSimple) = (nil, true)
        return true
    }

    /// A piece of work is over, if there was one: what was cancelled has not begun.
    @inline(never) func endPiece(at cycles: UInt64) {
        if let present = piece {
            piece = nil
            trace?.ran(present, pieceSite, at: cycles)
            isInterrupted = false
            watchdog?.present(open.last)
        } else if open.last?.activity.isPiece ?? false {
            endInnermost(at: cycles)
        }
    }

    private func endPass(at cycles: UInt64) {
        endPiece(at: cycles)
        if open.last?.activity == .pass { endInnermost(at: cycles) }
        isInterrupted = true
    }

    /// A tick has run its work; or a phase, which says its end by itself.
    func endTick(_ figures: TickFigures) {
        guard !hasEnded else { return }
        let cycles = tandem_cycles()
        endPass(at: cycles)
        trace?.count(figures, at: cycles)
        if open.last?.activity == .tick { endInnermost(at: cycles) }
    }

    /// The loop has closed.
    func endAll() {
        guard !hasEnded else { return }
        let cycles = tandem_cycles()
        endPiece(at: cycles)
        while endInnermost(at: cycles) != nil {}
        isInterrupted = true
        hasEnded = true
        trace?.loopEnded()
        watchdog?.loopEnded()
    }

    // MARK: Where jobs come from

    /// What `body` resumes or starts comes from `site`.
    func attributing<Value>(to site: CallSite?, _ body: () -> Value) -> Value {
        let outer = resumption
        resumption = site
        defer { resumption = outer }
        return body()
    }

    func noteEnqueued(_ work: borrowing Work) {
        guard origins.count < Self.mostOrigins, let site = resumption ?? innermost?.site.known else { return }
        switch work {
        case .job(let job, _): origins[Self.key(job)] = site
        default: break
        }
    }

    func willRun(_ job: UnownedJob) { nextOrigin = origins.removeValue(forKey: Self.key(job)) }

    /// The place of the job that begins.
    @inline(never) private func takeOrigin() -> CallSite {
        defer { nextOrigin = nil }
        return nextOrigin ?? .unknown
    }

    // Safe: the type is a frozen struct around one pointer.
    private static func key(_ job: UnownedJob) -> UInt { unsafeBitCast(job, to: UInt.self) }
}

// MARK: - What the loop and its hosts say

extension GuestLoop {
    /// For hosts: `body` is a part of the frame, which a trace shows and a watchdog watches.
    @inline(__always) package func observed<Value>(_ activity: Activity, _ body: () throws -> Value)
        rethrows -> Value
    {
        guard let activities = instruments.activities else { return try body() }
        activities.begin(activity)
        defer { activities.end(activity) }
        return try body()
    }

    /// UI thread: what `body` resumes had waited at `site`.
    @inline(__always) func attributing<Value>(to site: CallSite?, _ body: () -> Value) -> Value {
        guard let activities = instruments.activities else { return body() }
        return activities.attributing(to: site, body)
    }

    /// What a tick or a phase has to tell at its end.
    @inline(never) func observeEnd(of tick: TickBudget) {
        instruments.endTick(
            TickFigures(
                carriedOver: tick.report.carriedOver, timers: timers.count,
                descriptors: io.registrations.count,
                reports: tick.report.ioEvents, budgetLeft: Int(tick.timeLeft / 1000)))
    }

    /// After a piece of work, where somebody is told: the counter is read once for both, the piece's end and the age of the clock.
    @inline(never) func noteRun(_ tick: inout TickBudget, wasSpent: Bool) {
        let cycles = tandem_cycles()
        let hasEnded = instruments.endPieceIfSimple(at: cycles)
        if !hasEnded || instruments.isTaped || tickState.clock.isOlder(than: tick.cyclesUntilLook, at: cycles) {
            noteRunWithCare(&tick, wasSpent: wasSpent, hasEnded, cycles)
        }
    }

    @inline(never) private func noteRunWithCare(
        _ tick: inout TickBudget, wasSpent: Bool, _ hasEnded: Bool, _ cycles: UInt64
    ) {
        if !hasEnded { instruments.endPiece(at: cycles) }
        if tickState.clock.isOlder(than: tick.cyclesUntilLook, at: cycles) { noteTime(&tick) }
        if instruments.isTaped { noteEnd(&tick, wasSpent: wasSpent, isLook: false) }
    }
}
