// SPDX-License-Identifier: Apache-2.0
// GameClock: a game's own time: it can pause, run faster or slower, and be stepped.
// Idea:   a straight line through the loop's time (`GameTimeline`). Sleepers stand in a heap of the clock's own, in game time; the loop
//         has one timer, for the first of them.
// Owner:  the UI thread changes it; any thread may read the time. Generic code may start a sleep from another thread; it goes
//         through the inbox.

/// A clock that a scene owns: sleepers on a paused one wait, and a slow one wakes them later.
///
/// ```swift
/// let clock = GameClock(loop)
/// try await clock.sleep(for: .seconds(3))    // three seconds of the game
/// clock.isPaused = true                      // … which may take longer
/// ```
public final class GameClock: Clock, @unchecked Sendable {
    // Safe to send: the timeline is changed on the UI thread with the lock held, and read by other threads with it held; everything else
    // belongs to the UI thread, to which `sleep` hands over.

    /// A point in the game's time: what has elapsed since the clock was made.
    public struct Instant: InstantProtocol, Sendable, Hashable {
        /// Game time since the clock was made.
        public let elapsed: Duration

        /// The instant at which so much game time will have elapsed.
        public init(elapsed: Duration) { self.elapsed = elapsed }
        /// A later instant, or an earlier one for a negative duration. What does not fit is the first instant or the last.
        public func advanced(by duration: Duration) -> Instant { Instant(elapsed: elapsed.addingClamped(duration)) }
        /// From here to there; of two instants that are too far apart, the longest duration.
        public func duration(to other: Instant) -> Duration { other.elapsed.subtractingClamped(elapsed) }
        /// Earlier?
        public static func < (a: Instant, b: Instant) -> Bool { a.elapsed < b.elapsed }
    }

    let loop: GuestLoop
    private let lock = Lock()
    /// Written on the UI thread with `lock` held; read there without it, elsewhere with it.
    private var timeline: GameTimeline
    private let sleepers: TimerHeap
    /// The loop's timer for the first sleeper.
    private var alarm: CallbackHandle?
    private var alarmDeadline: Nanoseconds = .never

    /// A clock that runs with the loop's, from zero.
    public init(_ loop: GuestLoop) {
        loop.thread.check("GameClock.init")
        self.loop = loop
        sleepers = TimerHeap(table: loop.callbacks)
        timeline = GameTimeline(anchor: loop.time.now)
    }

    /// While set, no time passes and sleepers wait. Any thread may read it.
    public var isPaused: Bool {
        get { readingTimeline { $0.isPaused } }
        set { change { $0.isPaused = newValue } }
    }

    /// Game seconds for each second; 1 at first. Zero stands still. Any thread may read it. Traps on a negative or infinite rate.
    ///
    /// Every rate is exact: no time is lost by changing it, and a sleeper wakes in the first nanosecond in which its time has come.
    public var rate: Double {
        get { readingTimeline { $0.rate } }
        set {
            precondition(newValue >= 0 && newValue.isFinite, "GameClock.rate was given \(newValue); expected 0 or more")
            change { $0.setRate(newValue) }
        }
    }

    /// The present of the game. Any thread. After 292 years it stands still.
    public var now: Instant { Instant(elapsed: .nanoseconds(elapsed)) }

    /// One nanosecond.
    public var minimumResolution: Duration { .nanoseconds(1) }

    /// Moves the game's time on at once, paused or not: a single step in a debugger, a skipped night. Due sleepers wake in the next pass.
    public func step(by duration: Duration) {
        precondition(duration >= .zero, "GameClock.step(by:) was given \(duration); time only goes forward")
        change { $0.skip(duration.nanosecondsRoundedUp) }
        wakeSleepers()
    }

    /// Suspends until the game's time has reached `deadline`, never less. With a tolerance it may be later by that much, together with other
    /// sleepers.
    ///
    /// - Throws: `CancellationError` at once when the task is cancelled, paused or not; `.closed` when the loop ends.
    @_disfavoredOverload
    public func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        // What generic code calls, which does not tell its caller's place. Whoever calls by name has the other one.
        try await sleep(until: deadline, tolerance, .unknown)
    }

    /// As ``sleep(until:tolerance:)``, with the caller's place for reports.
    public func sleep(
        until deadline: Instant, tolerance: Duration? = nil, fileID: StaticString = #fileID, line: UInt = #line
    ) async throws {
        try await sleep(until: deadline, tolerance, CallSite(fileID: fileID, line: line))
    }

    func sleep(until deadline: Instant, _ tolerance: Duration?, _ site: CallSite) async throws {
        let deadline = deadline.elapsed.nanosecondsRoundedUp.coalesced(within: tolerance)
        try await loop.waitFromAnywhere(isolation: #isolation) { [self] waiter in
            let handle = loop.callbacks.add(.resume(waiter), .sleepers, site)
            sleepers.insert(handle.slot, deadline: max(deadline, elapsed))
            waiter.list(WaitNote(kind: .gameSleep, site: site, reason: "a sleep on a GameClock"))
            setAlarm()
            return { [self] in remove(handle) }
        }
    }

    /// Suspends for so much game time; see ``sleep(until:tolerance:)``.
    public func sleep(
        for duration: Duration, tolerance: Duration? = nil, fileID: StaticString = #fileID, line: UInt = #line
    ) async throws {
        try await sleep(until: now.advanced(by: duration), tolerance, CallSite(fileID: fileID, line: line))
    }

    private var elapsed: Nanoseconds { readingTimeline { $0.elapsed(at: loop.time.now) } }

    /// Any thread.
    private func readingTimeline<Value>(_ body: (GameTimeline) -> Value) -> Value {
        lock.lock()
        defer { lock.unlock() }
        return body(timeline)
    }

    /// UI thread: changes the timeline from the present on.
    private func change(_ body: (inout GameTimeline) -> Void) {
        loop.thread.check("GameClock's setters")
        lock.lock()
        timeline.moveAnchor(to: loop.time.now)
        body(&timeline)
        lock.unlock()
        setAlarm()
    }

    private func remove(_ handle: CallbackHandle) {
        if !handle.isDone {
            _ = loop.callbacks.take(handle.slot)
            sleepers.wasCancelled(handle.slot)
        }
        setAlarm()
    }

    /// Sets the loop's timer to the first sleeper, if it is not set to that already.
    private func setAlarm() {
        let deadline = timeline.time(of: sleepers.firstDeadline)
        guard deadline != alarmDeadline else { return }
        alarm?.cancel()
        alarm = nil
        alarmDeadline = deadline
        guard deadline != .never, loop.admission.state == .open else { return }
        alarm = loop.arm(
            .call { [weak self] in
                self?.alarmDeadline = .never
                self?.wakeSleepers()
            }, deadline, CallSite())
    }

    private func wakeSleepers() {
        while let (slot, _) = sleepers.popDue(at: elapsed) {
            let action = loop.callbacks.take(slot)
            loop.callbacks.free(slot)
            guard case .resume(let waiter) = action else { continue }
            waiter.resume()
        }
        setAlarm()
    }
}
