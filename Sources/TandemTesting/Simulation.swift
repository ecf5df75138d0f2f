// SPDX-License-Identifier: Apache-2.0
// Simulation: the game in a test: its loop, its main actor and its time, on the test's own thread.
// Idea:   the loop stands on a clock that jumps to the next deadline when nothing is ready. It adopts the main actor and keeps what
//         its ticks start, so that all that descends from simulated code runs on one thread, in one order, at each run.
// Owner:  the main actor.

public import Tandem

/// A loop in a test, on a virtual clock: ten minutes of a game run in about a second, the same at every run.
///
/// ```swift
/// @Test @MainActor func aMinuteOfPlay() throws {
///     try Simulation.run { simulation in
///         let game = Game(loop: simulation.loop)
///         simulation.at(.seconds(3)) { game.press(.fire) }
///         let score = try simulation.run { try await game.playOneRound() }
///         #expect(score == 40)
///     }
/// }
/// ```
///
/// A game in SDL is simulated as a whole, events and frames included: see ``init(_:fileID:line:event:)``.
///
/// While a simulation is open the main actor is its own. The code that drives it is therefore synchronous: an `await` of the test's own would
/// wait for a main actor that nobody drives; async code belongs into ``run(limit:fileID:line:_:)``. A simulation that is open and has not been
/// driven for ten seconds says so in its loop's log. A process has one simulation at a time.
@MainActor public final class Simulation {
    /// The loop that simulated code runs on.
    public nonisolated let loop: GuestLoop
    /// The time, which this object moves.
    public nonisolated let clock: VirtualClock
    /// How long, by the machine's clock, to wait for other threads when nothing that is simulated can go on. Zero, as at first, is exact:
    /// what comes from other threads comes at no particular virtual time.
    ///
    /// With patience the main actor takes the jobs of other threads, too, which in a test runner may be other tests: let such tests run one at a time.
    public var patience: Duration = .zero {
        didSet { loop.admitsOthers = patience > .zero }
    }
    /// The distance of two frames where the simulation runs some.
    public var framePeriod: Duration = .seconds(1) / 60 {
        didSet {
            require(
                framePeriod > .zero, "Simulation.framePeriod was given \(framePeriod); expected more than zero")
            pacer = nil
        }
    }
    /// The length of a fixed step; `nil`, as at first: frames have no fixed steps.
    public var fixedStep: Duration? {
        didSet { pacer = nil }
    }
    /// How many frames have been run.
    public internal(set) var frames = 0

    let driver: Driver
    let start: Duration
    var script = Script()
    /// The frames' deltas and fixed steps; made anew when their settings change.
    var pacer: FramePacer?
    /// What callbacks threw, until a driving call throws it on.
    let failures: Failures
    private var isClosed = false
    /// Driving calls call each other; only the outermost counts.
    var drivingCalls = 0
    let watch: DrivingWatch
    /// How long a simulation may stand open, by the machine's clock, before that is told.
    static var longestRest: Duration = .seconds(10)

    /// Who ticks.
    enum Driver {
        /// This object, as the host of a loop of its own.
        case host(ManualHost)
        /// This object, with the frames of a host that is somebody else's.
        case other(frame: (Duration) -> Void)
        /// This object, with the events of a host that has some.
        case events(take: @MainActor () throws -> Int)
    }

    /// Makes a loop on the calling thread, on a clock of its own, and gives it the main actor.
    ///
    /// - Parameters:
    ///   - configuration: Its time source is replaced. What callbacks throw is thrown by the driving call, unless there is an error handler.
    ///   - fileID: The caller's file, for reports.
    ///   - line: The caller's line, for reports.
    /// - Throws: `.adoptionFailed` where the toolchain has no custom executors, or another simulation is open; what `GuestLoop.init` throws.
    public init(
        configuration: Configuration = .init(), fileID: StaticString = #fileID, line: UInt = #line
    ) throws(GuestError) {
        let failures = Failures()
        let clock = VirtualClock()
        var configuration = configuration
        configuration.timeSource = clock
        if configuration.errorHandler == nil { configuration.errorHandler = { failures.add($0, $1) } }
        let host = ManualHost()
        let loop = try host.makeLoop(configuration: configuration, fileID: fileID, line: line)
        do throws(GuestError) {
            guard try loop.adoptMainActor() == .executor else {
                throw GuestError(
                    .adoptionFailed,
                    "a simulation keeps its tasks on one thread by the program's executors, which this toolchain does not let be replaced; use Swift 6.3, or a ManualHost and loop.run"
                )
            }
        } catch {
            loop.close()
            throw error
        }
        loop.beginSimulation(on: clock)
        self.failures = failures
        self.loop = loop
        self.clock = clock
        driver = .host(host)
        start = .zero
        watch = Self.watch(loop, CallSite(fileID: fileID, line: line))
    }

