// SPDX-License-Identifier: Apache-2.0
// KeptTurnTests: a UI thread that sleeps by itself keeps the turn; one that goes elsewhere loses it, and nothing else.

import CTestSupport
import Foundation
import Glibc
import TandemTesting
import Testing

@testable import Tandem

/// A host whose thread sleeps on its waker when the test says so.
final class KeptTurnHost: GuestHost {
    let waker: Waker
    private let requests = DispatchSemaphore(value: 0)

    init() throws { waker = try Waker() }

    func requestTick() -> Bool {
        waker.wake()
        requests.signal()
        return true
    }

    /// Sleeps elsewhere, where only a request ends it.
    func sleepElsewhere() -> Bool { requests.wait(timeout: .now() + 20) == .success }
    /// Requests that were answered.
    func forget() { while requests.wait(timeout: .now()) == .success {} }
}

extension Core.KeptTurnTests {
    /// A loop whose UI thread has slept by itself and has the turn, and a pipe whose reader counts. The lease, in
    /// nanoseconds, does not run out unless the test says so.
    func withKeptTurn(
        lease: Int64 = 60_000_000_000, _ body: (KeptTurnHost, GuestLoop, Pipe, Box<Int>) throws -> Void
    ) throws {
        var configuration = Configuration.unhurried
        configuration.turnLease = lease
        let tick = { (host: KeptTurnHost, loop: GuestLoop) in
            loop.whileWaiting(on: host.waker) {}
            loop.tick(then: .wait)
        }
        try withFirstReport(configuration, tick: tick, body: body)
    }

    /// A loop whose backend has seen a byte in a pipe and has asked for a tick, which `tick` is to be.
    private func withFirstReport(
        _ configuration: Configuration, tick: (KeptTurnHost, GuestLoop) -> Void,
        body: (KeptTurnHost, GuestLoop, Pipe, Box<Int>) throws -> Void
    ) throws {
        let host = try KeptTurnHost()
        let loop = try GuestLoop(host: host, configuration: configuration)
        defer { loop.close() }
        let pipe = try Pipe()
        let count = Box(0)
        _ = try loop.whenReadable(pipe.reader) { count.value += pipe.read() }
        try pipe.write()
        #expect(host.sleepElsewhere())
        tick(host, loop)
        #expect(count.value == 1)
        host.forget()
        try body(host, loop, pipe, count)
    }

    @Test func aHostThatSleepsByItselfKeepsTheTurnAndPollsByItself() throws {
        let host = try HeadlessHost()
        defer { host.close() }
        let pipe = try Pipe()
        var count = 0
        _ = try host.loop.whenReadable(pipe.reader) {
            count += pipe.read()
            if count < 50 { try pipe.write() }
        }
        try pipe.write()
        #expect(host.run(within: .seconds(20)) { count == 50 })
        // The backend had it at the beginning, and never again.
        #expect(host.loop.statistics.turnsPassed == 0)
        #expect(host.loop.statistics.hotPolls >= 1)
    }

    @Test func itsTimersNeedNoOtherThread() throws {
        let host = try HeadlessHost()
        defer { host.close() }
        host.loop.callSoon {}
        let pipe = try Pipe()
        let watch = try host.loop.whenReadable(pipe.reader) { _ = pipe.read() }
        try pipe.write()
        #expect(host.run(within: .seconds(20)) { host.loop.statistics.ioEvents == 1 })
        watch.cancel()
        let before = host.loop.statistics
        var late: [Duration] = []
        for _ in 0..<20 {
            let deadline = host.loop.now + .milliseconds(2)
            host.loop.callAt(deadline) { late.append(deadline.duration(to: host.loop.now)) }
            let target = late.count + 1
            #expect(host.run(within: .seconds(20)) { late.count == target })
        }
        #expect(late.allSatisfy { $0 >= .zero })
        #expect(host.loop.statistics.turnsPassed == before.turnsPassed)
        #expect(host.loop.statistics.wakePipeWrites == before.wakePipeWrites)
    }

    /// A loop of a program that says it ticks regularly, whose lease is so long (in nanoseconds), after its first report.
    private func withRegularTicks(
        lease: Int64, _ body: (KeptTurnHost, GuestLoop, Pipe, Box<Int>) throws -> Void
    ) throws {
        var configuration = Configuration.unhurried
        configuration.expectsRegularTicks = true
        configuration.turnLeaseBetweenTicks = lease
        configuration.turnLease = 5_000_000
        try withFirstReport(configuration, tick: { _, loop in loop.tick() }, body: body)
    }

    @Test func whereTicksAreRegularEachPollsAndNobodyAsksForOne() throws {
        try withRegularTicks(lease: 60_000_000_000) { _, loop, pipe, count in
            let before = loop.statistics
            for round in 2...20 {
                try pipe.write()
                loop.tick()
                #expect(count.value == round)
                #expect(loop.tick().isEmpty)
            }
            var hasFired = false
            loop.callLater(.milliseconds(2)) { hasFired = true }
            let end = loop.now + .seconds(20)
            while !hasFired, loop.now < end { loop.tick() }
            #expect(hasFired)
            let after = loop.statistics
            #expect(after.hintsPosted == before.hintsPosted)
            #expect(after.turnsPassed == before.turnsPassed)
            #expect(after.wakePipeWrites == before.wakePipeWrites)
        }
    }

