// SPDX-License-Identifier: Apache-2.0
// Hosts: the four kinds of host, each of which wakes its UI thread in another way. Those of the model, with real code.
// Owner:  the UI thread; `requestTick` runs on any thread.

import Logging
import SystemPackage
import TandemCLinux

@testable import Tandem

/// A host and its UI thread's loop.
protocol ScheduledHost: AnyObject {
    var loop: GuestLoop! { get }
    /// One turn of the host's own loop: it sleeps or draws, and ticks if there is a reason.
    func round(_ program: Program)
    /// The UI thread sleeps where it hears of everything: when nobody can run then, nothing may be left to do.
    var isWaiting: Bool { get }
    /// How much later the backend may learn of something, in nanoseconds.
    var lease: Int64 { get }
    /// The host has refused a request, and nothing has come since that would have made another one.
    var isExcused: Bool { get }
    /// Nobody can run, and there is an excuse: the host ticks by itself.
    func ticksByItself()
    func watch(_ program: Program)
    /// It goes on although the program has done everything.
    var wantsMore: Bool { get }
}

extension ScheduledHost {
    var lease: Int64 { 0 }
    var isExcused: Bool { false }
    var wantsMore: Bool { false }
    func ticksByItself() {}
    func watch(_ program: Program) {}
}

/// Checks the steps of a loop: who polls when, and how many requests are under way.
final class StepChecks: @unchecked Sendable {
    // Safe to send: one participant of the schedule runs at a time.

    let scheduler: Scheduler
    private var isReturned = false
    private var requests = 0
    /// How many ticks have done something.
    private(set) var ticks = 0
    /// How much later a deadline may be found, where the backend waits in milliseconds.
    private(set) var rounding: Int64 = 0

    init(_ scheduler: Scheduler) {
        self.scheduler = scheduler
        probe = { [self] step in
            switch step {
            case .turnReceived: isReturned = false
            case .requestTaken: requests = 0
            case .refusal: requests = max(0, requests - 1)
            case .request:
                requests += 1
                if requests > 1 { scheduler.fail("two requests for a tick are under way") }
            }
        }
    }

    func configuration(_ random: inout SeededGenerator) -> Configuration {
        var configuration = Configuration()
        configuration.logger = Logger(label: "schedules") { _ in SwiftLogNoOpLogHandler() }
        configuration.errorHandler = { _, _ in }
        configuration.forcesMillisecondWaits = random.below(8) == 0
        if random.below(4) == 0 { configuration.budget = .zero }
        configuration.closeGrace = .seconds(1)
        if configuration.forcesMillisecondWaits { rounding = 1_000_000 }
        configuration.onStep = { [self] step in took(step) }
        return configuration
    }

    private func took(_ step: TraceStep) {
        // No point of the schedule: between a step of the code and its report nobody else runs.
        switch step {
        case .turnReturned: isReturned = true
        case .poll where isReturned: scheduler.fail("the backend polls again before what it found was handled")
        case .tick: ticks += 1
        default: break
        }
    }
}

/// In one of four schedules the program says that it ticks regularly, whether it does or not. Takes a copy of the numbers, so
/// that the schedules of the others stay as they are.
private func promiseSomeTicks(_ configuration: inout Configuration, _ random: SeededGenerator) {
    var random = random
    configuration.expectsRegularTicks = random.below(4) == 0
}

/// Ticks when it is asked to, and at no other time. May refuse one request.
final class AskedHost: ScheduledHost, GuestHost, @unchecked Sendable {
    // Safe to send: one participant of the schedule runs at a time.

    private(set) var loop: GuestLoop!
    private let checks: StepChecks
    private let asked = Semaphore()
    private var refusesAt: Int
    private(set) var isWaiting = false
    private(set) var isExcused = false
    private(set) var lease: Int64 = 0
    /// The thread whose request was refused, and whether its call has returned since.
    private var refusedThread: UInt = 0
    private var refusalIsOver = false

