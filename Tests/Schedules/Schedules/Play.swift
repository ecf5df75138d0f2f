// SPDX-License-Identifier: Apache-2.0
// Play: one schedule of one scenario, the options of the program, and the end of a schedule that fails.
// Owner:  the main thread.

import Glibc

@testable import Tandem

enum Scenario: String, CaseIterable { case asked, frames, headless, events, leases }

/// Safe: written by the main thread between schedules, read by a signal handler.
nonisolated(unsafe) var current: (scenario: Scenario, seed: UInt64) = (.asked, 0)

/// Plays a schedule, and returns its steps. Ends the process if it fails.
func play(_ scenario: Scenario, seed: UInt64, showsTrace: Bool) -> [ScheduleStep] {
    current = (scenario, seed)
    alarm(20)
    // Safe: set before anything can fail.
    nonisolated(unsafe) var failing: Scheduler?
    let scheduler = Scheduler(seed: seed, plan: SchedulePlan(walks: scenario == .leases)) { reason in
        if let failing { show(failing, last: showsTrace ? .max : 40) }
        end("FAILED \(scenario.rawValue) seed \(seed) after \(failing?.trace.count ?? 0) steps: \(reason)", 1)
    }
    failing = scheduler
    scheduler.run("UI") {
        var random = SeededGenerator(seed: seed ^ 0x4057)
        let checks = StepChecks(scheduler)
        do throws(GuestError) {
            let host = try make(scenario, checks, &random)
            let program = Program(host.loop, scheduler, seed: seed)
            host.watch(program)
            scheduler.atRest = { time in
                guard host.isWaiting || program.isClosing else { return false }
                if time == nil, host.isExcused, !program.isClosing {
                    host.ticksByItself()
                    return true
                }
                program.checkRest(until: time, allowance: host.lease + checks.rounding, isExcused: host.isExcused)
                return false
            }
            program.begin()
            while !program.isDone || host.wantsMore, !program.isClosing {
                host.round(program)
                if !program.isClosing { program.actOutsideTicks() }
            }
            program.close()
            Scheduler.wait("others") { scheduler.othersHaveEnded }
            program.checkEnd()
            scheduler.atRest = { _ in false }
            (beforeRequest, probe) = (nil, nil)
            program.onPostBegins = nil
            program.onPostEnded = nil
        } catch {
            scheduler.fail("no loop: \(error)")
        }
    }
    if showsTrace { show(scheduler, last: .max) }
    return scheduler.trace
}

private func make(
    _ scenario: Scenario, _ checks: StepChecks, _ random: inout SeededGenerator
) throws(GuestError) -> any ScheduledHost {
    switch scenario {
    case .asked: try AskedHost(checks, &random)
    case .frames: try FramesHost(checks, &random)
    case .headless: try SleepingHost(checks, &random)
    case .events, .leases: try EventsHost(checks, triesLeases: scenario == .leases, &random)
    }
}

private func show(_ scheduler: Scheduler, last: Int) {
    for step in scheduler.trace.suffix(last) {
        print(
            "  \(step.time - 1_000_000_000_000) ns  \(scheduler.name(of: step.participant))  \(step.label)\(step.line > 0 ? " (line \(step.line))" : "")"
        )
    }
}

/// Prints, and ends the process without running anything else: other threads are in the middle of something.
func end(_ message: String, _ status: Int32) -> Never {
    print(message)
    fflush(nil)
    _exit(status)
}

/// A number that two runs have in common only if they took the same steps.
func digestOf(_ trace: [ScheduleStep]) -> UInt64 {
    var digest = UInt64(14_695_981_039_346_656_037)
    func add(_ value: UInt64) { digest = (digest ^ value) &* 1_099_511_628_211 }
    for step in trace {
        add(UInt64(step.participant))
        add(UInt64(step.line))
        add(UInt64(bitPattern: step.time))
        step.label.withUTF8Buffer { for byte in $0 { add(UInt64(byte)) } }
    }
    return digest
}

/// A schedule takes milliseconds: one that takes 20 s sleeps in a call that the seam does not know. A trap ends the
/// process with the seed as well.
func installAlarm() {
    for number in [SIGALRM, SIGILL, SIGTRAP, SIGSEGV, SIGABRT, SIGBUS] {
        signal(number) { number in
            if let scheduler = Scheduler.current { show(scheduler, last: 40) }
            let reason =
                number == SIGALRM ? "it stands still in a call that the seam does not know" : "signal \(number)"
            end("FAILED \(current.scenario.rawValue) seed \(current.seed): \(reason)", number == SIGALRM ? 3 : 1)
        }
    }
}

struct Options {
    private(set) var scenario = Scenario.asked
    private(set) var first: UInt64 = 1
    private(set) var count: UInt64 = 1
    private(set) var mutant: Mutant?
    private(set) var showsTrace = false
    private(set) var digests = false

    mutating func read(_ arguments: ArraySlice<String>) {
        var rest = arguments
        while let option = rest.popFirst() {
            switch option {
            case "--trace": showsTrace = true
            case "--digest": digests = true
            default:
                guard let value = rest.popFirst(), take(option, value) else {
                    end(
                        "usage: Schedules --scenario \(Scenario.allCases.map(\.rawValue).joined(separator: "|")) --first SEED --count NUMBER [--mutant NAME] [--trace] [--digest]",
                        64)
                }
            }
        }
    }

    private mutating func take(_ option: String, _ value: String) -> Bool {
        switch option {
        case "--scenario": if let known = Scenario(rawValue: value) { scenario = known } else { return false }
        case "--first": if let number = UInt64(value) { first = number } else { return false }
        case "--count": if let number = UInt64(value) { count = number } else { return false }
        case "--mutant": if let known = Mutant(rawValue: value) { mutant = known } else { return false }
        default: return false
        }
        return true
    }
}