    @Test func whereTicksAreRegularAndThenDoNotComeTheBackendAsksForOne() throws {
        try withRegularTicks(lease: 5_000_000) { host, loop, pipe, count in
            for round in 2...4 {
                try pipe.write()
                #expect(host.sleepElsewhere())
                loop.tick()
                #expect(count.value == round)
                var hasFired = false
                loop.callLater(.milliseconds(20)) { hasFired = true }
                while !hasFired {
                    #expect(host.sleepElsewhere())
                    loop.tick()
                }
                host.forget()
            }
        }
    }

    /// A wait leases the turn for less, while the long lease's timer runs.
    @Test func beforeAWaitTheLongLeaseIsOver() throws {
        try withRegularTicks(lease: 60_000_000_000) { host, loop, pipe, count in
            loop.tick(then: .wait)
            try pipe.write()
            #expect(host.sleepElsewhere())
            loop.tick()
            #expect(count.value == 2)
        }
    }

    @Test func whoSleepsElsewhereAfterwardsIsToldOfReadyDescriptors() throws {
        try withKeptTurn(lease: 5_000_000) { host, loop, pipe, count in
            let passed = loop.statistics.turnsPassed
            try pipe.write()
            #expect(host.sleepElsewhere())
            loop.tick()
            #expect(count.value == 2)
            // Once because the lease ran out, and once by a tick of which nobody knows what follows.
            #expect(loop.statistics.turnsPassed == passed + 2)
        }
    }

    /// A thread that loses its core for as long as the lease, before it sets the timer, has to wake the backend: then it is tried again.
    @Test func whoSleepsElsewhereAfterwardsIsToldOfTimers() throws {
        var writes = 1
        for _ in 0..<50 where writes > 0 {
            try withKeptTurn(lease: 5_000_000) { host, loop, _, _ in
                var fired = false
                loop.callLater(.milliseconds(20)) { fired = true }
                while !fired {
                    #expect(host.sleepElsewhere())
                    loop.tick()
                }
                writes = loop.statistics.wakePipeWrites
            }
        }
        // The backend took the turn long before the deadline, and needed no wake: it read the deadline afterwards.
        #expect(writes == 0)
    }

    @Test func anEarlierDeadlineWakesTheBackendThatTookTheTurn() throws {
        try withKeptTurn(lease: 1) { host, loop, _, _ in
            while !loop.shared.turn.backendHasIt { usleep(100) }
            var fired = false
            loop.callLater(.milliseconds(2)) { fired = true }
            #expect(loop.statistics.wakePipeWrites == 1)
            while !fired {
                #expect(host.sleepElsewhere())
                loop.tick()
            }
        }
    }

    @Test func aTickOfALoopThatSaysNothingPassesTheTurn() throws {
        try withKeptTurn { _, loop, _, _ in
            let before = loop.statistics
            // The tick before a wait kept it; this one polls once, and nobody knows where the host sleeps next.
            loop.tick()
            #expect(loop.statistics.turnsPassed == before.turnsPassed + 1)
            #expect(loop.statistics.hotPolls == before.hotPolls + 1)
            // From here on an idle tick looks at nothing.
            loop.tick()
            #expect(loop.statistics.hotPolls == before.hotPolls + 1)
        }
    }

    @Test func aPollThatFailsIsReportedAlsoWhereTheHostSleepsByItself() throws {
        let host = try HeadlessHost()
        defer { host.close() }
        let pipe = try Pipe()
        _ = try host.loop.whenReadable(pipe.reader) { _ = pipe.read() }
        try pipe.write()
        #expect(host.run(within: .seconds(20)) { host.loop.statistics.ioEvents == 1 })
        var outcome: Result<Void, any Error>?
        host.loop.run({ [loop = host.loop] in try await loop.sleep(for: .seconds(1000)) }) { outcome = $0 }
        host.loop.breakPolling()
        #expect(host.run(within: .seconds(20)) { outcome != nil })
        let error = #expect(throws: GuestError.self) { try outcome?.get() }
        #expect(error?.code == .backendFailed)
        // And the host still sleeps.
        let ticks = host.loop.statistics.ticks
        _ = host.run(within: .milliseconds(30)) { false }
        #expect(host.loop.statistics.ticks < ticks + 10)
    }

    @Test func closingEndsTheBackendWhereverTheTurnIs() throws {
        for lease: Int64 in [1, 50_000, 5_000_000] {
            for pause: UInt32 in [0, 100] {
                try withKeptTurn(lease: lease) { _, _, _, _ in usleep(pause) }
            }
        }
        let host = try HeadlessHost()
        host.loop.callSoon { host.close() }
        #expect(host.run(within: .seconds(20)) { host.loop.hasClosed })
    }

