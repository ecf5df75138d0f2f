// SPDX-License-Identifier: Apache-2.0
// GameClock: a game's own time: it can pause, run faster or slower, and be stepped.
// Idea:   a line through the loop's time: an anchor, what had elapsed there, and a rate. Changing the rate moves the anchor.
//         Sleepers stand in a heap of the clock's own, in game time; the loop has one timer, for the first of them.
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
    // Safe to send: the line is read under its lock, everything else belongs to the UI thread, to which `sleep` hands over.

    /// A point in the game's time: what has elapsed since the clock was made.
    public struct Instant: InstantProtocol, Sendable, Hashable {
        /// Game time since the clock was made.
        public let elapsed: Duration

        /// The instant at which so much game time will have elapsed.
        public init(elapsed: Duration) { self.elapsed = elapsed }
        /// A later instant, or an earlier one for a negative duration.
        public func advanced(by duration: Duration) -> Instant { Instant(elapsed: elapsed + duration) }
        /// From here to there.
        public func duration(to other: Instant) -> Duration { other.elapsed - elapsed }
        /// Earlier?
        public static func < (a: Instant, b: Instant) -> Bool { a.elapsed < b.elapsed }
    }

    let loop: GuestLoop
    private let lock = Lock()
    /// Written on the UI thread with `lock` held; read there without it, elsewhere with it.
    private var line: Line
    private let sleepers: TimerHeap
    /// The loop's timer for the first sleeper.
    private var alarm: CallbackHandle?
    private var alarmDeadline: Nanoseconds = .never

    /// A clock that runs with the loop's, from zero.
    public init(_ loop: GuestLoop) {
        loop.thread.check("GameClock.init")
        self.loop = loop
        sleepers = TimerHeap(table: loop.callbacks)
        line = Line(anchor: loop.time.now)
    }

    /// While set, no time passes and sleepers wait.
    public var isPaused: Bool {
        get { line.isPaused }
        set { change { $0.isPaused = newValue } }
    }

    /// Game seconds for each second; 1 at first. Zero stands still. Traps on a negative or infinite rate.
    public var rate: Double {
        get { line.rate }
        set {
            precondition(newValue >= 0 && newValue.isFinite, "GameClock.rate was given \(newValue); expected 0 or more")
            change { $0.rate = newValue }
        }
    }

    /// The present of the game. Any thread.
    public var now: Instant { Instant(elapsed: .nanoseconds(elapsed)) }

    /// One nanosecond.
    public var minimumResolution: Duration { .nanoseconds(1) }

    /// Moves the game's time on at once, paused or not: a single step in a debugger, a skipped night. Due sleepers wake in the next pass.
    public func step(by duration: Duration) {
        precondition(duration >= .zero, "GameClock.step(by:) was given \(duration); time only goes forward")
        change { $0.elapsedAtAnchor = $0.elapsedAtAnchor.addingClamped(duration.nanosecondsRoundedUp) }
        wakeSleepers()
    }

    /// Suspends until the game's time has reached `deadline`, never less. With a tolerance it may be later by that much, together with other
    /// sleepers.
    ///
    /// - Throws: `CancellationError` at once when the task is cancelled, paused or not; `.closed` when the loop ends.
    public func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        try await sleep(until: deadline, tolerance, CallSite())
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

    private var elapsed: Nanoseconds {
        lock.lock()
        defer { lock.unlock() }
        return line.elapsed(at: loop.time.now)
    }

    /// UI thread: changes the line from the present on.
    private func change(_ body: (inout Line) -> Void) {
        loop.thread.check("GameClock's setters")
        lock.lock()
        line.moveAnchor(to: loop.time.now)
        body(&line)
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
        let deadline = line.time(of: sleepers.firstDeadline)
        guard deadline != alarmDeadline else { return }
        alarm?.cancel()
        alarm = nil
        alarmDeadline = deadline
        guard deadline != .never, loop.state == .open else { return }
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

/// The line that leads from the loop's time to the game's. Pure.
private struct Line {
    /// The loop's time at the anchor, and what had elapsed then.
    var anchor: Nanoseconds
    var elapsedAtAnchor: Nanoseconds = 0
    var rate = 1.0
    var isPaused = false

    init(anchor: Nanoseconds) { self.anchor = anchor }

    func elapsed(at time: Nanoseconds) -> Nanoseconds {
        if isPaused { return elapsedAtAnchor }
        let passed = max(0, time - anchor)
        // Whole numbers where they suffice: a game at its own pace is exact.
        return elapsedAtAnchor.addingClamped(rate == 1 ? passed : Int64(Double(passed) * rate))
    }

    mutating func moveAnchor(to time: Nanoseconds) {
        elapsedAtAnchor = elapsed(at: time)
        anchor = time
    }

    /// The loop's time at which so much will have elapsed; never while the line is level. Rounded up: no sleeper is early.
    func time(of elapsed: Nanoseconds) -> Nanoseconds {
        guard elapsed != .never, !isPaused, rate > 0 else { return .never }
        let left = max(0, elapsed - elapsedAtAnchor)
        return anchor.addingClamped(rate == 1 ? left : Int64(exactly: (Double(left) / rate).rounded(.up)) ?? .never)
    }
}
