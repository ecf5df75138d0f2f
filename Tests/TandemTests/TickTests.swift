// SPDX-License-Identifier: Apache-2.0
// TickTests: order, budget and carry-over. Behaviour 17, 19 to 24, 30.

import CTestSupport
import Foundation
import Glibc
import TandemTesting
import Testing

@testable import Tandem

/// Keeps the thread busy for so long.
func burn(_ duration: Duration) {
    let end = ContinuousClock.now.advanced(by: duration)
    while ContinuousClock.now < end {}
}

extension Core.TickTests {
    /// Behaviour 19.
    @Test func callbacksAndPostsRunInTheirOrder() throws {
        try withLoop { host, loop in
            let journal = Journal([])
            for number in 0..<5 {
                loop.callSoon { journal.note("soon \(number)") }
                try loop.post { journal.note("post \(number)") }
            }
            host.tick()
            #expect(journal.value.filter { $0.hasPrefix("soon") } == (0..<5).map { "soon \($0)" })
            #expect(journal.value.filter { $0.hasPrefix("post") } == (0..<5).map { "post \($0)" })
        }
    }

    /// Behaviour 20.
    @Test func callSoonFromACallbackRunsInTheSameTick() throws {
        try withLoop { host, loop in
            var depth = 0
            func next() {
                depth += 1
                if depth < 10 { loop.callSoon { next() } }
            }
            loop.callSoon { next() }
            let report = host.tick(budget: .seconds(10))
            #expect(depth == 10)
            #expect(report.passes == 10)
        }
    }

    /// Behaviour 20, 30.
    @Test func anEndlessChainEndsAtTheBudgetAndTheOthersGetTheirShare() throws {
        try withLoop { host, loop in
            let posts = Box(0)
            var timers = 0
            var reads = 0
            var isEnded = false
            func chain() { if !isEnded { loop.callSoon { chain() } } }
            chain()
            let pipe = try Pipe()
            _ = try loop.whenReadable(pipe.reader) {
                _ = pipe.read()
                reads += 1
            }
            try pipe.write()
            for _ in 0..<5 { loop.callLater(.milliseconds(1)) { timers += 1 } }
            var ticks = 0
            while ticks < 5000, timers < 5 || reads < 1 || posts.value < 5 {
                if posts.value < 5 { try loop.post { posts.value += 1 } }
                let report = host.tick(budget: .microseconds(200))
                #expect(report.carriedOver > 0)
                ticks += 1
            }
            #expect(timers == 5)
            #expect(reads >= 1)
            #expect(posts.value >= 5)
            isEnded = true
        }
    }

    /// Behaviour 21.
    @Test func workBeyondTheBudgetIsCarriedOverInOrder() throws {
        try withLoop { host, loop in
            var order: [Int] = []
            for number in 0..<10 {
                loop.callSoon {
                    burn(.milliseconds(2))
                    order.append(number)
                }
            }
            let first = host.tick(budget: .milliseconds(3))
            #expect(first.callbacks >= 1)
            #expect(first.callbacks < 10)
            #expect(first.carriedOver == 10 - first.callbacks)
            #expect(first.overrun > .zero)
            #expect(loop.statistics.budgetOverruns == 1)
            // What is left has asked for a tick by itself.
            #expect(host.run { order.count == 10 })
            #expect(order == Array(0..<10))
            #expect(loop.statistics.longestCallback >= .milliseconds(2))
        }
    }

    @Test func aBudgetOfZeroIsOnePassOverEverything() throws {
        try withLoop { host, loop in
            var count = 0
            func again() {
                count += 1
                loop.callSoon { again() }
            }
            for _ in 0..<100 { loop.callSoon { again() } }
            let report = host.tick(budget: .zero)
            #expect(count == 100)
            #expect(report.passes == 1)
            #expect(report.carriedOver == 100)
        }
    }

    /// Behaviour 22.
    @Test func aNestedTickIsRefusedAndTheOuterOneGoesOn() throws {
        try withLoop { host, loop in
            var log: [String] = []
            loop.callSoon {
                let inner = loop.tick()
                log.append("inner nested: \(inner.isNested), empty: \(inner.isEmpty)")
            }
            loop.callSoon { log.append("second") }
            let outer = host.tick()
            #expect(!outer.isNested)
            #expect(log == ["inner nested: true, empty: true", "second"])
            #expect(loop.statistics.nestedTicks == 1)
        }
    }

    /// Behaviour 23.
    @Test func aCancelledHandleNeverRuns() throws {
        try withLoop { host, loop in
            var ran: [String] = []
            var second: CallbackHandle?
            let first = loop.callSoon {
                ran.append("first")
                second?.cancel()
            }
            second = loop.callSoon { ran.append("second") }
            host.tick()
            #expect(ran == ["first"])
            first.cancel()
            second?.cancel()
            second?.cancel()
            #expect(first.isDone)
            let timers = (0..<3).map { number in loop.callLater(.zero) { ran.append("timer \(number)") } }
            loop.callSoon { timers[1].cancel() }
            timers[0].cancel()
            #expect(host.run { ran.contains("timer 2") })
            #expect(!ran.contains("timer 0"))
        }
    }

