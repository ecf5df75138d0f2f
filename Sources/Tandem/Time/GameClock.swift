// SPDX-License-Identifier: Apache-2.0
// GameClock: a game's own time, which can be paused, run faster or slower, and be moved on by a step.
// Idea:   game time is a linear function of the loop's time (`GameTimeline`). Sleepers are in a heap that belongs to
//         the clock, ordered by game time. The loop has one timer, for the earliest of them.
// Owner:  only the UI thread changes the clock; any thread may read its time. Generic code may start a sleep on another
//         thread; it is sent to the UI thread through the inbox.

/// A clock for a game or a scene. While it is paused its sleepers wait; while it runs slowly they wake later.
///
/// ```swift
/// let clock = GameClock(loop)
/// try await clock.sleep(for: .seconds(3))    // three seconds of the game
/// clock.isPaused = true                      // … which may take longer
/// ```
public final class GameClock: Clock, @unchecked Sendable {
    // Safe to send: the timeline is changed on the UI thread while the lock is held, and other threads read it while
    // they hold the lock. Everything else is used on the UI thread only; `sleep` sends its work there.

    /// A point in game time: the duration since the clock was made.
    public struct Instant: InstantProtocol, Sendable, Hashable {
        /// Game time since the clock was made.
        public let elapsed: Duration

        /// The instant at which `elapsed` of game time will have passed.
        public init(elapsed: Duration) { self.elapsed = elapsed }
        /// A later instant, or an earlier one for a negative duration. If the result does not fit, it is the first or
        /// the last instant.
        public func advanced(by duration: Duration) -> Instant { Instant(elapsed: elapsed.addingClamped(duration)) }
        /// The duration from this instant to `other`. If it does not fit, it is the longest duration.
        public func duration(to other: Instant) -> Duration { other.elapsed.subtractingClamped(elapsed) }
        /// Whether `a` is earlier than `b`.
        public static func < (a: Instant, b: Instant) -> Bool { a.elapsed < b.elapsed }
    }

    let loop: GuestLoop
    private let lock = Lock()
    /// Written on the UI thread while `lock` is held. The UI thread reads it without the lock, other threads with it.
    private var timeline: GameTimeline
    private let sleepers: TimerHeap
    /// The loop's timer for the earliest sleeper.
    private var alarm: CallbackHandle?
    private var alarmDeadline: Nanoseconds = .never

    /// Makes a clock that starts at zero and runs at the speed of the loop's clock. UI thread.
    public init(_ loop: GuestLoop) {
        loop.thread.check("GameClock.init")
        self.loop = loop
        sleepers = TimerHeap(table: loop.callbacks)
        timeline = GameTimeline(anchor: loop.time.now)
    }

    /// While this is true, no game time passes and sleepers wait. Any thread may read it; the UI thread sets it.
    public var isPaused: Bool {
        get { readingTimeline { $0.isPaused } }
        set {
            loop.instruments.loopTrace?.mark(newValue ? .clockPaused : .clockGoesOn)
            change { $0.isPaused = newValue }
        }
    }

    /// Game seconds for each second of the loop's time. 1 at first; with 0 the game's time does not move. Any thread
    /// may read it; the UI thread sets it. Traps on a negative or infinite rate.
    ///
    /// Every rate is exact. Changing the rate loses no time, and a sleeper wakes in the first nanosecond in which its
    /// deadline has been reached.
    public var rate: Double {
        get { readingTimeline { $0.rate } }
        set {
            require(newValue >= 0 && newValue.isFinite, "GameClock.rate was given \(newValue); expected 0 or more")
            change { $0.setRate(newValue) }
        }
    }

    /// The present game time. Any thread. It stops at 292 years.
    public var now: Instant { Instant(elapsed: .nanoseconds(elapsed)) }

    /// One nanosecond.
    public var minimumResolution: Duration { .nanoseconds(1) }

    /// Moves the game time forward at once, also while the clock is paused: for single steps in a debugger, or a night
    /// that is skipped. Sleepers whose deadline is reached wake in the next pass. UI thread.
    public func step(by duration: Duration) {
        require(duration >= .zero, "GameClock.step(by:) was given \(duration); time only goes forward")
        change { $0.skip(duration.nanosecondsRoundedUp) }
        wakeSleepers()
    }

    /// Suspends until the game time has reached `deadline`; never returns earlier. With a tolerance it may return
    /// later, by at most the tolerance, together with other sleepers that have one.
    ///
    /// - Throws: `CancellationError` at once when the task is cancelled, paused or not; `.closed` when the loop ends.
    @_disfavoredOverload
    public func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        // Generic code calls this overload, without a place for reports. A call by name uses the other overload, which
        // has one.
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
        try await loop.waitFromAnywhere { [self] waiter in
            let handle = loop.callbacks.add(.resume(waiter), .sleepers, site)
            sleepers.insert(handle.slot, deadline: max(deadline, elapsed))
            waiter.list(WaitNote(kind: .gameSleep, site: site, reason: "a sleep on a GameClock"))
            setAlarm()
            return .call { [self] in remove(handle) }
        }
    }

    /// Suspends for `duration` of game time; see ``sleep(until:tolerance:)``.
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

    /// UI thread: changes the timeline, with effect from the present on.
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

    /// Sets the loop's timer to the earliest sleeper, if it is not set to it already.
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
