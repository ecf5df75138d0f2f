// SPDX-License-Identifier: Apache-2.0
// Program: what a game would do with a loop: posts of two threads, timers, a watched pipe, a task that another thread
//          resumes, a close at some moment. What it does comes from the seed; what must be true afterwards is checked.
// Idea:   everything is counted where it happens. Since one thread runs at a time, plain variables do.
// Owner:  the UI thread, except where a method says otherwise.

import Glibc
import SystemPackage

@testable import Tandem

/// What a callback throws, now and then.
struct PlannedError: Error {}

final class Program: @unchecked Sendable {
    // Safe to send: one participant of the schedule runs at a time.

    struct Timer {
        let deadline: ContinuousClock.Instant
        var hasFired = false
        var isCancelled = false
    }

    let loop: GuestLoop
    let scheduler: Scheduler
    private(set) var random: SeededGenerator

    // Posts, by thread.
    private var planned: [Int]
    private var accepted: [[Int]] = [[], []]
    private var ran: [[Int]] = [[], []]
    /// Posts that have been accepted or are about to be.
    private var postsUnderWay = 0

    private var timers: [Timer] = []
    private var actionsLeft: Int
    private var callbacksDue = 0
    /// Each timer is due before those that were armed earlier, so that each has to wake the backend.
    private let countsDown: Bool
    private var handles: [CallbackHandle] = []

    private var pipe: (reader: FileDescriptor, writer: FileDescriptor)?
    private var watch: IOHandle?
    private var bytesToCome = 0
    private var bytesRead = 0
    private var bytesWritten = 0

    private var continuation: CheckedContinuation<Void, Never>?
    private var hasRun: Bool
    private var isResumed = false
    private var runResult: Result<Void, any Error>?

    /// How many rounds pass before the program closes the loop, done or not.
    private var roundsUntilClose: Int
    /// A callback closes the loop.
    private var closesInCallback: Bool
    private(set) var isClosing = false

    init(_ loop: GuestLoop, _ scheduler: Scheduler, seed: UInt64) {
        self.loop = loop
        self.scheduler = scheduler
        var random = SeededGenerator(seed: seed ^ 0x5EED)
        planned = random.below(4) == 0 ? [14, 8] : [random.below(6), random.below(4)]
        actionsLeft = random.below(8)
        countsDown = random.below(4) == 0
        bytesToCome = random.below(3)
        hasRun = random.below(4) == 0
        roundsUntilClose = random.below(3) == 0 ? random.below(8) : .max
        closesInCallback = random.below(8) == 0
        self.random = random
    }

    // MARK: The threads

    /// Starts the other threads and makes what the program begins with.
    func begin() {
        if bytesToCome > 0 { openPipe() }
        if hasRun { startRun() }
        for thread in 0..<2 where planned[thread] > 0 || (thread == 1 && hasRun) {
            scheduler.spawn("poster \(thread + 1)") { [self] in post(from: thread) }
        }
        if bytesToCome > 0 { scheduler.spawn("peer") { [self] in write() } }
        actOutsideTicks()
    }

    private func post(from thread: Int) {
        for number in 0..<planned[thread] {
            let isLoud = random.below(4) == 0
            let closes = closesInCallback && random.below(3) == 0
            onPostBegins?()
            do {
                try loop.post { [self] in
                    ran[thread].append(number)
                    if closes { close() } else { actInTick() }
                    if isLoud { throw PlannedError() }
                }
                accepted[thread].append(number)
            } catch {
                if !isClosing { scheduler.fail("a post was refused though the loop is open") }
            }
            onPostEnded?()
            if random.below(2) == 0 { Scheduler.sleep("between posts", for: Int64(random.below(4)) * 2_000_000) }
        }
        if thread == 1, hasRun {
            Scheduler.wait("continuation") { [self] in continuation != nil || runResult != nil }
            isResumed = true
            continuation?.resume()
        }
    }

    /// For hosts that refuse requests: a post begins and has ended. Any thread.
    var onPostBegins: (() -> Void)?
    var onPostEnded: (() -> Void)?

    private func openPipe() {
        do {
            let (reader, writer) = try FileDescriptor.pipe()
            pipe = (reader, writer)
            watch = try loop.whenReadable(reader) { [self] in
                var byte: UInt8 = 0
                if Glibc.read(reader.rawValue, &byte, 1) == 1 { bytesRead += 1 }
                if bytesRead == bytesToCome { watch?.cancel() }
                actInTick()
            }
        } catch { scheduler.fail("no watched pipe: \(error)") }
    }

    private func write() {
        for _ in 0..<bytesToCome {
            Scheduler.point("write")
            var byte: UInt8 = 1
            if Glibc.write(pipe!.writer.rawValue, &byte, 1) == 1 { bytesWritten += 1 }
        }
    }

    private func startRun() {
        loop.run { [self] in
            await withCheckedContinuation { continuation = $0 }
        } onDone: { [self] result in
            runResult = result
        }
    }