    /// Simulates a game that has events: an `SDLGuest`'s on SDL's dummy driver, say. Closing the simulation leaves the guest open.
    ///
    /// ```swift
    /// let guest = try SDLGuest(configuration: Configuration(timeSource: VirtualClock()))
    /// let simulation = Simulation(guest)
    /// simulation.at(.seconds(2)) { push(key: SDLK_SPACE) }                  // SDL_PushEvent
    /// let score = try simulation.run { try await Game(guest).play() }       // waits for keys, frames and time
    /// ```
    ///
    /// An event that an input pushes comes at the input's time, whether or not a frame begins then, as in a game that is drawn on demand. Frames
    /// are run as for a simulation's own loop, in all their phases.
    ///
    /// - Parameters:
    ///   - host: Its loop has a ``VirtualClock`` as its time source, and has adopted the main actor.
    ///   - fileID: The caller's file, for reports.
    ///   - line: The caller's line, for reports.
    ///   - event: Gets the events that no task has consumed, as the `event` of a `FrameLoop`.
    public convenience init<Host: EventHost>(
        _ host: Host, fileID: StaticString = #fileID, line: UInt = #line,
        event: @escaping @MainActor (Host.Event) throws -> Void = { _ in }
    ) {
        guard let clock = host.loop.configurationTimeSource as? VirtualClock else {
            fatalError(
                "Simulation(_:) was given a host on the machine's clock; make it with Configuration(timeSource: VirtualClock())"
            )
        }
        self.init(
            host.loop, clock, CallSite(fileID: fileID, line: line),
            .events { try host.takeEvents { try event($0) } })
    }

    /// Drives a loop that another host made on `clock`, with frames of that host's own. Closing the simulation leaves the loop open. For a host that
    /// is an `EventHost`, as an `SDLGuest` is, ``init(_:fileID:line:event:)`` is less to write.
    ///
    /// ```swift
    /// let clock = VirtualClock()      // the guest's: SDLGuest(configuration: Configuration(timeSource: clock))
    /// let simulation = Simulation(driving: guest.loop, clock: clock) { _ in
    ///     while SDL_PollEvent(&event) != 0 { if !guest.handle(event) { game.handle(event) } }
    ///     guest.tick()
    /// }
    /// simulation.at(.seconds(2)) { push(key: SDLK_SPACE) }
    /// try simulation.advance(frames: 600)
    /// ```
    ///
    /// While a task waits for an event of the host's, ``run(limit:fileID:line:_:)`` runs frames, as for one that waits for a frame.
    ///
    /// - Parameters:
    ///   - loop: A loop of this thread's, whose configuration has `clock` as its time source.
    ///   - clock: The time, which the simulation moves.
    ///   - fileID: The caller's file, for reports.
    ///   - line: The caller's line, for reports.
    ///   - frame: One frame of the host's; it is told the frame's length. `nil`: a tick.
    public convenience init(
        driving loop: GuestLoop, clock: VirtualClock, fileID: StaticString = #fileID, line: UInt = #line,
        frame: ((Duration) -> Void)? = nil
    ) {
        require(
            loop.configurationTimeSource as? VirtualClock === clock,
            "Simulation(driving:clock:) was given a clock that is not the loop's; make the loop with it as its configuration's timeSource"
        )
        self.init(loop, clock, CallSite(fileID: fileID, line: line), .other(frame: frame ?? { _ in loop.tick() }))
    }

    /// A loop that is somebody else's.
    private init(_ loop: GuestLoop, _ clock: VirtualClock, _ site: CallSite, _ driver: Driver) {
        loop.beginSimulation(on: clock)
        self.loop = loop
        self.clock = clock
        failures = Failures()
        self.driver = driver
        start = clock.elapsed
        watch = Self.watch(loop, site)
    }

