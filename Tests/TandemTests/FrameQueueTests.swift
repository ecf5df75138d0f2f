// SPDX-License-Identifier: Apache-2.0
// FrameQueueTests: tasks that wait for frames, with a manual host that has phases. Behaviour 41, 42, 44.

import Foundation
import TandemTesting
import Testing

@testable import Tandem

extension ManualHost {
    /// A frame: a tick, then each phase.
    func frame(_ number: Int, phases: [FramePhase] = FramePhase.allCases) {
        tick()
        let frame = Frame(number: number, time: loop.now, delta: .milliseconds(16))
        for phase in phases { loop.runPhase(phase, of: frame) }
    }
}

extension Core {
    @Suite struct FrameQueueTests {
        @Test func aTaskIsResumedOncePerFrameInItsPhase() throws {
            try withLoop { host, loop in
                let journal = Journal([])
                for phase in FramePhase.allCases.reversed() {
                    loop.run({
                        while true {
                            let frame = try await loop.nextFrame(in: phase)
                            journal.note("\(frame.number) \(phase)")
                        }
                    })
                }
                host.frame(0)
                for number in 1...3 { host.frame(number) }
                let expected = (0...3).flatMap { number in FramePhase.allCases.map { "\(number) \($0)" } }
                #expect(journal.value == expected)
            }
        }

        /// The line of frames keeps its waiters for the next wait; they must not keep the line.
        @Test func nothingIsLeftOfALoopWhoseTasksHaveAwaitedFrames() throws {
            weak var line: FrameQueues?
            try withLoop { host, loop in
                loop.run({ for _ in 0..<3 { try await loop.nextFrame() } })
                for number in 0...2 { host.frame(number) }
                line = loop.members.frameQueues
                #expect(line != nil)
            }
            #expect(line == nil)
        }

        @Test func tasksGoOnInTheOrderInWhichTheyBeganToWait() throws {
            try withLoop { host, loop in
                let journal = Journal([])
                for name in ["a", "b", "c"] {
                    loop.run({
                        for await frame in loop.frames {
                            journal.note("\(frame.number)\(name)")
                            // Waits twice in a frame: the second wait is the next frame's.
                            if name == "b", frame.number == 1 { try await loop.nextFrame() }
                        }
                    })
                }
                host.tick()
                for number in 0...3 { host.frame(number) }
                #expect(journal.value == ["0a", "0b", "0c", "1a", "1b", "1c", "2a", "2c", "3a", "3b", "3c"])
            }
        }

        @Test func whatAFrameStartsRunsInItsPhase() throws {
            try withLoop { host, loop in
                let journal = Journal([])
                loop.run({
                    let frame = try await loop.nextFrame(in: .update)
                    async let child = { journal.note("child of \(frame.number)") }()
                    await child
                    await Task.yield()
                    journal.note("end of \(frame.number)")
                })
                loop.run({
                    let frame = try await loop.nextFrame(in: .lateUpdate)
                    journal.note("late in \(frame.number)")
                })
                host.tick()
                host.frame(7)
                #expect(journal.value == ["child of 7", "end of 7", "late in 7"])
            }
        }

        @Test func aTaskThatYieldsForEverDoesNotHoldTheFrame() throws {
            try withLoop(configuration: Configuration()) { host, loop in
                let frames = Box(0)
                loop.run({
                    try await loop.nextFrame()
                    while !Task.isCancelled { await Task.yield() }
                })
                loop.run({ for await _ in loop.frames { frames.value += 1 } })
                host.tick()
                for number in 0..<5 { host.frame(number) }
                #expect(frames.value == 5)
            }
        }

        @Test func waitUntilLooksOnceAFrame() throws {
            try withLoop { host, loop in
                var looks = 0
                let isDone = Box(false)
                nonisolated(unsafe) let condition = {
                    looks += 1
                    return looks == 4
                }
                loop.run({ try await loop.waitUntil(condition) }) { _ in isDone.value = true }
                host.tick()
                #expect(looks == 1)
                for number in 0..<5 {
                    host.frame(number)
                    host.tick()
                }
                #expect(isDone.value)
                #expect(looks == 4)
            }
        }

        @Test func eachWaitForAFrameIsOneJob() throws {
            for isSequence in [false, true] {
                try withLoop { host, loop in
                    loop.run({
                        if isSequence {
                            for await _ in loop.frames {}
                        } else {
                            while true { try await loop.nextFrame() }
                        }
                    })
                    host.tick()
                    let before = loop.statistics.jobs
                    for number in 0..<100 { host.frame(number) }
                    #expect(loop.statistics.jobs - before == 100)
                }
            }
        }

