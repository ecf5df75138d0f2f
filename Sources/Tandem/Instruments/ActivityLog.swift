// SPDX-License-Identifier: Apache-2.0
// ActivityLog: what the UI thread does at the moment, one thing inside of another, and who is told of it.
// Idea:   ticks and frames say what begins and ends where they know it; what they leave out (a callback's end when it never began, a pass's when the
//         next one begins) is found here. So every observer sees pairs, the inner inside of the outer, modal loops included.
//         A Swift job does not say where it comes from. It is the place of whoever resumed it, or started it, that tells most.
// Owner:  the UI thread. A loop that nobody observes has none.

final class ActivityLog {
    private let observers: [any LoopObserver]
    private var open: [(activity: Activity, site: CallSite?)] = []
    private var hasEnded = false
    /// Where the task that is being resumed had waited.
    private var resumption: CallSite?
    /// Where the jobs come from that stand in line.
    private var origins: [UInt: CallSite] = [:]
    private var nextOrigin: CallSite?
    /// Jobs that run elsewhere after all leave their entries.
    private static let mostOrigins = 4096

    init(_ observers: [any LoopObserver]) {
        self.observers = observers
        open.reserveCapacity(64)
    }

    func begin(_ activity: Activity, _ site: CallSite? = nil) {
        guard !hasEnded else { return }
        open.append((activity, site))
        for observer in observers { observer.began(activity, site) }
    }

    /// Ends it, and what is open inside of it. Nothing if it is not open.
    func end(_ activity: Activity) {
        guard open.contains(where: { $0.activity == activity }) else { return }
        while let last = open.popLast() {
            for observer in observers { observer.ended(last.activity) }
            if last.activity == activity { return }
        }
    }

    // MARK: Ticks

    func beginPass() {
        endPass()
        begin(.pass)
    }

    func beginPiece(_ activity: Activity, _ site: CallSite?) {
        endPiece()
        defer { nextOrigin = nil }
        begin(activity, activity == .job ? nextOrigin : site)
    }

    /// A piece of work is over, if there was one: what was cancelled has not begun.
    func endPiece() {
        if let last = open.last, last.activity.isPiece { end(last.activity) }
    }

    private func endPass() {
        endPiece()
        if open.last?.activity == .pass { end(.pass) }
    }

    /// A tick has run its work; or a phase, which says its end by itself.
    func endTick(_ figures: TickFigures) {
        endPass()
        guard !hasEnded else { return }
        for observer in observers { observer.counted(figures) }
        if open.last?.activity == .tick { end(.tick) }
    }

    /// The loop has closed.
    func endAll() {
        guard !hasEnded else { return }
        while let last = open.popLast() {
            for observer in observers { observer.ended(last.activity) }
        }
        hasEnded = true
        for observer in observers { observer.loopEnded() }
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
        guard origins.count < Self.mostOrigins, let site = resumption ?? open.last?.site else { return }
        switch work {
        case .job(let job, _): origins[Self.key(job)] = site
        default: break
        }
    }

    func willRun(_ job: UnownedJob) { nextOrigin = origins.removeValue(forKey: Self.key(job)) }

    // Safe: the type is a frozen struct around one pointer.
    private static func key(_ job: UnownedJob) -> UInt { unsafeBitCast(job, to: UInt.self) }
}

// MARK: - What the loop and its hosts say

extension GuestLoop {
    /// For hosts: `body` is a part of the frame, which a trace shows and a watchdog watches.
    @inline(__always) package func observed<Value>(_ activity: Activity, _ body: () throws -> Value) rethrows -> Value {
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
                carriedOver: tick.report.carriedOver, timers: timers.count, descriptors: io.registrations.count,
                reports: tick.report.ioEvents, budgetLeft: tick.timeLeft))
    }

    /// After a piece of work, where somebody is told.
    @inline(never) func noteRun(_ tick: inout TickBudget, wasSpent: Bool) {
        instruments.activities?.endPiece()
        if instruments.isTaped { noteEnd(&tick, wasSpent: wasSpent, isLook: false) }
    }
}