    private static func watch(_ loop: GuestLoop, _ site: CallSite) -> DrivingWatch {
        let (logger, rest) = (loop.logger, longestRest)
        let watch = DrivingWatch {
            logger.critical(
                """
                the simulation opened at \(site) is open and has not been driven for \(rest). Does its test await something of its own? While \
                the simulation is open nobody else drives the main actor, and that may never return: put async code into the simulation's \
                `run { }`, or close the simulation before
                """)
        }
        watch.keepLooking(each: rest)
        return watch
    }

    /// Virtual time since the simulation began.
    public nonisolated var elapsed: Duration { clock.elapsed - start }

    /// Does `input` when `time` has elapsed since the simulation began: what a player or the world outside would do.
    ///
    /// At one instant inputs come first, in the order in which they were scripted, and before anything that is due or ready then: as a frame
    /// takes its events before its tick. What `input` throws, the driving call throws.
    public func at(_ time: Duration, _ input: @escaping @MainActor () throws -> Void) {
        require(time >= elapsed, "Simulation.at was given \(time), but \(elapsed) have elapsed already")
        script.insert(input, at: min(start.addingClamped(time), VirtualClock.end))
    }

    /// Hands each input of a script to `deliver` at its time. As ``at(_:_:)``, many times.
    public func play<Input>(
        _ inputs: [(time: Duration, input: Input)], _ deliver: @escaping @MainActor (Input) throws -> Void
    ) {
        for (time, input) in inputs { at(time) { try deliver(input) } }
    }

    /// Ends the loop, if it is the simulation's own, and gives the main actor back. Idempotent.
    ///
    /// - Returns: What was still waiting.
    @discardableResult
    public func close() -> [WaitingReport] {
        guard !isClosed else { return [] }
        isClosed = true
        watch.end()
        let leftovers = loop.isOpen ? loop.waiting : []
        // What ends is simulated as well.
        if case .host = driver { showingTime { loop.close() } }
        loop.endSimulation()
        return leftovers
    }

    /// Runs `body` with a simulation, and closes it.
    ///
    /// - Parameters:
    ///   - configuration: As for ``init(configuration:fileID:line:)``.
    ///   - allowsLeftovers: Whether tasks, timers and watches may still be waiting when `body` has returned.
    ///   - fileID: The caller's file, for reports.
    ///   - line: The caller's line, for reports.
    ///   - body: The test, synchronous.
    /// - Throws: ``SimulationError`` with the list of what was still waiting; what `body` throws.
    public static func run<Value>(
        configuration: Configuration = .init(), allowsLeftovers: Bool = false,
        fileID: StaticString = #fileID, line: UInt = #line, _ body: (Simulation) throws -> Value
    ) throws -> Value {
        let simulation = try Simulation(configuration: configuration, fileID: fileID, line: line)
        defer { simulation.close() }
        let value = try body(simulation)
        let elapsed = simulation.elapsed
        let leftovers = simulation.close()
        if !leftovers.isEmpty, !allowsLeftovers {
            throw SimulationError(.leftovers, elapsed: elapsed, waiting: leftovers)
        }
        try simulation.failures.throwFirst()
        return value
    }
}

/// Inputs and their times.
struct Script {
    private var cues: [(time: Duration, input: @MainActor () throws -> Void)] = []

    /// When the next input is due.
    var next: Duration? { cues.last?.time }

    /// O(n); inputs of the same time keep their order.
    mutating func insert(_ input: @escaping @MainActor () throws -> Void, at time: Duration) {
        // The next one stands at the end, where it is taken from.
        let index = cues.firstIndex { $0.time <= time } ?? cues.endIndex
        cues.insert((time, input), at: index)
    }

    /// The next input, if it is due.
    mutating func popDue(at time: Duration) -> (@MainActor () throws -> Void)? {
        guard let next, next <= time else { return nil }
        return cues.removeLast().input
    }
}

/// What callbacks of the loop threw.
final class Failures: @unchecked Sendable {
    // Safe: written by the loop's error handler and read by the driving calls, both on the UI thread.
    private var all: [(error: any Error, site: CallSite)] = []

    func add(_ error: any Error, _ site: CallSite) { all.append((error, site)) }

    func throwFirst() throws {
        guard let first = all.first else { return }
        all = []
        throw first.error
    }
}
