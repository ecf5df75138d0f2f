// SPDX-License-Identifier: Apache-2.0
// Scheduler: decides which of the participating threads runs, at each access to what they share.
// Idea:   the threads are real, but one runs at a time. At each point of the seam (an atomic operation, a lock, a call
//         that may sleep) the running thread asks here, and the answer comes from a seeded generator: mostly it goes
//         on, at a few points another thread does. Few pre-emptions find most faults (Musuvathi and Qadeer, "Iterative
//         context bounding"; Burckhardt et al., "A randomized scheduler with probabilistic guarantees"). A thread that
//         sleeps has a condition; if no thread can run and no time is awaited, that is a deadlock.
// Owner:  the thread that runs. Handing over orders the accesses.
// Breaks: if a participant slept in a call that the seam does not know, nobody would run: the alarm of the program ends
//         it then, with the seed.

import Glibc
import TandemCLinux

package final class Scheduler: @unchecked Sendable {
    // Safe to send: the state below is used by the one participant that runs.

    // Safe: set and cleared by the thread that runs a schedule, while there is no other participant.
    package private(set) nonisolated(unsafe) static var current: Scheduler?

    private let plan: SchedulePlan
    private var random: SeededGenerator
    private var participants: [Participant] = []
    /// Virtual time, in nanoseconds.
    package private(set) var now: Int64 = 1_000_000_000_000
    private(set) var devices = VirtualDevices()
    private var steps: [ScheduleStep] = []
    /// Called when nobody can run, with the time that is awaited next (`nil`: none). `true`: it has changed something.
    package var atRest: (Int64?) -> Bool = { _ in false }
    /// How much time has passed although somebody could run.
    package private(set) var timeSkipped: Int64 = 0
    /// Called once with what went wrong; it does not return.
    private let fails: (String) -> Never

    /// - Parameter fails: ends the process: the participants cannot be unwound.
    package init(seed: UInt64, plan: SchedulePlan, fails: @escaping (String) -> Never) {
        var random = SeededGenerator(seed: seed)
        self.plan = plan.chosen(by: &random)
        self.random = random
        self.fails = fails
        steps.reserveCapacity(4096)
    }

    /// What has been done so far.
    package var trace: [ScheduleStep] { steps }
    package func name(of participant: UInt8) -> String { participants[Int(participant)].name }

    /// Runs `body` on the calling thread as the first participant, and returns when every participant has ended.
    package func run(_ name: String, _ body: () -> Void) {
        let first = Participant(name: name, index: 0, body: nil)
        participants = [first]
        first.becomeThisThread()
        Self.current = self
        body()
        sleep("end", first) { [self] in othersHaveEnded }
        Self.current = nil
        Participant.leaveThisThread()
        for participant in participants.dropFirst() { participant.join() }
        devices.close()
    }

    /// A participant starts another one.
    package func spawn(_ name: String, _ body: @escaping () -> Void) {
        _ = start(name, body)
    }

    func start(_ name: String, _ body: @escaping () -> Void) -> Participant {
        let participant = Participant(name: name, index: UInt8(participants.count), body: body)
        participants.append(participant)
        participant.start { [self] in
            participant.waitForBaton()
            participant.becomeThisThread()
            body()
            participant.state = .ended
            next(after: participant).passBaton()
        }
        return participant
    }

    /// Something is wrong: ends the process.
    package func fail(_ reason: String) -> Never { fails(reason) }

    /// A participant of the program's waits until the condition holds.
    package static func wait(_ label: StaticString, until condition: @escaping () -> Bool) {
        guard let (scheduler, me) = Participant.here else { return }
        scheduler.point(label, 0, me)
        scheduler.sleep(label, me, for: condition)
    }

    /// A participant of the program's sleeps for some nanoseconds.
    package static func sleep(_ label: StaticString, for nanoseconds: Int64) {
        guard let (scheduler, me) = Participant.here else { return }
        scheduler.sleep(label, me, until: scheduler.now + nanoseconds) { false }
    }

    /// A participant of the program's is about to do something that others may see.
    package static func point(_ label: StaticString) { seam(label) }

    /// Participant: writing the eventfd that is made next fails, as if other code had closed it.
    package static func refuseNextEventfd() {
        if let (scheduler, _) = Participant.here { scheduler.withDevices { $0.refuseNextEventfd() } }
    }

    // MARK: Points

    /// The participant that calls is about to do something that others may see.
    func point(_ label: StaticString, _ line: UInt32, _ me: Participant) {
        note(label, line, me)
        guard plan.switches(at: steps.count, &random) else { return }
        let others = participants.filter { $0 !== me && canRun($0) }
        let due = nextTime
        let options = others.count + (due == nil ? 0 : 1)
        guard options > 0 else { return }
        let choice = random.below(options)
        if choice == others.count { return interrupt(at: due!, me) }
        handOver(to: others[choice], from: me)
    }

    /// The participant waits until the condition holds, or until the time. `false`: the time has come.
    @discardableResult
    func sleep(
        _ label: StaticString, _ me: Participant, until time: Int64 = .max, for condition: @escaping () -> Bool
    ) -> Bool {
        note(label, 0, me)
        if condition() { return true }
        if time <= now { return false }
        me.state = .sleeping
        me.condition = condition
        me.wakesAt = time
        handOver(to: next(after: me), from: me)
        me.state = .ready
        me.condition = nil
        return condition()
    }

    /// The participant looks again and again: another one runs, or time passes.
    func spin(_ label: StaticString, _ me: Participant) {
        note(label, 0, me)
        let others = participants.filter { $0 !== me && canRun($0) }
        if !others.isEmpty { return handOver(to: others[random.below(others.count)], from: me) }
        advance(to: min(now + 10_000, nextTime ?? .max))
    }

    /// The clock, read by a participant. Reading it takes some time, in some schedules.
    func readClock() -> Int64 {
        advance(to: now + plan.clockStep)
        return now
    }

    // MARK: Who runs

    private func note(_ label: StaticString, _ line: UInt32, _ me: Participant) {
        steps.append(ScheduleStep(participant: me.index, label: label, line: line, time: now))
        if steps.count > plan.mostSteps { fail("more than \(plan.mostSteps) steps: somebody is busy with nothing") }
    }

    private func canRun(_ participant: Participant) -> Bool {
        switch participant.state {
        case .ready: true
        case .sleeping: participant.wakesAt <= now || participant.condition?() ?? false
        case .ended: false
        }
    }

    /// Who runs when `me` cannot.
    private func next(after me: Participant) -> Participant {
        while true {
            let options = participants.filter(canRun)
            let due = nextTime
            if !options.isEmpty {
                // Time may also pass although somebody could run.
                if let due, random.below(8) == 0 {
                    skip(to: due)
                } else {
                    return options[random.below(options.count)]
                }
            } else if atRest(due) {
                continue
            } else if let due {
                advance(to: due)
            } else {
                fail(
                    "nobody can run: "
                        + participants.filter { $0.state != .ended }.map { "\($0.name) sleeps" }.joined(separator: ", ")
                )
            }
        }
    }

    private func handOver(to other: Participant, from me: Participant) {
        guard other !== me else { return }
        other.passBaton()
        me.waitForBaton()
    }

    /// The next moment at which something happens by itself.
    private var nextTime: Int64? {
        var time = devices.nextTime
        for participant in participants where participant.state == .sleeping { time = min(time, participant.wakesAt) }
        return time == .max || time <= now ? nil : time
    }

    /// Time passes while `me` is about to go on, and whom it wakes may run first.
    private func interrupt(at time: Int64, _ me: Participant) {
        let sleepers = participants.filter { !canRun($0) }
        skip(to: time)
        let woken = sleepers.filter(canRun)
        if !woken.isEmpty, random.below(2) == 0 { handOver(to: woken[random.below(woken.count)], from: me) }
    }

    private func skip(to time: Int64) {
        timeSkipped += time - now
        advance(to: time)
    }

    private func advance(to time: Int64) {
        now = max(now, time)
        devices.expire(at: now)
    }

    /// Whether no other participant is left.
    package var othersHaveEnded: Bool { participants.dropFirst().allSatisfy { $0.state == .ended } }

    // MARK: Devices

    /// Calls `body` with what the seam keeps for the kernel.
    func withDevices<Result>(_ body: (inout VirtualDevices) -> Result) -> Result { body(&devices) }

    /// The participant whose thread this is.
    func participant(with thread: pthread_t) -> Participant? { participants.first { $0.thread == thread } }
}

/// One step of a schedule.
package struct ScheduleStep {
    package let participant: UInt8
    package let label: StaticString
    package let line: UInt32
    package let time: Int64
}
