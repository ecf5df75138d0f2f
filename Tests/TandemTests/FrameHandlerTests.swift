// SPDX-License-Identifier: Apache-2.0
// FrameHandlerTests: closures that run in each frame, with a manual host that has phases.

import TandemTesting
import Testing

@testable import Tandem

extension Core.FrameQueueTests {
    @Test func aHandlerRunsInEachFrameBeforeTheTasksThatWaitForIt() throws {
        try withLoop { host, loop in
            let journal = Journal([])
            loop.run({ for await frame in loop.frames { journal.note("task \(frame.number)") } })
            host.tick()
            loop.everyFrame { journal.note("first \($0.number)") }
            loop.everyFrame { journal.note("second \($0.number)") }
            loop.everyFrame(in: .draw) { journal.note("draw \($0.number)") }
            for number in 0...1 { host.frame(number) }
            #expect(
                journal.value == [
                    "first 0", "second 0", "task 0", "draw 0", "first 1", "second 1", "task 1", "draw 1",
                ])
            #expect(loop.statistics.callbacks == 6)
        }
    }

    @Test func aHandlerThatIsCancelledDoesNotRunInThePhaseUnderWay() throws {
        try withLoop { host, loop in
            let journal = Journal([])
            var later: FrameHandle?
            let first = loop.everyFrame { frame in
                journal.note("first \(frame.number)")
                later?.cancel()
                // Not in the frame under way.
                loop.everyFrame { journal.note("added \($0.number)") }
            }
            later = loop.everyFrame { _ in journal.note("cancelled") }
            #expect(loop.hasFrameWaiters)
            #expect(loop.waiting.map(\.kind) == [.frame, .frame])
            host.frame(0)
            first.cancel()
            first.cancel()
            host.frame(1)
            #expect(journal.value == ["first 0", "added 1"])
            #expect(first.isDone && later?.isDone == true)
        }
    }

    @Test func aHandlerThatThrowsTellsTheErrorHandlerAndRunsAgain() throws {
        let told = Box<[Int]>([])
        var configuration = Configuration.unhurried
        configuration.errorHandler = { error, _ in told.value.append((error as? TestError)?.number ?? -1) }
        try withLoop(configuration: configuration) { host, loop in
            loop.everyFrame { throw TestError($0.number) }
            for number in 0...2 { host.frame(number) }
            #expect(told.value == [0, 1, 2])
        }
    }

    @Test func closingTheLoopLetsGoOfWhatAHandlerHolds() throws {
        weak var held: Box<Int>?
        var handle: FrameHandle?
        try withLoop { host, loop in
            let box = Box(0)
            held = box
            handle = loop.everyFrame { _ in
                box.value += 1
                if box.value == 2 { loop.close() }
            }
            for number in 0...3 { host.frame(number) }
            #expect(box.value == 2)
            #expect(loop.everyFrame { _ in box.value += 1 }.isDone)
        }
        #expect(held == nil)
        #expect(handle?.isDone == true)
    }

    /// A phase for which nobody waits runs nothing, also while others wait for another one.
    @Test func whoeverWaitsForAnotherPhaseIsNotResumed() throws {
        try withLoop { host, loop in
            let journal = Journal([])
            loop.run({ for await frame in loop.frames(in: .draw) { journal.note("draw \(frame.number)") } })
            host.tick()
            host.frame(0, phases: [.input, .fixedUpdate, .update, .lateUpdate])
            #expect(journal.value == [])
            host.frame(1, phases: [.draw])
            #expect(journal.value == ["draw 1"])
        }
    }

    /// Each wait registers for its cancellation anew, in the task's own memory: a task whose waits are cancelled before, in and between frames, with
    /// values of its own around them.
    @Test func waitsThatAreCancelledInAllPlacesLeaveTheTasksMemoryInOrder() throws {
        try withLoop { host, loop in
            let ends = Box(0)
            for round in 0..<100 {
                let run = loop.run({
                    var numbers: [Int] = []
                    do {
                        for _ in 0...(round % 4) {
                            // A value whose size only the run time knows stands around the wait.
                            let frame = try await loop.nextFrame()
                            async let next = loop.nextFrame(in: .draw)
                            numbers.append(frame.number)
                            numbers.append(try await next.number)
                        }
                    } catch is CancellationError {
                        // Cancelled: a wait throws before it begins.
                        await #expect(throws: CancellationError.self) { try await loop.nextFrame() }
                        await #expect(throws: CancellationError.self) { try await loop.sleep(for: .seconds(100)) }
                    }
                    return numbers
                }) { result in
                    if case .success(let numbers) = result, numbers == numbers.sorted() { ends.value += 1 }
                }
                if round % 5 == 0 { run.cancel() }
                host.tick()
                host.frame(2 * round, phases: [.update])
                if round % 3 == 0 { run.cancel() }
                host.frame(2 * round + 1)
                run.cancel()
                #expect(host.run { ends.value == round + 1 })
            }
            #expect(!loop.hasFrameWaiters)
        }
    }
}
