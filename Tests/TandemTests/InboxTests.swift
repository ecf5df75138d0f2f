// SPDX-License-Identifier: Apache-2.0
// InboxTests: what other threads leave, how it is guarded, and when a tick pauses to let it gather.

import Foundation
import TandemTesting
import Testing

@testable import Tandem

extension Core.InboxTests {
    @Test func postsOfManyChunksRunInOrderAndOnceWhateverTheBudget() throws {
        try withLoop { host, loop in
            let ran = Box([Int]())
            var posted = 0
            // Batches that end within a chunk, at its end, and far beyond the chunks that are kept.
            for size in [1, 511, 512, 513, 3000, 40_000, 7] {
                for _ in 0..<size {
                    let number = posted
                    try loop.post { ran.value.append(number) }
                    posted += 1
                }
                while loop.hasWork { loop.tick(budget: .microseconds(50)) }
                #expect(ran.value.count == posted)
            }
            #expect(ran.value == Array(0..<posted))
        }
    }

    @Test func postsOfPostsStandBehindWhatIsThere() throws {
        try withLoop { host, loop in
            let ran = Box([Int]())
            for number in 0..<2000 {
                try loop.post {
                    ran.value.append(number)
                    try loop.post { ran.value.append(2000 + number) }
                }
            }
            while loop.hasWork { host.tick() }
            #expect(ran.value == Array(0..<4000))
        }
    }