    /// Behaviour 23: what stands in a callback's place after it is none of its handle's.
    @Test func aLateCancellationCallsNobodyElseOff() throws {
        try withLoop { host, loop in
            var ran = 0
            let first = loop.callSoon { ran += 1 }
            let armed = loop.callLater(.seconds(100)) {}
            armed.cancel()
            host.tick()
            let second = loop.callSoon { ran += 1 }
            let timer = loop.callLater(.zero) { ran += 1 }
            for handle in [first, armed, first, armed] { handle.cancel() }
            #expect(!second.isDone && !timer.isDone)
            #expect(host.run { ran == 3 })
        }
    }

    @Test func aHandleMayBeCancelledAfterItsLoopHasGone() throws {
        var handle: CallbackHandle?
        try withLoop { _, loop in handle = loop.callLater(.seconds(10)) {} }
        handle?.cancel()
        #expect(handle?.isDone == true)
    }

    @Test func aHandleOfAFormerLoopCallsNothingOfTheNextOff() throws {
        var former: CallbackHandle?
        try withLoop { _, loop in former = loop.callLater(.seconds(10)) {} }
        try withLoop { host, loop in
            var ran = false
            let timer = loop.callLater(.zero) { ran = true }
            former?.cancel()
            #expect(former?.isDone == true)
            #expect(!timer.isDone)
            #expect(host.run { ran })
        }
    }

    @Test func aLoopLetGoOnAnotherThreadLeavesItsHandlesDone() throws {
        // Safe: the thread is waited for.
        final class Box: @unchecked Sendable { var loop: GuestLoop? }
        let box = Box()
        final class Quiet: GuestHost { func requestTick() -> Bool { true } }
        box.loop = try GuestLoop(host: Quiet())
        let handle = box.loop!.callLater(.seconds(10)) {}
        #expect(!handle.isDone)
        let done = DispatchSemaphore(value: 0)
        Thread {
            box.loop = nil
            done.signal()
        }.start()
        done.wait()
        handle.cancel()
        #expect(handle.isDone)
        try withLoop { host, loop in
            var ran = false
            loop.callLater(.zero) { ran = true }
            #expect(host.run { ran })
        }
    }

    @Test func aHandleOnTheWrongThreadTrapsAndNamesBoth() async throws {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            // Safe: written before the thread starts.
            final class Box: @unchecked Sendable { var handle: CallbackHandle? }
            let box = Box()
            let loop = try ManualHost().makeLoop()
            box.handle = loop.callLater(.seconds(10)) {}
            Thread { box.handle?.cancel() }.start()
            sleep(20)
            loop.close()
        }
        let message = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(message.contains("CallbackHandle.cancel was called on thread"))
        #expect(message.contains("belongs to thread"))
    }

    /// Behaviour 24.
    @Test func aTickOnTheWrongThreadTrapsAndNamesBoth() async throws {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let loop = try ManualHost().makeLoop()
            let thread = Thread { loop.tick() }
            thread.start()
            sleep(20)
        }
        let message = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(message.contains("GuestLoop.tick was called on thread"))
        #expect(message.contains("belongs to thread"))
    }

    @Test func tenThousandIdleTicksKeepNoMemory() async {
        await #expect(processExitsWith: .success) {
            guard let loop = try? ManualHost().makeLoop() else { exit(1) }
            loop.callLater(.seconds(1000)) {}
            tickNow(loop, times: 100)
            // Other threads of the process may allocate meanwhile; ticks that did would do so each time.
            for _ in 0..<20 {
                let before = test_allocated_bytes()
                tickNow(loop, times: 10_000)
                let after = test_allocated_bytes()
                if after - before < 1024 { exit(0) }
            }
            exit(2)
        }
    }

    /// Behaviour 17: nothing grows while the host does not tick, and the backlog is done within budgets.
    @Test func aHostThatDoesNotTickCatchesUpWithinItsBudget() throws {
        try withLoop { host, loop in
            let pipe = try Pipe()
            var reads = 0
            _ = try loop.whenReadable(pipe.reader) {
                _ = pipe.read()
                reads += 1
            }
            try pipe.write()
            #expect(host.waitForRequest())
            for _ in 0..<100 { loop.callLater(.zero) { burn(.microseconds(100)) } }
            #expect(host.requests <= 2)
            var ticks = 0
            while loop.hasWork {
                host.tick(budget: .milliseconds(1))
                ticks += 1
            }
            #expect(ticks > 3)
            #expect(reads == 1)
        }
    }

    /// What is always ready must not hold a tick to the end of its budget, and work in the line is not kept waiting by a poll for each pass.
    @Test func aTickPollsWhenNothingElseIsReadyAndNotWithoutEnd() {
        var tick = TickBudget(budget: 4_000_000, began: 0, endOfLast: 0, isVirtual: false)
        let first = tick.mayPoll(queueIsEmpty: false, descriptors: 0)
        #expect(first, "the first look polls in any case")
        var polls = 0
        for _ in 1...16 {
            tick.beginPass()
            if tick.mayPoll(queueIsEmpty: false, descriptors: 1) { polls += 1 }
        }
        #expect(polls == 2, "with work in the line one pass in eight polls")
        let withoutDescriptors = tick.mayPoll(queueIsEmpty: true, descriptors: 0)
        #expect(!withoutDescriptors)
        polls = (0..<1000).filter { _ in tick.mayPoll(queueIsEmpty: true, descriptors: 1) }.count
        #expect(polls == 61, "64 polls in one tick")
    }
}