    init(_ checks: StepChecks, _ random: inout SeededGenerator) throws(GuestError) {
        self.checks = checks
        refusesAt = random.below(3) == 0 ? 1 + random.below(4) : 0
        var configuration = checks.configuration(&random)
        promiseSomeTicks(&configuration, random)
        // It breaks the promise, and learns of what is ready when the lease has ended.
        if configuration.expectsRegularTicks { lease = 40_100_000 }
        loop = try GuestLoop(host: self, configuration: configuration)
    }

    func requestTick() -> Bool {
        refusesAt -= 1
        if refusesAt == 0 {
            isExcused = true
            refusedThread = tandem_thread_key()
            return false
        }
        // Whoever is asked after a refusal knows of what lay there.
        isExcused = false
        asked.signal()
        return true
    }

    func watch(_ program: Program) {
        // A post that begins when the refused one has ended has to ask again. One that came before may rely on it.
        program.onPostEnded = { [self] in
            if isExcused, refusedThread == tandem_thread_key() { refusalIsOver = true }
        }
        program.onPostBegins = { [self] in if refusalIsOver { isExcused = false } }
    }

    func ticksByItself() {
        isExcused = false
        refusalIsOver = false
        asked.signal()
    }

    func round(_ program: Program) {
        isWaiting = true
        asked.wait()
        isWaiting = false
        loop.tick()
    }
}

/// Draws frames, and ticks in each. It may refuse requests, since it ticks anyway.
final class FramesHost: ScheduledHost, GuestHost, @unchecked Sendable {
    // Safe to send: one participant of the schedule runs at a time.

    private(set) var loop: GuestLoop!
    private let checks: StepChecks
    private var random: SeededGenerator
    private var frames = 0
    let isWaiting = false

    init(_ checks: StepChecks, _ random: inout SeededGenerator) throws(GuestError) {
        self.checks = checks
        self.random = random
        loop = try GuestLoop(host: self, configuration: checks.configuration(&random))
    }

    func requestTick() -> Bool {
        if random.below(4) == 0 { return false }
        return true
    }

    func round(_ program: Program) {
        frames += 1
        if frames > 100 { checks.scheduler.fail("a hundred frames were not enough") }
        Scheduler.sleep("frame", for: 16_000_000)
        loop.tick(then: .frame)
    }
}

/// In one of four schedules the kernel refuses to write the eventfd of the waker that is made next, so that its timer has to
/// end each sleep. Takes a copy of the numbers, so that the schedules of the others stay as they are.
private func refuseSomeWakers(_ random: SeededGenerator) {
    var random = random
    if random.below(4) == 0 { Scheduler.refuseNextEventfd() }
}

/// The library's own `HeadlessHost`, which sleeps in the loop's wait, leaves it and comes back.
final class SleepingHost: ScheduledHost, @unchecked Sendable {
    // Safe to send: one participant of the schedule runs at a time.

    private let host: HeadlessHost
    private let checks: StepChecks
    private var random: SeededGenerator
    private(set) var isWaiting = false

    var loop: GuestLoop! { host.loop }

    init(_ checks: StepChecks, _ random: inout SeededGenerator) throws(GuestError) {
        self.checks = checks
        self.random = random
        refuseSomeWakers(random)
        host = try HeadlessHost(configuration: checks.configuration(&random))
    }

    func round(_ program: Program) {
        // It leaves after some ticks, not after some looks: a wait that looks again and again does not end by itself.
        let last = checks.ticks + random.below(6)
        isWaiting = true
        _ = host.run(within: nil) { program.isDone || program.isClosing || checks.ticks >= last }
        isWaiting = false
        if program.isDone || program.isClosing { return }
        switch random.below(4) {
        case 0: Scheduler.sleep("frame", for: [3_000_000, 8_000_000][random.below(2)])
        case 1, 2:
            Scheduler.sleep("frame", for: 1_000_000)
            loop.tick(then: .frame)
        default: break
        }
    }
}

/// As the SDL host: it sleeps in the loop's wait, or elsewhere, where only the event that a request adds wakes it.
final class EventsHost: ScheduledHost, GuestHost, @unchecked Sendable {
    // Safe to send: one participant of the schedule runs at a time.

