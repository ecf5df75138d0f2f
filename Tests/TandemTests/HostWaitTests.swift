// SPDX-License-Identifier: Apache-2.0
// HostWaitTests: the order in which a host's wait checks, runs work, compares the time and sleeps.

import Foundation
import TandemTesting
import Testing

@testable import Tandem

/// A host whose thread sleeps in the loop's wait.
private final class WakerHost: GuestHost {
    let waker: Waker

    init() throws { waker = try Waker() }

    func requestTick() -> Bool {
        waker.wakeForLoop()
        return true
    }
}

extension WaitStep {
    fileprivate var name: String {
        switch self {
        case .began: "began"
        case .woke: "woke"
        case .ticked: "ticked"
        case .skippedTime: "skipped"
        }
    }
}

extension Core {
    @Suite struct HostWaitTests {
        private func withWaitingLoop(
            _ configuration: Configuration = .unhurried, _ body: (Waker, GuestLoop) throws -> Void
        ) throws {
            let host = try WakerHost()
            let loop = try GuestLoop(host: host, configuration: configuration)
            defer { loop.close() }
            try body(host.waker, loop)
        }

        @Test func aWaitWhoseWorkIsTheHostsEndsBeforeItChecksAnything() throws {
            try withWaitingLoop { waker, loop in
                loop.callSoon {}
                let end = loop.wait(on: waker, until: nil, work: .endsWait) { _ in
                    Issue.record("there was work already")
                    return .ends
                }
                #expect(end == .work)
                loop.tick()
                #expect(loop.wait(on: waker, until: loop.hostNow, work: .endsWait) { _ in .ends } == .time)
            }
        }

        @Test func aCheckComesFirstAndAfterEachThingThatHappened() throws {
            let (configuration, clock) = virtualConfiguration()
            try withWaitingLoop(configuration) { waker, loop in
                let start = clock.now
                var steps: [String] = []
                loop.callSoon { steps.append("work") }
                loop.callLater(.seconds(2)) { steps.append("timer") }
                let end = loop.wait(on: waker, until: start + .seconds(3), work: .runs) {
                    steps.append($0.name)
                    return .goesOn
                }
                #expect(end == .time)
                #expect(clock.now == start + .seconds(3))
                #expect(steps == ["began", "work", "ticked", "skipped", "timer", "ticked", "skipped"])
            }
        }

        /// A frame that begins at the same time finds its timer's work done.
        @Test func workThatIsDueWhenTheWaitEndsStillRuns() throws {
            for work in [WorkInWait.runs, .runsUntilEnd] {
                let (configuration, clock) = virtualConfiguration()
                try withWaitingLoop(configuration) { waker, loop in
                    let end = clock.now + .seconds(1)
                    var hasRun = false
                    loop.callAt(end) { hasRun = true }
                    #expect(loop.wait(on: waker, until: end, work: work) { _ in hasRun ? .ends : .goesOn } == .checked)
                }
            }
        }

        /// Callbacks that go on scheduling callbacks keep no wait beyond its end.
        @Test func endlessWorkDoesNotMoveTheEndOfAWait() throws {
            try withWaitingLoop(Configuration(budget: .milliseconds(1))) { waker, loop in
                var isOver = false
                func again() { if !isOver { loop.callSoon { again() } } }
                again()
                let end = loop.hostNow + .milliseconds(20)
                #expect(loop.wait(on: waker, until: end, work: .runs) { _ in .goesOn } == .time)
                #expect(loop.wait(on: waker, until: end, work: .runsUntilEnd) { _ in .goesOn } == .time)
                isOver = true
            }
        }

        @Test func aHostsDescriptorEndsTheSleepAndIsNamed() throws {
            try withWaitingLoop { waker, loop in
                let pipe = try Pipe()
                try pipe.write()
                var wakes: [Wake] = []
                let end = loop.wait(
                    on: waker, until: loop.hostNow + .seconds(20), also: pipe.reader.rawValue, work: .endsWait
                ) { step in
                    guard case .woke(let wake, _) = step else { return .goesOn }
                    wakes.append(wake)
                    return wake.contains(.descriptor) ? .ends : .goesOn
                }
                #expect(end == .checked)
                #expect(wakes.last == .descriptor)
            }
        }

        /// What nothing announces is found by a check that asks for the next one.
        @Test func aCheckThatAsksForItComesAgain() throws {
            try withWaitingLoop { waker, loop in
                let start = loop.hostNow
                var checks = 0
                let end = loop.wait(on: waker, until: start + .seconds(20), work: .endsWait) { _ in
                    checks += 1
                    return checks < 4 ? .checksAgain(within: 1_000_000) : .ends
                }
                #expect(end == .checked)
                #expect(loop.hostNow < start + .seconds(10))
            }
        }

