// SPDX-License-Identifier: Apache-2.0
// OffloadTests: calls that block, elsewhere.

import Foundation
import Glibc
import TandemCLinux
import TandemTesting
import Testing

@testable import Tandem

extension Core.OffloadTests {
    @Test func theBodyRunsElsewhereAndTheCallerGoesOnWhereItWas() throws {
        try onLoop { loop in
            let thread = pthread_self()
            let name = try await loop.offload {
                #expect(pthread_self() != thread)
                return currentThreadName()
            }
            #expect(name == "tandem-offload")
            #expect(pthread_self() == thread)
            let error = await #expect(throws: TestError.self) { try await loop.offload { throw TestError(3) } }
            #expect(error?.number == 3)
            #expect(loop.statistics.waitsHandedOver == 0)
        }
    }

    /// Eight at a time; the ninth waits.
    @Test func thePoolIsBounded() throws {
        try onLoop { loop in
            let running = Number()
            let most = Number()
            let gate = Semaphore()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<20 {
                    group.addTask {
                        try await loop.offload {
                            let now = running.add(1)
                            most.raise(to: now)
                            gate.wait()
                            running.add(-1)
                        }
                    }
                }
                while running.load() < 8 { try await loop.sleep(for: .milliseconds(1)) }
                for _ in 0..<20 { gate.signal() }
                try await group.waitForAll()
            }
            #expect(most.load() == 8)
            #expect(OffloadPool.shared.threads <= 8)
        }
    }

    @Test func theThreadsGoWhenThereIsNothingToDo() throws {
        try onLoop { loop in
            let pool = OffloadPool(limit: 2, lingering: .milliseconds(1))
            for _ in 0..<50 {
                await Task(executorPreference: pool) {}.value
                try await loop.sleep(for: .microseconds(900))
            }
            while pool.threads > 0 { try await loop.sleep(for: .milliseconds(1)) }
        }
    }

    @Test func aCancellationIsSeenInTheBodyWhoseEndIsAwaited() throws {
        try withLoop { host, loop in
            let hasBegun = Number()
            let hasEnded = Number()
            var outcome: Result<Int, any Error>?
            let run = loop.run({
                try await loop.offload {
                    hasBegun.store(1)
                    while !Task.isCancelled { usleep(100) }
                    usleep(3000)
                    hasEnded.store(1)
                    return 5
                }
            }) { outcome = $0 }
            // The beginning asks for no tick.
            while hasBegun.load() == 0 { host.tick() }
            run.cancel()
            #expect(host.run { outcome != nil })
            #expect(hasEnded.load() == 1)
            let value = try outcome?.get()
            #expect(value == 5)
        }
    }

    @Test func anAbandonedCallIsNotAwaited() throws {
        try withLoop { host, loop in
            let gate = Semaphore()
            var outcome: Result<Void, any Error>?
            let run = loop.run({ try await loop.offload(abandonsOnCancel: true) { gate.wait() } }) { outcome = $0 }
            #expect(!host.run(within: .milliseconds(5)) { outcome != nil })
            run.cancel()
            #expect(host.run { outcome != nil })
            #expect(throws: CancellationError.self) { try outcome?.get() }
            gate.signal()
        }
    }

    @Test func aCallThatWaitsForAThreadIsCalledOffAtOnce() throws {
        try onLoop { loop in
            let pool = OffloadPool(limit: 1, lingering: .milliseconds(1))
            let gate = Semaphore()
            let busy = Task(executorPreference: loop) {
                try await loop.offload(on: pool, abandonsOnCancel: false, CallSite()) { gate.wait() }
            }
            while pool.threads == 0 { try await loop.sleep(for: .milliseconds(1)) }
            let hasRun = Number()
            let waiting = Task(executorPreference: loop) {
                try await loop.offload(on: pool, abandonsOnCancel: false, CallSite()) { hasRun.store(1) }
            }
            try await loop.sleep(for: .milliseconds(1))
            waiting.cancel()
            await #expect(throws: CancellationError.self) { try await waiting.value }
            gate.signal()
            try await busy.value
            while pool.threads > 0 { try await loop.sleep(for: .milliseconds(1)) }
            #expect(hasRun.load() == 0)
        }
    }

    /// Behaviour 68, both ways.
    @Test func namesAndOtherBlockingWorkKeepOutOfEachOthersWay() throws {
        try onLoop { loop in
            for (busy, other) in [(OffloadPool.shared, OffloadPool.names), (.names, .shared)] {
                let running = Number()
                let gate = Semaphore()
                let hanging = (0..<40).map { _ in
                    Task(executorPreference: loop) {
                        try await loop.offload(on: busy, abandonsOnCancel: false, CallSite()) {
                            running.add(1)
                            gate.wait()
                        }
                    }
                }
                while running.load() < 8 { try await loop.sleep(for: .milliseconds(1)) }
                if other === OffloadPool.names {
                    let addresses = try await withTimeout(.seconds(10), clock: loop.clock) {
                        try await SocketAddress.resolve(host: "localhost", port: 1, on: loop)
                    }
                    #expect(!addresses.isEmpty)
                } else {
                    try await withTimeout(.seconds(10), clock: loop.clock) { try await loop.offload {} }
                }
                for _ in hanging { gate.signal() }
                for task in hanging { try await task.value }
            }
        }
    }

    /// The second refusal finds no thread and two jobs; the first had left its own to the second's thread.
    @Test func jobsWhoseThreadsWereRefusedTogetherAllRun() throws {
        let pool = Box<OffloadPool?>(nil)
        let (starts, runs) = (Number(), Number())
        pool.value = OffloadPool(limit: 8) { _ in
            if starts.add(1) == 1 { Task(executorPreference: pool.value!) { runs.add(1) } }
            return EAGAIN
        }
        Task(executorPreference: pool.value!) { runs.add(1) }
        #expect(starts.load() == 2)
        #expect(runs.load() == 2)
        #expect(pool.value?.threads == 0)
        pool.value = nil
    }

    /// A loading screen: steps, then the value.
    @Test func longWorkReportsItsSteps() throws {
        try onLoop { loop in
            let thread = pthread_self()
            let loading = loop.offloadSteps(buffering: .unbounded) { report in
                for step in 1...5 { report(step) }
                return "loaded"
            }
            var steps: [Int] = []
            for await step in loading {
                #expect(pthread_self() == thread)
                steps.append(step)
            }
            #expect(steps == [1, 2, 3, 4, 5])
            let value = try await loading.value
            #expect(value == "loaded")
            let failing = loop.offloadSteps { (report: (Int) -> Void) throws -> Int in throw TestError(4) }
            for await _ in failing {}
            let failure = await #expect(throws: TestError.self) { _ = try await failing.value }
            #expect(failure?.number == 4)
        }
    }

    @Test func leavingTheStepsOrCancellingAWaitForOneLosesNone() throws {
        try onLoop { loop in
            let gate = Semaphore()
            let loading = loop.offloadSteps { report in
                for step in 1...4 { report(step) }
                gate.wait()
                for step in 5...6 { report(step) }
            }
            for await step in loading {
                #expect(step == 1)
                break
            }
            var steps: [Int] = []
            for await step in loading {
                steps.append(step)
                if step == 4 { break }
            }
            let waiting = Task(executorPreference: loop) {
                var iterator = loading.makeAsyncIterator()
                return await iterator.next(isolation: nil)
            }
            while !loop.waiting.contains(where: { $0.reason.contains("step of long work") }) {
                try await loop.sleep(for: .milliseconds(1))
            }
            waiting.cancel()
            let cancelled = await waiting.value
            #expect(cancelled == nil)
            gate.signal()
            for await step in loading { steps.append(step) }
            #expect(steps == [2, 3, 4, 5, 6])
            try await loading.value
            #expect(loop.members.waiters.isEmpty)
        }
    }

    @Test func stepsThatNobodyTakesAreKeptAsTheBufferingSays() throws {
        try onLoop { loop in
            for (policy, expected) in [
                (AsyncStream<Int>.Continuation.BufferingPolicy.bufferingNewest(3), [8, 9, 10]),
                (.bufferingOldest(3), [1, 2, 3]), (.unbounded, Array(1...10)), (.bufferingNewest(0), []),
            ] {
                let work = loop.offloadSteps(buffering: policy) { report in for step in 1...10 { report(step) } }
                try await work.value
                var steps: [Int] = []
                for await step in work { steps.append(step) }
                #expect(steps == expected)
            }
        }
    }

    @Test func workThatIsLetGoIsToldSo() throws {
        try onLoop { loop in
            let wasCancelled = Number()
            for await step in loop.offloadSteps({ report in
                report(1)
                while !Task.isCancelled { usleep(100) }
                wasCancelled.store(1)
            }) {
                #expect(step == 1)
                break
            }
            while wasCancelled.load() == 0 { try await loop.sleep(for: .milliseconds(1)) }
        }
    }
}

private func currentThreadName() -> String {
    var buffer = [CChar](repeating: 0, count: 16)
    tandem_thread_name(pthread_self(), &buffer, buffer.count)
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