    /// Whichever thread finds a chunk full, and whenever the UI thread swaps the buffers.
    @Test func threadsThatFillChunkAfterChunkAtTheSameTimeLoseNothingAndKeepTheirOrder() throws {
        try withLoop { _, loop in
            let (threads, each) = (4, 5_000)
            let proxy = loop.proxy
            let ran = Box([[Int]](repeating: [], count: threads))
            let group = DispatchGroup()
            for thread in 0..<threads {
                group.enter()
                Thread.detachNewThread {
                    for number in 0..<each { try? proxy.post { ran.value[thread].append(number) } }
                    group.leave()
                }
            }
            let end = ContinuousClock.now + .seconds(60)
            while group.wait(timeout: .now()) != .success, ContinuousClock.now < end { loop.tick() }
            while loop.hasWork { loop.tick() }
            for numbers in ran.value { #expect(numbers == Array(0..<each)) }
            #expect(loop.statistics.posts == threads * each)
        }
    }

    /// The `deinit` of what a post has captured is the user's code, and may post itself.
    @Test func aPostThatIsRefusedReleasesWhatItHasCapturedOutsideOfTheInboxesLock() {
        final class Poster: Sendable {
            let inbox: Inbox
            init(_ inbox: Inbox) { self.inbox = inbox }
            deinit { _ = inbox.append(.posted({}, CallSite())) { true } }
        }
        let inbox = Inbox()
        inbox.closeToPosts()
        func workOfPoster() -> Work {
            let poster = Poster(inbox)
            return .posted({ _ = poster }, CallSite())
        }
        #expect(inbox.append(workOfPoster()) { true } == .closed)
        inbox.close()
        #expect(inbox.append(workOfPoster()) { true } == .closed)
    }

    @Test func whatStandsInTheInboxOfALoopThatGoesAwayIsReleased() throws {
        final class Witness: Sendable {}
        weak var seen: Witness?
        do {
            let inbox = Inbox()
            let witness = Witness()
            seen = witness
            for _ in 0..<1500 {
                let answer = inbox.append(.posted({ _ = witness }, CallSite()), isPost: true) { true }
                #expect(answer == .alreadySignalled)
            }
            var queue = TaskQueue<ReadyWork>()
            #expect(inbox.empty(into: &queue, limit: 700) == 700)
        }
        #expect(seen == nil)
    }

    @Test func aBriefLockLetsOneThreadInAtATime() {
        final class Shared: @unchecked Sendable {
            let lock = BriefLock()
            // Safe: changed with `lock` held.
            var count = 0
        }
        let shared = Shared()
        let rounds = 20_000
        DispatchQueue.concurrentPerform(iterations: 8) { _ in
            for round in 0..<rounds {
                shared.lock.lock()
                let before = shared.count
                // A holder that loses its core.
                if round % 5000 == 0 { usleep(200) }
                shared.count = before + 1
                shared.lock.unlock()
            }
        }
        #expect(shared.count == 8 * rounds)
    }

    @Test func aTickPausesOnlyIfPostsFollowTheLastOneAtOnce() {
        var coalescing = PostCoalescing()
        var wishes = [coalescing.wantsPause()]
        for (count, delay) in [(1, 1_000_000), (0, 0), (1, 5000)] as [(Int, Nanoseconds)] {
            coalescing.tickFound(count, after: delay)
            wishes.append(coalescing.wantsPause())
        }
        #expect(wishes == [false, false, false, true])
        coalescing.pauseBrought(100)
        let goesOn = coalescing.wantsPause()
        #expect(goesOn)
    }

    @Test func pausesInVainBecomeRare() {
        var coalescing = PostCoalescing()
        var pauses = 0
        for _ in 0..<10_000 {
            coalescing.tickFound(1, after: 5000)
            guard coalescing.wantsPause() else { continue }
            pauses += 1
            coalescing.pauseBrought(1)
        }
        #expect(pauses >= 10_000 / 300)
        #expect(pauses < 10_000 / 200)
    }

    @Test func aPauseThatPaysForgivesThoseInVain() {
        var coalescing = PostCoalescing()
        func ticksUntilPause() -> Int {
            for tick in 0..<1000 {
                coalescing.tickFound(1, after: 5000)
                if coalescing.wantsPause() { return tick }
            }
            return 1000
        }
        for _ in 0..<20 {
            _ = ticksUntilPause()
            coalescing.pauseBrought(0)
        }
        var waits = [ticksUntilPause()]
        for brought in [1000, 0] {
            coalescing.pauseBrought(brought)
            waits.append(ticksUntilPause())
        }
        #expect(waits == [256, 0, 4])
    }

    @Test func aThreadThatIsAnsweredAtOnceWaitsAwakeForAsLongAsAnswersCome() {
        var spin = AdaptiveSpin()
        var wishes = [spin.wantsToSpin()]
        for delay in [1_000_000, 5000] as [Nanoseconds] {
            spin.noteArrival(after: delay)
            wishes.append(spin.wantsToSpin())
        }
        #expect(wishes == [false, false, true])
        spin.note(wasAnswered: false)
        wishes = (0..<6).map { _ in spin.wantsToSpin() }
        #expect(wishes == [false, false, false, false, true, true])
    }

    /// Each post but the first is an answer to the one before, at moments around the end of the wait: none may be slept over.
    @Test func whoAnswersWhileTheHostGoesToSleepIsHeard() throws {
        let host = try HeadlessHost()
        defer { host.close() }
        let loop = host.loop
        let rounds = 5000
        let asks = DispatchSemaphore(value: 0)
        let answered = Box(0)
        Thread.detachNewThread {
            for round in 0..<rounds {
                asks.wait()
                if round % 3 == 0 { usleep(UInt32(round % 60)) }
                try? loop.post {
                    answered.value += 1
                    asks.signal()
                }
            }
        }
        asks.signal()
        #expect(host.run(within: .seconds(20)) { answered.value == rounds }, "\(answered.value) of \(rounds)")
    }

    /// Behaviour 9.
    @Test func aProxyPostsFromAnotherThreadAndDoesNotKeepItsLoopAlive() throws {
        weak var seen: GuestLoop?
        let proxy: GuestLoopProxy
        do {
            let host = ManualHost()
            let loop = try host.makeLoop()
            seen = loop
            proxy = loop.proxy
            let ran = Box(0)
            // A thread that is asking the host for a tick holds the host, and with it the loop.
            let posted = DispatchSemaphore(value: 0)
            Thread.detachNewThread {
                try? proxy.post { ran.value += 1 }
                posted.signal()
            }
            posted.wait()
            #expect(host.waitForRequest())
            host.tick()
            #expect(ran.value == 1)
            loop.close()
        }
        #expect(seen == nil)
        let error = #expect(throws: GuestError.self) { try proxy.post {} }
        #expect(error?.code == .closed)
        proxy.wake()
    }

    /// Behaviour 16.
    @Test func aWakeFromAnotherThreadEndsAHostsWaitAndRunsNothing() throws {
        try withLoop { host, loop in
            while loop.hasWork { host.tick() }
            let (requests, callbacks, proxy) = (host.requests, loop.statistics.callbacks, loop.proxy)
            Thread.detachNewThread { for _ in 0..<100 { proxy.wake() } }
            #expect(host.waitForRequest())
            #expect(loop.hasWork)
            while loop.hasWork { host.tick() }
            #expect(host.requests > requests)
            #expect(loop.statistics.callbacks == callbacks)
        }
    }
}
