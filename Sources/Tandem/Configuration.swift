// SPDX-License-Identifier: Apache-2.0
// Configuration: the settings of a loop, given when it is made.

public import Logging

/// The settings of a loop. The defaults suit a game at 60 frames a second.
public struct Configuration: Sendable {
    /// Receives, on the UI thread, the errors that callbacks throw, and those of tasks (runs, tasks of a scene) whose
    /// outcome nobody else receives, with the place where the callback was scheduled or the task started. If the
    /// handler itself throws, that is logged, and the loop goes on.
    public typealias ErrorHandler = @Sendable (_ error: any Error, _ site: CallSite) throws -> Void

    /// How long a tick may run user code when ``GuestLoop/tick(budget:)`` is called without a budget: 4 ms, a quarter
    /// of a frame at 60 Hz.
    public var budget: Duration
    /// Where errors of callbacks and tasks go that have no other owner; `nil`: to ``logger``, at error level.
    public var errorHandler: ErrorHandler?
    /// Where the loop logs what nobody else is told; as long as it is not set: a logger with the label `tandem`.
    public var logger: Logger {
        get { chosenLogger.logger }
        set { chosenLogger.given = newValue }
    }
    /// The clock by which deadlines are measured; `nil`: the machine's.
    public var timeSource: (any TimeSource)? {
        get { keptTimeSource?.source }
        set { keptTimeSource = newValue.map { KeptTimeSource($0) } }
    }
    /// How long ``GuestLoop/close()`` waits for cancelled runs that are still busy elsewhere before it gives them up. What
    /// is ready runs also after that, unless it goes on scheduling more of itself.
    public var closeGrace: Duration
    /// How long the end of a scene waits for its cancelled tasks before it gives them up; on the loop's clock.
    public var sceneGrace: Duration
    /// Where the loop writes down what it does, for Perfetto and Chrome; `nil`: where the environment's `TANDEM_TRACE`
    /// says, or nowhere.
    public var trace: Trace?
    /// Reports code that keeps the UI thread, while it does; `nil`: nobody watches.
    public var watchdog: Watchdog?
    /// Whether the end of a loop, and of a scene, names in the log what still waited there and where it was made; what
    /// nobody can end or await any more is marked. For finding leaks.
    public var reportsLeftovers = false
    /// Whether the program ticks in each frame, at least every 40 ms, whether the loop has asked for a tick or not. For a
    /// game with a loop of its own that draws all the time: each tick polls by itself, which spares a frame two thread
    /// switches and an event of SDL's. A tick with nothing to do then costs a system call, if the loop has descriptors.
    ///
    /// If the program ticks later than that, nothing is lost: after 40 ms the backend thread polls again, and asks for a
    /// tick. `FrameLoop`, `waitEvent` and ``HeadlessHost`` need no such setting, since they say what they do next.
    public var expectsRegularTicks = false

    var chosenLogger: ChosenLogger
    private(set) var keptTimeSource: KeptTimeSource?
    /// Waits in whole milliseconds, as on kernels before 5.11. For tests of that path.
    package var forcesMillisecondWaits = false
    /// How long the lease of the turn lasts, in nanoseconds; see `PollTurn`. It is longer than the period of the
    /// kernel's own tick (4 ms with HZ=250), which makes the timer cheap to set, and too short to be noticed when the
    /// UI thread sleeps elsewhere.
    package var turnLease: Int64 = 5_000_000
    /// The same after a tick before a frame, and after each tick where the program ticks regularly: longer than a frame at
    /// 30 Hz, whose ticks are never late by much.
    package var turnLeaseBetweenTicks: Int64 = 40_000_000
    /// Whether main-actor jobs from other threads run on this loop; see `GuestLoop.admitsOthers`. For tests of runs
    /// that must be the same each time: beside them, a test runner uses the main actor, too.
    package var admitsOthers = true
    /// Called at each step of the two threads, on the thread that makes the step. For tests of the order of steps.
    package var onStep: (@Sendable (TraceStep) -> Void)?
    /// The same for the steps by which the threads wake each other and pass the turn: a trace shows them, too. `nil`: `onStep` alone is called.
    var onThreadStep: (@Sendable (TraceStep) -> Void)?

    /// Makes a configuration with the defaults, except for the arguments given.
    public init(
        budget: Duration = .milliseconds(4), errorHandler: ErrorHandler? = nil,
        logger: Logger? = nil, timeSource: (any TimeSource)? = nil,
        closeGrace: Duration = .milliseconds(250), sceneGrace: Duration = .seconds(1)
    ) {
        self.budget = budget
        self.errorHandler = errorHandler
        chosenLogger = ChosenLogger(given: logger)
        keptTimeSource = timeSource.map { KeptTimeSource($0) }
        self.closeGrace = closeGrace
        self.sceneGrace = sceneGrace
    }
}

/// The logger that the program has given, or one that is made when something is logged: the first logger of a process costs
/// as much as a third of the loop's start.
struct ChosenLogger: Sendable {
    fileprivate(set) var given: Logger?

    var logger: Logger { given ?? Logger(label: "tandem") }
}

/// What the two threads do, step by step, as a test sees it.
package enum TraceStep: String, Sendable {
    case turnPassed = "turn passed"
    case poll
    case turnReturned = "turn returned"
    case hint
    case tick
    case callback
    case timerArmed = "timer armed"
    case deadlinePublished = "deadline published"
    case wake
    case runStarted = "run started"
    case runDone = "run done"
    case backendStarted = "backend started"
    case backendEnded = "backend ended"
}