        @Test func aNumberOfFramesIsWaitedFor() throws {
            try withLoop { host, loop in
                let last = Box<Int?>(nil)
                loop.run({
                    #expect(try await loop.waitForFrames(0) == nil)
                    last.value = try await loop.waitForFrames(3)?.number
                })
                host.tick()
                for number in 10...11 { host.frame(number) }
                #expect(last.value == nil)
                host.frame(12)
                #expect(last.value == 12)
            }
        }

        @Test func aNegativeNumberOfFramesTrapsWithTheCallersPlace() async throws {
            let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                let host = ManualHost()
                let loop = try host.makeLoop()
                loop.run({ try await loop.waitForFrames(-1) })
                host.tick()
            }
            let text = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
            #expect(text.contains("-1 frames"))
            #expect(text.contains("FrameQueueTests.swift"))
        }

        @Test func aFrameAwaitedOnAnotherThreadTrapsAndNamesBoth() async throws {
            let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                let loop = await withCheckedContinuation { continuation in
                    // A thread of the loop's own, so that no task of the pool's can be on it.
                    Thread.detachNewThread {
                        continuation.resume(returning: try? ManualHost().makeLoop())
                        sleep(20)
                    }
                }
                _ = try await loop?.nextFrame()
            }
            let text = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
            #expect(text.contains("GuestLoop.nextFrame was called on thread"))
        }

        @Test func aCancelledWaitGoesOnAtOnceAndLeavesNothing() throws {
            try withLoop { host, loop in
                var outcome: Result<Void, any Error>?
                let run = loop.run({ _ = try await loop.nextFrame() }) { outcome = $0 }
                host.tick()
                #expect(loop.waiting.map(\.kind) == [.frame, .run])
                #expect(loop.waiting.first?.site?.fileID == "TandemTests/FrameQueueTests.swift")
                run.cancel()
                host.tick()
                #expect(throws: CancellationError.self) { try outcome?.get() }
                #expect(!loop.hasFrameWaiters)
                #expect(loop.waiting.isEmpty)
            }
        }

        @Test func aSequenceOfFramesEndsWithItsTask() throws {
            try withLoop { host, loop in
                let journal = Journal([])
                let run = loop.run({
                    for await frame in loop.frames(in: .draw) { journal.note("\(frame.number)") }
                    journal.note("end")
                })
                host.tick()
                host.frame(0)
                run.cancel()
                host.tick()
                host.frame(1)
                #expect(journal.value == ["0", "end"])
            }
        }

        @Test func closingTheLoopEndsEveryWaitForAFrame() throws {
            var outcomes: [String] = []
            let host = ManualHost()
            let loop = try host.makeLoop(configuration: .unhurried)
            for _ in 0..<3 {
                loop.run({ _ = try await loop.nextFrame() }) { result in
                    if case .failure(is CancellationError) = result { outcomes.append("cancelled") }
                }
            }
            host.tick()
            loop.close()
            #expect(outcomes == ["cancelled", "cancelled", "cancelled"])
        }

        @Test func aFrameAwaitedAfterTheCloseIsAnError() async throws {
            let loop = try withLoop { _, loop in loop }
            await #expect(throws: GuestError.self) { _ = try await loop.nextFrame() }
            for await _ in loop.frames { Issue.record("a closed loop has no frames") }
        }

        @Test func aConditionMayCancelAnotherWaitOfItsPhase() throws {
            try withLoop { host, loop in
                var outcome: Result<Void, any Error>?
                let other = Box<GuestRun<Void>?>(nil)
                loop.run({
                    var looks = 0
                    try await loop.waitUntil {
                        looks += 1
                        if looks == 2 { other.value?.cancel() }
                        return looks == 3
                    }
                })
                other.value = loop.run({ _ = try await loop.nextFrame() }) { outcome = $0 }
                host.tick()
                host.frame(0)
                host.frame(1)
                #expect(throws: CancellationError.self) { try outcome?.get() }
                #expect(!loop.hasFrameWaiters)
            }
        }

        /// Behaviour 42: whoever comes first, the task goes on once. Resuming twice would crash, never resuming would hang.
        @Test func racingACancellationWithAFrameResumesOnce() throws {
            try withLoop { host, loop in
                let ends = Box(0)
                let rounds = 1000
                for round in 0..<rounds {
                    let run = loop.run({ _ = try await loop.nextFrame() }) { _ in ends.value += 1 }
                    host.tick()
                    Thread.detachNewThread { run.cancel() }
                    if round % 2 == 0 { host.frame(round) }
                    #expect(host.run { ends.value == round + 1 })
                }
                #expect(!loop.hasFrameWaiters)
            }
        }
    }
}
