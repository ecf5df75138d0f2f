// SPDX-License-Identifier: Apache-2.0
// SleepInSetTests: a UI thread that has the turn sleeps in the epoll set itself, and takes what it finds there.

import Foundation
import TandemTesting
import Testing

@testable import Tandem

extension Core.KeptTurnTests {
    /// A sleep takes what is ready out of the epoll set, so that the tick has nothing to poll for; also if it comes late, and the turn has gone.
    @Test(arguments: [false, true]) func whatASleepHasFoundIsHandledOnce(leaseEnds: Bool) throws {
        try withKeptTurn(lease: leaseEnds ? 5_000_000 : 60_000_000_000) { host, loop, pipe, count in
            let (other, once) = (try Pipe(), Box(0))
            // Reported once by the kernel: who loses the report has lost it for good.
            let reader = other.reader
            loop.run({ try await loop.waitUntilReadable(reader) }) { _ in once.value += 1 }
            loop.tick(then: .wait)
            host.forget()
            let polls = loop.statistics.hotPolls
            try pipe.write()
            try other.write()
            #expect(
                loop.wait(on: host.waker, until: loop.hostNow + .seconds(20), work: .endsWait) { _ in .goesOn } == .work
            )
            #expect((count.value, once.value) == (1, 0))
            if leaseEnds { #expect(host.sleepElsewhere()) }
            loop.tick(then: .wait)
            #expect((count.value, once.value) == (2, 1))
            // The poll is the one after the handlers, which may have made something ready.
            if !leaseEnds { #expect(loop.statistics.hotPolls <= polls + 1) }
            #expect(
                loop.wait(on: host.waker, until: loop.hostNow + .milliseconds(1), work: .endsWait) { _ in .goesOn }
                    == .time)
            #expect((count.value, once.value) == (2, 1))
        }
    }

    /// Nobody reads the eventfd, so a wake that another poll has been told of must end the next sleep all the same.
    @Test func aWakeThatAPollHasSeenEndsTheNextSleep() throws {
        try withKeptTurn { host, loop, _, _ in
            loop.whileWaiting(on: host.waker) {
                _ = loop.sleep(on: host.waker, until: loop.hostTime + 1_000_000)
                for _ in 0..<3 {
                    host.waker.wake()
                    #expect(throws: Never.self) { _ = try loop.io.poll() }
                    #expect(loop.sleep(on: host.waker, until: loop.hostTime + 20_000_000_000) == .waker)
                }
                // And one that comes while the thread sleeps.
                let waker = host.waker
                DispatchQueue.global().asyncAfter(deadline: .now() + 0.01) { waker.wake() }
                #expect(loop.sleep(on: waker, until: loop.hostTime + 20_000_000_000) == .waker)
            }
        }
    }

    /// A sleep that a post has ended has seen that no descriptor is ready. A tick that follows directly takes its word for it;
    /// what became ready in between ends the next wait.
    @Test func aTickDirectlyAfterAWaitDoesNotAskTheKernelAgain() throws {
        try withKeptTurn { host, loop, pipe, count in
            var rounds = 0
            var hasPolled = true
            // If this thread is held up after its wait, the tick polls, rightly. Then it is tried again.
            while hasPolled, rounds < 2000 {
                rounds += 1
                #expect(waitForPost(host, loop) == .work)
                let polls = loop.statistics.hotPolls
                try pipe.write()
                loop.tick(then: .wait)
                hasPolled = loop.statistics.hotPolls > polls
                #expect(
                    hasPolled
                        || loop.wait(on: host.waker, until: loop.hostNow + .seconds(20), work: .endsWait) { _ in .goesOn
                        }
                            == .work
                )
                loop.tick(then: .wait)
                #expect(count.value == 1 + rounds)
            }
            #expect(!hasPolled)
        }
    }

    /// Everywhere else the program may have done something meanwhile, and the tick polls.
    @Test func aTickLongAfterAWaitPolls() throws {
        try withKeptTurn { host, loop, pipe, count in
            for round in 1...20 {
                #expect(waitForPost(host, loop) == .work)
                usleep(200)
                try pipe.write()
                loop.tick(then: .wait)
                #expect(count.value == 1 + round)
            }
            for round in 21...40 {
                let end = loop.wait(on: host.waker, until: loop.hostNow + .milliseconds(1), work: .endsWait) { step in
                    if case .woke = step { .ends } else { .goesOn }
                }
                #expect(end == .checked)
                try pipe.write()
                loop.tick(then: .wait)
                #expect(count.value == 1 + round)
            }
        }
    }

    /// A wait that a post ends, which comes while the thread sleeps.
    private func waitForPost(_ host: KeptTurnHost, _ loop: GuestLoop) -> WaitEnd {
        let waker = host.waker
        let sender = Thread {
            while !waker.isArmed { usleep(10) }
            usleep(300)
            try? loop.post {}
        }
        sender.start()
        return loop.wait(on: waker, until: loop.hostNow + .seconds(20), work: .endsWait) { _ in .goesOn }
    }
}
