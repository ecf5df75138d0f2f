// SPDX-License-Identifier: Apache-2.0
// WaitPolicyTests: what a loop takes from the times of its ticks and timers, and what its host notices of it.

import Foundation
import Glibc
import TandemTesting
import Testing

@testable import Tandem

extension Core {
    @Suite struct WaitPolicyTests {
        @Test func aThreadSleepsOnlyWhereItCanWakeBeforeItsDeadline() {
            let now: Nanoseconds = 5_000_000
            for (distance, isTooNear) in [(-1, true), (0, true), (19_999, true), (20_000, false), (1_000_000, false)] {
                #expect(WaitPolicy.isTooNearToSleep(now + Int64(distance), now: now) == isTooNear, "\(distance)")
            }
            #expect(!WaitPolicy.isTooNearToSleep(.never, now: now))
        }

        /// Whether a tick polls, while its thread stays awake for the answers of another one.
        @Test func aThreadThatStaysAwakePollsOnceInAWhile() throws {
            let turn = try PollTurn(lease: 1_000_000_000, leaseBetweenTicks: 1_000_000_000, ticksRegularly: false)
            defer { turn.close() }
            turn.received()
            turn.noteStayedAwake()
            #expect(!turn.beginTick(at: 0), "not in a wait")
            #expect(turn.beginWait())
            for (time, leavesOutPoll) in [
                (1_000_000, false), (1_099_999, true), (1_100_000, false), (1_199_999, true), (1_200_500, false),
            ] {
                turn.noteStayedAwake()
                #expect(turn.beginTick(at: Nanoseconds(time)) == leavesOutPoll, "\(time)")
            }
            // The loop's work has ended the wait, and the program ticks.
            turn.noteStayedAwake()
            turn.endWait(at: 1_210_000, byWork: true)
            #expect(turn.beginTick(at: 1_220_000))
            #expect(turn.beginWait())
            // A sleep has looked, and then the thread stays awake again.
            turn.sleepEnded(isReady: false)
            #expect(turn.beginTick(at: 5_000_000))
            turn.noteStayedAwake()
            #expect(turn.beginTick(at: 5_050_000))
            turn.sleepEnded(isReady: true)
            turn.noteStayedAwake()
            #expect(!turn.beginTick(at: 5_060_000), "something is ready")
            // A tick without either polls.
            #expect(!turn.beginTick(at: 5_061_000))
        }

        @Test func aDescriptorIsReportedWhileAnotherThreadIsAnsweredAllTheTime() throws {
            let host = try HeadlessHost()
            defer { host.close() }
            let pipe = try Pipe()
            let (hasReport, ends) = (Box(false), DispatchSemaphore(value: 0))
            _ = try host.loop.whenReadable(pipe.reader) {
                _ = pipe.read()
                hasReport.value = true
            }
            let (proxy, writer) = (host.loop.proxy, pipe.writer.rawValue)
            DispatchQueue.global().async {
                let answer = DispatchSemaphore(value: 0)
                for round in 1... {
                    let goesOn = Box(true)
                    try? proxy.post {
                        if round == 1000 { _ = write(writer, "x", 1) }
                        goesOn.value = !hasReport.value
                        answer.signal()
                    }
                    answer.wait()
                    if !goesOn.value { break }
                }
                ends.signal()
            }
            #expect(host.run(within: .seconds(20)) { hasReport.value })
            #expect(host.run(within: .seconds(20)) { ends.wait(timeout: .now()) == .success })
        }
    }
}
