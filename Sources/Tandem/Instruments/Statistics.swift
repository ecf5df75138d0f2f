// SPDX-License-Identifier: Apache-2.0

/// What a loop has done since it was made. Counting is always on. It costs an addition in some places, and a reading of
/// the clock for each ten microseconds of callbacks.
public struct Statistics: Sendable {
    /// Calls of `tick`, refused nested ones not counted.
    public internal(set) var ticks = 0
    /// Ticks that found nothing to do.
    public internal(set) var emptyTicks = 0
    /// Calls of `tick` from inside a tick, which ran nothing.
    public internal(set) var nestedTicks = 0
    /// Callbacks run: `callSoon`, posts, timers, descriptor and frame handlers.
    public internal(set) var callbacks = 0
    /// Swift jobs run: pieces of `async` code between two suspensions.
    public internal(set) var jobs = 0
    /// Errors that callbacks threw, and tasks whose outcome nobody else was told.
    public internal(set) var callbackErrors = 0
    /// Timers and sleeps that were started.
    public internal(set) var timersArmed = 0
    /// Timers and sleeps whose time came.
    public internal(set) var timersFired = 0
    /// Timers and sleeps that were cancelled.
    public internal(set) var timersCancelled = 0
    /// Reports of ready descriptors.
    public internal(set) var ioEvents = 0
    /// Reports about descriptors that were no longer registered.
    public internal(set) var staleEvents = 0
    /// Descriptors that are registered now.
    public internal(set) var registrations = 0
    /// Timers that are armed now.
    public internal(set) var timers = 0
    /// Closures accepted by `post`.
    public internal(set) var posts = 0
    /// Posts, jobs and waits that came from other threads.
    public internal(set) var inboxEntries = 0
    /// Sleeps and other waits that began on another thread and came through the inbox.
    public internal(set) var waitsHandedOver = 0
    /// Requests for a tick that the host took.
    public internal(set) var hintsPosted = 0
    /// Requests that were not made, because one was under way.
    public internal(set) var hintsCoalesced = 0
    /// Requests that the host dropped.
    public internal(set) var hintsDropped = 0
    /// Writes that ended the backend's sleep.
    public internal(set) var wakePipeWrites = 0
    /// How often the turn went to the backend.
    public internal(set) var turnsPassed = 0
    /// Polls of the UI thread that kept the turn.
    public internal(set) var hotPolls = 0
    /// Ticks that took longer than their budget.
    public internal(set) var budgetOverruns = 0
    /// The longest callback or job. One that takes less than 10 microseconds may be counted together with its
    /// neighbours.
    public internal(set) var longestCallback: Duration = .zero
    /// The time spent in ticks that were not empty.
    public internal(set) var timeInTicks: Duration = .zero
    /// The time from ready (found by the poll, posted, due) to run, right to 10 microseconds. Everything that other
    /// threads post between two ticks counts from the first such post.
    public internal(set) var latency = LatencyHistogram()
}