        @Test func aWaitInWhichItsLoopIsClosedEnds() throws {
            for work in [WorkInWait.runs, .runsUntilEnd] {
                try withWaitingLoop { waker, loop in
                    loop.callSoon { loop.close() }
                    #expect(
                        loop.wait(on: waker, until: loop.hostNow + .seconds(20), work: work) { _ in .goesOn } == .closed
                    )
                    // On a closed loop a wait is the host's own sleep.
                    #expect(
                        loop.wait(on: waker, until: loop.hostNow + .milliseconds(1), work: work) { _ in .goesOn }
                            == .time)
                }
            }
        }

        /// Work that comes after the look, from another thread, ends the sleep; nothing is slept over.
        @Test func noPostIsSleptOver() throws {
            try withWaitingLoop { waker, loop in
                let total = 200
                let proxy = loop.proxy
                Thread.detachNewThread {
                    for number in 0..<total {
                        try? proxy.post {}
                        if number % 3 == 0 { usleep(UInt32(number % 7) * 20) }
                    }
                }
                let end = loop.hostNow + .seconds(20)
                #expect(
                    loop.wait(on: waker, until: end, work: .runs) { _ in
                        loop.statistics.posts == total && !loop.hasWork ? .ends : .goesOn
                    } == .checked)
                #expect(loop.statistics.callbacks == total)
            }
        }

        /// The sleep between two ticks watches the descriptors, so that a tick need not poll when it ends, nor when a sleep has
        /// just seen that there is nothing.
        @Test func aTickBetweenTwoSleepsPollsAtMostOnce() throws {
            try withWaitingLoop { waker, loop in
                let pipe = try Pipe()
                var (fired, read) = (0, 0)
                let watch = try loop.whenReadable(pipe.reader) { read += pipe.read() }
                func armNext() {
                    loop.callLater(.milliseconds(2)) {
                        fired += 1
                        if fired < 20 { armNext() }
                    }
                }
                armNext()
                let (before, end) = (loop.statistics, loop.hostNow + .seconds(20))
                #expect(loop.wait(on: waker, until: end, work: .runs) { _ in fired < 20 ? .goesOn : .ends } == .checked)
                let ticks = loop.statistics.ticks - before.ticks
                #expect(ticks >= 20)
                #expect(loop.statistics.hotPolls - before.hotPolls <= ticks)
                // What a tick has not polled for is seen by the sleep that follows.
                loop.callSoon { try pipe.write() }
                #expect(loop.wait(on: waker, until: end, work: .runs) { _ in read == 0 ? .goesOn : .ends } == .checked)
                watch.cancel()
            }
        }

        @Test func aTickAfterAWaitFindsWhatTheProgramHasDoneSinceTheWaitEnded() throws {
            try withWaitingLoop { waker, loop in
                let pipe = try Pipe()
                var read = 0
                let watch = try loop.whenReadable(pipe.reader) { read += pipe.read() }
                // The first wait gets the turn back from the backend, so that the sleeps of the others watch the descriptors.
                try pipe.write()
                let end = loop.hostNow + .seconds(20)
                _ = loop.wait(on: waker, until: end, work: .runs) { _ in read == 0 ? .goesOn : .ends }
                for count in 2...20 {
                    _ = loop.wait(on: waker, until: loop.hostNow + .milliseconds(1), work: .endsWait) { _ in .goesOn }
                    try pipe.write()
                    loop.tick(then: .wait)
                    #expect(read == count)
                }
                watch.cancel()
            }
        }

        @Test func aSleepElsewhereComesAfterWorkTheEndAndVirtualTime() throws {
            let (configuration, clock) = virtualConfiguration()
            try withWaitingLoop(configuration) { _, loop in
                func wait(until end: ContinuousClock.Instant?) -> (WaitEnd?, Duration?, Bool) {
                    var (left, hasSlept): (Duration?, Bool) = (nil, false)
                    let end = loop.waitElsewhere(untilTime: loop.hostTime(of: end)) { (left, hasSlept) = ($0, true) }
                    return (end, left, hasSlept)
                }
                let start = clock.now
                #expect(wait(until: nil) == (nil, nil, true))
                #expect(wait(until: start) == (.time, nil, false))
                #expect(wait(until: start + .seconds(1)) == (.time, nil, false))
                #expect(clock.now == start + .seconds(1))
                loop.callLater(.seconds(1)) {}
                #expect(wait(until: nil) == (.work, nil, false))
                #expect(clock.now == start + .seconds(2))
            }
            try withWaitingLoop { _, loop in
                var left: Duration?
                #expect(loop.waitElsewhere(untilTime: loop.hostTime + 20_000_000_000) { left = $0 } == nil)
                #expect(left! > .zero && left! <= .seconds(20))
            }
        }
    }
}
