// SPDX-License-Identifier: Apache-2.0
// ActivityLog: what the UI thread does at the moment, one thing inside of another, and who is told of it.
// Idea:   ticks and frames say what begins and ends where they know it; what they leave out (a callback's end when it never began, a pass's when the
//         next one begins) is found here. So the trace and the watchdog see pairs, the inner inside of the outer, modal loops included.
//         Of a piece of work that follows another one the beginning is the other's end: one reading of the counter less for each.
//         A Swift job does not say where it comes from. It is the place of whoever resumed it, or started it, that tells most.
// Owner:  the UI thread. A loop that nobody observes has none.

final class ActivityLog {
    private let trace: LoopTrace?
    private let watchdog: WatchdogProbe?
    // Exclusivity of these is not checked: no method tells the trace or the watchdog, or runs a body, while it changes one.
    @exclusivity(unchecked) private var open = ActivityStack()
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
    }

    func begin(_ activity: Activity) {
        guard !hasEnded else { return }
        guard let trace else { return push(OpenActivity(activity, .unknown)) }
        if let last = open.last, last.activity.isPiece, !last.isTimed { open.setTimeOfLast(trace.timePiece()) }
        push(OpenActivity(activity, .unknown, isTraced: trace.begin(activity)))
    }

    @inline(__always) private func push(_ present: OpenActivity) {
        open.push(present)
        watchdog?.present(present)
    }

    /// Ends it, and what is open inside of it. Nothing if it is not open.
    func end(_ activity: Activity) {
        if open.contains(activity) {
            while endInnermost() != activity {}
            trace?.interrupt()
        }
    }

    /// `nil`: nothing is open.
    @inline(never) @discardableResult private func endInnermost() -> Activity? {
        guard let last = open.pop() else { return nil }
        if last.activity.isPiece {
            trace?.ran(last)
        } else if last.isTraced {
            trace?.end(last.activity)
        }
        watchdog?.present(open.last)
        return last.activity
    }

    // MARK: Ticks

    func beginPass() {
        endPass()
        begin(.pass)
    }

    @inline(never) func beginPiece(_ activity: Activity, _ site: CallSite?) {
        guard !hasEnded else { return }
        if open.endsWithPiece { endInnermost() }
        var place = site
        if activity == .job {
            place = nextOrigin
            nextOrigin = nil
        }
        push(OpenActivity(activity, place ?? .unknown, began: trace?.beginPiece() ?? 0))
    }

    /// A piece of work is over, if there was one: what was cancelled has not begun.
    @inline(__always) func endPiece() {
        guard open.endsWithPiece, let piece = open.pop() else { return }
        trace?.ran(piece)
        watchdog?.present(open.last)
    }

    private func endPass() {
        endPiece()
        trace?.interrupt()
        if open.last?.activity == .pass { endInnermost() }
    }

    /// A tick has run its work; or a phase, which says its end by itself.
    func endTick(_ figures: TickFigures) {
        endPass()
        guard !hasEnded else { return }
        trace?.count(figures)
        if open.last?.activity == .tick { endInnermost() }
    }

    /// The loop has closed.
    func endAll() {
        guard !hasEnded else { return }
        while endInnermost() != nil {}
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
        guard origins.count < Self.mostOrigins, let site = resumption ?? open.last?.site.known else { return }
        switch work {
        case .job(let job, _): origins[Self.key(job)] = site
        default: break
        }
    }

    func willRun(_ job: UnownedJob) { nextOrigin = origins.removeValue(forKey: Self.key(job)) }

    // Safe: the type is a frozen struct around one pointer.
    private static func key(_ job: UnownedJob) -> UInt { unsafeBitCast(job, to: UInt.self) }
}

/// The activities that are open, the innermost last. Its memory is its own: a piece of work enters and leaves it, and an array would look for other
/// owners each time.
private struct ActivityStack: ~Copyable {
    // Safe: allocated here, freed in `deinit`; the first `count` are initialised, and need no release.
    private var entries: UnsafeMutablePointer<OpenActivity>
    private var capacity = 64
    private var count = 0

    init() { entries = .allocate(capacity: capacity) }
    deinit { entries.deallocate() }

    /// Whether the innermost is a piece of work.
    @inline(__always) var endsWithPiece: Bool { count > 0 && entries[count - 1].activity.isPiece }

    var last: OpenActivity? { count > 0 ? entries[count - 1] : nil }

    @inline(__always) mutating func push(_ activity: OpenActivity) {
        if count == capacity { grow() }
        (entries + count).initialize(to: activity)
        count &+= 1
    }

    @inline(__always) mutating func pop() -> OpenActivity? {
        guard count > 0 else { return nil }
        count &-= 1
        return entries[count]
    }

    /// The innermost is a piece of work that began at this time.
    mutating func setTimeOfLast(_ time: Int64) { entries[count - 1].setTime(time) }

    func contains(_ activity: Activity) -> Bool { (0..<count).contains { entries[$0].activity == activity } }

    @inline(never) private mutating func grow() {
        let larger = UnsafeMutablePointer<OpenActivity>.allocate(capacity: 2 * capacity)
        larger.moveInitialize(from: entries, count: count)
        entries.deallocate()
        entries = larger
        capacity *= 2
    }
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
        instruments.activities?.endTick(
            TickFigures(
                carriedOver: tick.report.carriedOver, timers: timers.count,
                descriptors: io.registrations.count,
                reports: tick.report.ioEvents, budgetLeft: Int(tick.timeLeft / 1000)))
    }

    /// After a piece of work, where somebody is told.
    @inline(never) func noteRun(_ tick: inout TickBudget, wasSpent: Bool) {
        instruments.endPiece()
        if instruments.isTaped { noteEnd(&tick, wasSpent: wasSpent, isLook: false) }
    }
}