    private(set) var loop: GuestLoop!
    private let checks: StepChecks
    private let waker: Waker
    private let events = Semaphore()
    private var random: SeededGenerator
    private(set) var isWaiting = false
    private(set) var lease: Int64 = 0
    /// How long the turn stays here after the last tick, if the thread then sleeps elsewhere.
    private var leaseOfTick: Int64 = 5_100_000
    /// The last look of a mutant that looks too early.
    private var wasArmed = false
    /// It goes in and out of waits all the time, and then sleeps elsewhere.
    private let triesLeases: Bool
    private let ticksRegularly: Bool
    private var roundsLeft: Int
    var wantsMore: Bool { roundsLeft > 0 }

    init(_ checks: StepChecks, triesLeases: Bool, _ random: inout SeededGenerator) throws(GuestError) {
        self.triesLeases = triesLeases
        roundsLeft = triesLeases ? 6 : 0
        self.checks = checks
        self.random = random
        refuseSomeWakers(random)
        waker = try Waker()
        var configuration = checks.configuration(&random)
        if triesLeases { promiseSomeTicks(&configuration, random) }
        ticksRegularly = configuration.expectsRegularTicks
        loop = try GuestLoop(host: self, configuration: configuration)
        beforeRequest = { [self] in wasArmed = waker.isArmed }
    }

    func requestTick() -> Bool {
        if mutated(.LOOK_FOR_LISTENER_FIRST) ? wasArmed : waker.isArmed {
            waker.wakeForLoop()
        } else {
            events.signal()
        }
        return true
    }

    func round(_ program: Program) {
        if triesLeases { return tryLeases(program) }
        isWaiting = true
        defer { isWaiting = false }
        if random.below(3) > 0 {
            lease = 0
            var left = 1 + random.below(4)
            let end = loop.wait(on: waker, until: nil, work: random.below(2) == 0 ? .runs : .endsWait) { step in
                left -= 1
                if events.tryWait() { return .ends }
                return program.isDone || program.isClosing || left <= 0 ? .ends : .goesOn
            }
            if case .closed = end { return }
        } else if random.below(2) == 0 {
            lease = 0
            // As `waitElsewhere` does before it sleeps.
            if !loop.hasWork, !program.isDone {
                loop.passKeptTurn()
                events.wait()
            }
        } else if !loop.hasWork, !program.isDone {
            // Not in a wait of the loop's: the turn may be with this thread, on a lease.
            lease = leaseOfTick
            events.wait()
        }
        isWaiting = false
        if random.below(3) == 0 { Scheduler.sleep("frame", for: [3_000_000, 8_000_000][random.below(2)]) }
        let next: AfterTick = random.below(2) == 0 ? .frame : .wait
        leaseOfTick = next == .frame ? 40_100_000 : 5_100_000
        loop.tick(then: next)
    }

    /// Waits that end at once leave leases behind, one soon after the other; then one that sleeps, and a sleep elsewhere.
    private func tryLeases(_ program: Program) {
        roundsLeft -= 1
        program.keepTimer()
        for number in 0..<3 where !program.isClosing {
            let end = loop.hostNow.advanced(by: .microseconds(100))
            _ = loop.wait(on: waker, until: end, work: .runs) { _ in number == 2 ? .goesOn : .ends }
            let pauses: [Int64] = [0, 1_000_000, 4_900_000]
            if number < 2 { Scheduler.sleep("frame", for: pauses[random.below(3)]) }
        }
        if loop.hasWork || program.isClosing || !program.hasTimer {
            loop.tick(then: ticksRegularly ? .unknown : .frame)
        } else {
            if ticksRegularly {
                // A lease of 40 ms, whose timer is set when the shorter one before has ended, and then one of 5 ms again.
                loop.tick(then: .unknown)
                Scheduler.sleep("frame", for: 8_000_000)
                loop.tick(then: .wait)
                if program.isClosing { return }
                program.keepTimer()
            }
            (lease, isWaiting) = (5_100_000, true)
            events.wait()
            isWaiting = false
            loop.tick(then: .wait)
        }
    }
}