    /// The backend takes a leased turn at every moment that there is; each byte is read once all the same, and nobody is forgotten.
    @Test func theTurnGoesToAndFroAtAnyMoment() throws {
        for lease: Int64 in [1, 2000, 20_000, 60_000] {
            try withKeptTurn(lease: lease) { host, loop, pipe, count in
                let total = 1500
                var fired = 0
                let writer = pipe.writer
                Thread.detachNewThread {
                    for number in 1..<total {
                        _ = try? writer.writeAll([1])
                        if number % 4 == 0 { usleep(UInt32(number % 7) * 10) }
                    }
                }
                let end = ContinuousClock.now + .seconds(60)
                var number = 0
                while count.value < total {
                    guard ContinuousClock.now < end else {
                        Issue.record("\(count.value) of \(total) bytes with a lease of \(lease) ns")
                        return
                    }
                    number += 1
                    switch number % 4 {
                    case 0:
                        loop.whileWaiting(on: host.waker) {
                            if !loop.hasWork { _ = loop.sleep(on: host.waker, until: loop.hostTime + 10_000_000) }
                        }
                    case 1: usleep(UInt32(number % 5) * 10)
                    case 2: loop.callLater(.microseconds(number % 50)) { fired += 1 }
                    default: break
                    }
                    loop.tick(then: .wait)
                }
                #expect(count.value == total)
                // No report of a byte that had been read already.
                #expect(loop.statistics.ioEvents <= total)
                #expect(loop.statistics.staleEvents == 0)
                while loop.nextDeadline != nil {
                    loop.whileWaiting(on: host.waker) {
                        if !loop.hasWork { _ = loop.sleep(on: host.waker, until: loop.hostTime + 10_000_000) }
                    }
                    loop.tick()
                }
                #expect(loop.statistics.timersFired == fired)
            }
        }
    }

    /// A host that draws does not wait for posts to gather. The turn stays with it on a lease.
    @Test func aTickBeforeAFrameWaitsForNothingAndKeepsTheTurn() throws {
        try withKeptTurn { host, loop, pipe, count in
            let before = loop.statistics
            loop.tick(then: .frame)
            try pipe.write()
            loop.tick(then: .frame)
            #expect(count.value == 2)
            #expect(loop.statistics.turnsPassed == before.turnsPassed)
            #expect(loop.shared.turn.isWithUIThread)
            // The drawing goes on for longer than the lease of 40 ms.
            try pipe.write()
            #expect(host.sleepElsewhere())
            loop.tick(then: .frame)
            #expect(count.value == 3)
            #expect(loop.statistics.turnsPassed == before.turnsPassed + 1)
        }
        for next in [AfterTick.frame, .unknown, .wait] {
            var tick = TickBudget(budget: 1_000_000, began: 0, endOfLast: 0, isVirtual: false, next: next)
            tick.beginPass()
            #expect(tick.hasTimeToPause(at: 0) == (next == .wait))
        }
    }

    /// A host that watches a descriptor of its own must not take such a sleep for one that has looked at it.
    @Test func aSleepForATimerThatIsNearlyDueSaysThatItHasLookedAtNoDescriptor() throws {
        try withKeptTurn { host, loop, pipe, _ in
            var fired = 0
            loop.callLater(.microseconds(10)) { fired += 1 }
            try pipe.write()
            let wake = loop.whileWaiting(on: host.waker) {
                loop.sleep(on: host.waker, until: .never, watching: pipe.reader.rawValue)
            }
            #expect(wake == .stayedAwake)
            #expect(loop.hasWork)
            loop.tick()
            #expect(fired == 1)
        }
    }

    /// What a sleep beside a host's descriptor has seen to be ready, and has not taken, only the holder of the turn can look at.
    @Test func whoPassesTheTurnAfterASleepThatADescriptorEndedHasNoWorkLeft() throws {
        try withKeptTurn { host, loop, pipe, _ in
            try pipe.write()
            let quiet = try Pipe()
            let wake = loop.whileWaiting(on: host.waker) {
                loop.sleep(
                    on: host.waker, until: loop.hostTime + 20_000_000_000, watching: quiet.reader.rawValue)
            }
            #expect(wake.contains(.readiness))
            #expect(loop.hasWork)
            // Read by somebody else meanwhile, so that the backend finds nothing to announce.
            #expect(pipe.read() == 1)
            loop.passKeptTurn()
            #expect(!loop.hasWork)
        }
    }

    /// Behaviour 31. Each signal ends the sleep; all of them together do not move its end.
    @Test func aSleepThatSignalsEndAgainAndAgainKeepsItsEnd() throws {
        let host = try KeptTurnHost()
        let loop = try GuestLoop(host: host, configuration: .unhurried)
        defer { loop.close() }
        test_alarm_storm(2000)
        defer { test_alarm_storm(0) }
        let start = loop.now
        let end = start + .milliseconds(30)
        var sleeps = 0
        loop.whileWaiting(on: host.waker) {
            while loop.now < end, loop.now < start + .seconds(20) {
                sleeps += 1
                _ = loop.sleep(on: host.waker, until: loop.hostTime(of: end))
            }
        }
        #expect(loop.now < start + .seconds(10))
        #expect(sleeps < 10_000)
    }
}