    // MARK: The UI thread

    /// Between two rounds of the host: schedules something, or closes the loop.
    func actOutsideTicks() {
        roundsUntilClose -= 1
        if roundsUntilClose <= 0 { return close() }
        guard random.below(2) == 0 else { return }
        for _ in 0...random.below(4) where actionsLeft > 0 { act() }
    }

    private func actInTick() {
        if closesInCallback, random.below(6) == 0 { return close() }
        if actionsLeft > 0, random.below(2) == 0 { act() }
    }

    private func act() {
        actionsLeft -= 1
        switch countsDown ? 0 : random.below(4) {
        case 0, 1: arm()
        case 2:
            callbacksDue += 1
            loop.callSoon { [self] in
                callbacksDue -= 1
                actInTick()
                if random.below(4) == 0 { throw PlannedError() }
            }
        default: cancel()
        }
    }

    private func arm() {
        let delays: [Int64] = [0, 2_000, 4_000, 6_000, 20_000, 900_000, 4_000_000, 7_000_000, 80_000_000]
        arm(after: delays[countsDown ? max(0, 8 - timers.count) : random.below(9)])
    }

    /// For hosts that try leases: while a timer is armed, somebody has to poll.
    func keepTimer() {
        if !hasTimer { arm(after: 20_000_000) }
    }

    private func arm(after delay: Int64) {
        let index = timers.count
        let deadline = loop.now.advanced(by: .nanoseconds(delay))
        timers.append(Timer(deadline: deadline))
        handles.append(
            loop.callAt(deadline) { [self] in
                if timers[index].isCancelled { scheduler.fail("a cancelled timer fired") }
                if timers[index].hasFired { scheduler.fail("a timer fired twice") }
                if loop.now < deadline { scheduler.fail("a timer fired early") }
                timers[index].hasFired = true
                actInTick()
            })
    }

    private func cancel() {
        guard let index = timers.firstIndex(where: { !$0.hasFired && !$0.isCancelled }) else { return }
        timers[index].isCancelled = true
        handles[index].cancel()
    }

    func close() {
        guard !isClosing else { return }
        isClosing = true
        loop.close()
    }

    // MARK: What must be true

    /// A timer is armed.
    var hasTimer: Bool { timers.contains { !$0.hasFired && !$0.isCancelled } }

    /// Everything that was to happen has happened.
    var isDone: Bool {
        ran[0].count == planned[0] && ran[1].count == planned[1] && callbacksDue == 0
            && timers.allSatisfy { $0.hasFired || $0.isCancelled } && bytesRead == bytesToCome
            && (!hasRun || runResult != nil)
    }

    /// Nobody can run until `time`, while the UI thread waits for the loop: nothing may lie there, and somebody has to
    /// wait for the nearest deadline. `allowance`: the host may learn of it so much later.
    func checkRest(until time: Int64?, allowance: Int64, isExcused: Bool) {
        func fail(after nanoseconds: Int64, since start: Int64 = 0, _ reason: String) {
            if max(start, scheduler.now).addingClamped(nanoseconds) < time ?? .max {
                scheduler.fail(reason + ", and everybody sleeps")
            }
        }
        if isClosing {
            if hasRun, isResumed, runResult == nil { fail(after: Self.pause, "a job lies there while the loop closes") }
            return
        }
        if isExcused { return }
        if accepted[0].count > ran[0].count || accepted[1].count > ran[1].count {
            fail(after: Self.pause, "a post lies there")
        }
        if callbacksDue > 0 { fail(after: Self.pause, "a callback is due") }
        let pending = timers.filter { !$0.hasFired && !$0.isCancelled }.map { loop.time.nanoseconds(at: $0.deadline) }
        if let nearest = pending.min() {
            // A thread that is kept from running after it has read the clock begins its wait later by so much.
            let late = max(allowance, Self.pause) + scheduler.timeSkipped
            fail(after: late, since: nearest, "a timer is due")
        }
        if bytesWritten > bytesRead { fail(after: max(allowance, Self.pause), "a descriptor is ready") }
    }

    /// How long a tick may pause for posts, and a lock's waiter sleep.
    private static let pause: Int64 = 60_000

    /// The schedule is over, and the loop has closed.
    func checkEnd() {
        for thread in 0..<2 where ran[thread] != accepted[thread] {
            scheduler.fail("thread \(thread + 1) had its posts \(accepted[thread]) accepted, and \(ran[thread]) ran")
        }
        if hasRun {
            guard let runResult else { scheduler.fail("a run's onDone was not called") }
            // Unless the grace period was skipped, a run whose continuation was resumed ends by itself.
            if case .failure(let error) = runResult, scheduler.timeSkipped < 900_000_000 {
                scheduler.fail("a run ended with \(error)")
            }
        }
        if let pipe {
            try? pipe.reader.close()
            try? pipe.writer.close()
        }
    }
}
