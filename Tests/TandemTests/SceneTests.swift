// SPDX-License-Identifier: Apache-2.0
// SceneTests: what is started in a scene ends with it. On the manual host, mostly in virtual time.

import Foundation
import Glibc
import Logging
import SystemPackage
import TandemTesting
import Testing

@testable import Tandem

extension Core {
    @Suite struct SceneTests {
        // MARK: - The end

        @Test func theBodysValueComesWhenEverythingHasEnded() throws {
            try withStage { stage in
                let outcome = stage.play { loop, scene, journal in
                    scene.task {
                        do { try await loop.sleep(for: .seconds(1000)) } catch { journal.note("child \(error)") }
                        try? await Task.sleep(for: .milliseconds(1))
                        journal.note("child ended")
                    }
                    try await loop.sleep(for: .seconds(1))
                    journal.note("body ended")
                    return 7
                }
                let value = try outcome.value?.get()
                #expect(value == 7)
                #expect(stage.journal.value == ["body ended", "child CancellationError()", "child ended"])
                #expect(stage.clock.elapsed < .seconds(2))
                stage.expectNothingLeft()
            }
        }

        @Test func theBodysErrorComesWhenEverythingHasEnded() throws {
            try withStage { stage in
                let outcome = stage.play { loop, scene, journal in
                    scene.task {
                        defer { journal.note("child ended") }
                        try await loop.sleep(for: .seconds(1000))
                    }
                    try await loop.sleep(for: .seconds(1))
                    throw TestError(3)
                }
                #expect(throws: TestError(3)) { try outcome.value?.get() }
                #expect(stage.journal.value == ["child ended"])
                stage.expectNothingLeft()
            }
        }

        @Test func everyKindOfWaitIsResumedAndLeavesNothing() throws {
            let pipe = try Pipe()
            let reader = pipe.reader
            try withStage { stage in
                let outcome = stage.play { loop, scene, journal in
                    scene.task { try await loop.sleep(for: .seconds(1000)) }
                    scene.task { try await loop.readable(reader) }
                    scene.task { try await scene.clock.sleep(for: .seconds(1000)) }
                    scene.task { for try await _ in scene.clock.timer(every: .seconds(900)) {} }
                    scene.task {
                        try await withTimeout(.seconds(900), clock: loop.clock) {
                            try await loop.sleep(for: .seconds(950))
                        }
                    }
                    scene.task { try await loop.nextFrame() }
                    scene.task { for await _ in loop.frames(in: .draw) {} }
                    scene.task { try await loop.waitUntil { false } }
                    scene.task {
                        async let one: Void = loop.sleep(for: .seconds(1000))
                        try await one
                    }
                    scene.clock.isPaused = true
                    try await loop.sleep(for: .seconds(1))
                    journal.note("\(loop.statistics.registrations) watch, frames \(loop.hasFrameWaiters)")
                    return 1
                }
                #expect(outcome.value != nil)
                #expect(stage.journal.value == ["1 watch, frames true"])
                #expect(!stage.loop.hasFrameWaiters)
                #expect(stage.loop.otherWaiters.isEmpty)
                #expect(stage.clock.elapsed < .seconds(2))
                stage.expectNothingLeft()
            }
        }

        @Test func callbacksAndWatchesAreCalledOff() throws {
            let pipe = try Pipe()
            let other = try Pipe()
            let (reader, writer) = (pipe.reader, other.writer)
            try withStage { stage in
                let outcome = stage.play { loop, scene, journal in
                    scene.callLater(.seconds(1)) { journal.note("after a second") }
                    scene.callLater(.seconds(3)) { journal.note("after the end") }
                    scene.callAt(loop.now.advanced(by: .seconds(3))) { journal.note("after the end") }
                    try scene.whenReadable(reader) { journal.note("readable") }
                    let handle = try scene.whenWritable(writer) {}
                    handle.cancel()
                    try await loop.sleep(for: .seconds(2))
                    scene.callSoon { journal.note("soon after the end") }
                    scene.end()
                    return 1
                }
                #expect(outcome.value != nil)
                try pipe.write()
                stage.pass(for: .seconds(10))
                #expect(stage.journal.value == ["after a second"])
                stage.expectNothingLeft()
            }
        }

        @Test func theNextSceneBeginsWhenTheLastHasEnded() throws {
            try withStage { stage in
                let journal = stage.journal
                let loop = stage.loop
                var isDone = false
                loop.run({
                    for number in 1...3 {
                        try await loop.withScene { scene in
                            journal.note("begin \(number) at \(scene.clock.now.elapsed)")
                            scene.task {
                                try? await loop.sleep(for: .seconds(1000))
                                // Ends later than it was told to.
                                for _ in 0..<20 { await Task.yield() }
                                journal.note("child of \(number)")
                            }
                            try await scene.clock.sleep(for: .seconds(1))
                        }
                    }
                }) { _ in isDone = true }
                stage.pass { isDone }
                #expect(
                    journal.value == [
                        "begin 1 at 0.0 seconds", "child of 1", "begin 2 at 0.0 seconds", "child of 2",
                        "begin 3 at 0.0 seconds", "child of 3",
                    ])
                stage.expectNothingLeft()
            }
        }

        @Test func tasksAreCancelledTheYoungestFirstAndTheBodyLast() throws {
            try withStage { stage in
                let outcome = stage.play { loop, scene, journal in
                    for number in 1...4 {
                        scene.task {
                            try await withTaskCancellationHandler {
                                try await loop.sleep(for: .seconds(1000))
                            } onCancel: {
                                journal.note("\(number)")
                            }
                        }
                    }
                    scene.callLater(.seconds(1)) { scene.end() }
                    try await withTaskCancellationHandler {
                        try await loop.sleep(for: .seconds(1000))
                    } onCancel: {
                        journal.note("body")
                    }
                    return 1
                }
                #expect(throws: CancellationError.self) { try outcome.value?.get() }
                #expect(stage.journal.value == ["4", "3", "2", "1", "body"])
            }
        }

        @Test func endInsideTheBodyCancelsItAndAValueThatItReturnsStillCounts() throws {
            try withStage { stage in
                let outcome = stage.play { loop, scene, journal in
                    #expect(!scene.isEnding)
                    scene.end()
                    scene.end()
                    #expect(scene.isEnding)
                    #expect(Task.isCancelled)
                    await #expect(throws: CancellationError.self) { try await loop.sleep(for: .seconds(1)) }
                    return 5
                }
                let value = try outcome.value?.get()
                #expect(value == 5)
                #expect(stage.clock.elapsed == .zero)
            }
        }

        // MARK: - Errors

        @Test func aChildsErrorEndsTheSceneAndIsThrown() throws {
            try withStage { stage in
                let outcome = stage.play { loop, scene, journal in
                    scene.task {
                        try await loop.sleep(for: .seconds(1))
                        throw TestError(1)
                    }
                    scene.task {
                        defer { journal.note("sibling") }
                        try await loop.sleep(for: .seconds(1000))
                    }
                    try? await loop.sleep(for: .seconds(1000))
                    journal.note("body")
                    return 1
                }
                #expect(throws: TestError(1)) { try outcome.value?.get() }
                #expect(stage.journal.value.sorted() == ["body", "sibling"])
                #expect(stage.clock.elapsed == .seconds(1))
                #expect(stage.errors.value == [])
                stage.expectNothingLeft()
            }
        }

        @Test func ofSeveralErrorsTheFirstIsThrownAndTheOthersReachTheHandler() throws {
            try withStage { stage in
                let outcome = stage.play { loop, scene, journal in
                    for number in 1...3 {
                        scene.task {
                            try? await loop.sleep(for: .seconds(number))
                            throw TestError(number)
                        }
                    }
                    try await loop.sleep(for: .seconds(1000))
                    return 1
                }
                #expect(throws: TestError(1)) { try outcome.value?.get() }
                #expect(Set(stage.errors.value) == ["TestError(number: 2)", "TestError(number: 3)"])
            }
        }

        @Test func anErrorThatIsHandledDoesNotEndTheScene() throws {
            try withStage { stage in
                let outcome = stage.play { loop, scene, journal in
                    scene.run({ throw TestError(4) }) { (result: Result<Int, any Error>) in journal.note("\(result)") }
                    scene.run({ 9 }) { journal.note("\($0)") }
                    scene.task { try await loop.sleep(for: .seconds(1000)) }.cancel()
                    try await loop.sleep(for: .seconds(2))
                    return 1
                }
                let value = try outcome.value?.get()
                #expect(value == 1)
                #expect(stage.journal.value == ["failure(TandemTests.TestError(number: 4))", "success(9)"])
                #expect(stage.clock.elapsed == .seconds(2))
            }
        }

        // MARK: - Cancellation

        @Test func cancellingTheTaskThatAwaitsTheSceneEndsIt() throws {
            try withStage { stage in
                let loop = stage.loop
                let journal = stage.journal
                var outcome: Result<Void, any Error>?
                let run = loop.run({
                    try await loop.withScene { scene in
                        scene.task {
                            defer { journal.note("child") }
                            try await loop.sleep(for: .seconds(1000))
                        }
                        defer { journal.note("body") }
                        try await loop.sleep(for: .seconds(1000))
                    }
                }) { outcome = $0 }
                stage.host.tick()
                DispatchQueue.global().async { run.cancel() }
                #expect(stage.host.run { outcome != nil })
                #expect(throws: CancellationError.self) { try outcome?.get() }
                #expect(journal.value.sorted() == ["body", "child"])
                #expect(stage.clock.elapsed == .zero)
                stage.expectNothingLeft()
            }
        }

        @Test func aCancelledTaskBeginsNoScene() throws {
            try withStage { stage in
                let loop = stage.loop
                let journal = stage.journal
                var outcome: Result<Void, any Error>?
                loop.run({ try await loop.withScene { _ in journal.note("begun") } }) { outcome = $0 }.cancel()
                stage.pass { outcome != nil }
                #expect(throws: CancellationError.self) { try outcome?.get() }
                #expect(journal.value.isEmpty)
            }
        }

        @Test func racingTheSceneWithItsCancellationEndsItOnce() throws {
            try withLoop { host, loop in
                let rounds = 5_000
                let canceller = DispatchQueue(label: "canceller")
                var ends = 0
                for round in 0..<rounds {
                    let run = loop.run({
                        try await loop.withScene { scene in
                            scene.task { try await loop.sleep(for: .nanoseconds(round % 3000)) }
                            try await scene.clock.sleep(for: .nanoseconds(round % 2000))
                        }
                    }) { _ in ends += 1 }
                    canceller.async { run.cancel() }
                    if round % 16 == 0 { host.tick() }
                }
                #expect(host.run(within: .seconds(60)) { ends == rounds })
                #expect(loop.scenes.isEmpty)
                #expect(loop.runs.isEmpty)
                #expect(loop.statistics.timers == 0)
            }
        }

        // MARK: - Grace

        @Test func aChildThatDoesNotEndIsNamedInTheLogAndGivenUp() throws {
            try withStage { stage in
                let gate = DispatchSemaphore(value: 0)
                let line = Box<UInt>(0)
                let outcome = stage.play { loop, scene, journal in
                    line.value = #line + 1
                    scene.task {
                        await elsewhere(until: gate)
                        journal.note("late")
                        throw TestError(1)
                    }
                    try await loop.sleep(for: .seconds(1))
                    return 8
                }
                let value = try outcome.value?.get()
                #expect(value == 8)
                #expect(stage.clock.elapsed == .seconds(2))
                let log = stage.log.lines
                #expect(log.count == 1)
                #expect(
                    log.first?.contains(
                        "the task started at TandemTests/SceneTests.swift:\(line.value) did not end within 1.0 seconds")
                        == true)
                #expect(stage.loop.runs.isEmpty)
                // It goes on, and its error is nobody's any more.
                gate.signal()
                #expect(stage.host.run { stage.journal.value == ["late"] })
                stage.host.tick()
                #expect(stage.errors.value == [])
                stage.expectNothingLeft()
            }
        }

        @Test func aBodyThatDoesNotEndIsGivenUpWithAnError() throws {
            try withStage { stage in
                let gate = DispatchSemaphore(value: 0)
                defer { gate.signal() }
                let outcome = stage.play { loop, scene, journal in
                    scene.callLater(.seconds(1)) { scene.end() }
                    await elsewhere(until: gate)
                    return 1
                }
                let error = #expect(throws: GuestError.self) { try outcome.value?.get() }
                #expect(error?.code == .abandoned)
                #expect(stage.clock.elapsed == .seconds(2))
                #expect(stage.log.lines.first?.contains("the body did not end") == true)
                stage.expectNothingLeft()
            }
        }

        @Test func theGraceCanBeChosen() throws {
            try withStage { stage in
                let loop = stage.loop
                let gate = DispatchSemaphore(value: 0)
                defer { gate.signal() }
                var isDone = false
                loop.run({
                    try await loop.withScene(grace: .seconds(30)) { scene in
                        scene.task { await elsewhere(until: gate) }
                        await Task.yield()
                    }
                }) { _ in isDone = true }
                stage.pass { isDone }
                #expect(stage.clock.elapsed == .seconds(30))
            }
        }

        // MARK: - Nesting

        @Test func anOuterSceneEndsAfterTheInnerOnes() throws {
            try withStage { stage in
                let outcome = stage.play { loop, outer, journal in
                    outer.callLater(.seconds(1)) { outer.end() }
                    outer.task {
                        defer { journal.note("outer child") }
                        try await loop.sleep(for: .seconds(1000))
                    }
                    defer { journal.note("outer body") }
                    return try await loop.withScene { inner in
                        inner.task {
                            try? await loop.sleep(for: .seconds(1000))
                            for _ in 0..<20 { await Task.yield() }
                            journal.note("inner child")
                        }
                        try await inner.clock.sleep(for: .seconds(1000))
                        return 1
                    }
                }
                #expect(throws: CancellationError.self) { try outcome.value?.get() }
                #expect(stage.journal.value == ["outer child", "inner child", "outer body"])
                #expect(stage.clock.elapsed == .seconds(1))
                stage.expectNothingLeft()
            }
        }

        @Test func onlyTheSceneOfAChildThatDoesNotEndGivesItUp() throws {
            try withStage { stage in
                let gate = DispatchSemaphore(value: 0)
                defer { gate.signal() }
                let outcome = stage.play { loop, outer, journal in
                    outer.callLater(.seconds(1)) { outer.end() }
                    return try await loop.withScene { middle in
                        do {
                            return try await loop.withScene { inner in
                                inner.task { await elsewhere(until: gate) }
                                try await inner.clock.sleep(for: .seconds(1000))
                                return 1
                            }
                        } catch {
                            journal.note("inner \(error)")
                            return 2
                        }
                    }
                }
                let value = try outcome.value?.get()
                #expect(value == 2)
                #expect(stage.journal.value == ["inner CancellationError()"])
                #expect(stage.log.lines.count == 1)
                #expect(stage.log.lines.first?.contains("the task started at") == true)
                #expect(stage.clock.elapsed == .seconds(2))
                stage.expectNothingLeft()
            }
        }

        // MARK: - Misuse

        @Test func nothingStartsInASceneThatIsEnding() throws {
            let pipe = try Pipe()
            let reader = pipe.reader
            try withStage { stage in
                let kept = Box<Scene?>(nil)
                let outcome = stage.play { loop, scene, journal in
                    kept.value = scene
                    return 1
                }
                #expect(outcome.value != nil)
                let scene = try #require(kept.value)
                let journal = stage.journal
                #expect(scene.isEnding)
                #expect(scene.task { journal.note("task") }.isDone)
                #expect(scene.callSoon { journal.note("soon") }.isDone)
                #expect(scene.callLater(.seconds(1)) { journal.note("later") }.isDone)
                #expect(scene.callAt(stage.loop.now) { journal.note("at") }.isDone)
                for watch in [scene.whenReadable, scene.whenWritable] {
                    let error = #expect(throws: GuestError.self) { try watch(reader, #fileID, #line) {} }
                    #expect(error?.code == .sceneEnded)
                }
                var told: Result<Int, any Error>?
                scene.run({ 1 }) { told = $0 }
                let error = #expect(throws: GuestError.self) { try told?.get() }
                #expect(error?.code == .sceneEnded)
                scene.end()
                stage.pass(for: .seconds(5))
                #expect(journal.value == [])
                #expect(stage.log.lines.count == 7)
                #expect(stage.log.lines.allSatisfy { $0.contains("TandemTests/SceneTests.swift:") })
                #expect(stage.errors.value == [])
                stage.expectNothingLeft()
            }
        }

        @Test func aSceneOnAClosedLoopIsRefused() throws {
            let loop = try ManualHost().makeLoop()
            loop.close()
            let code = Box<GuestError.Code?>(nil)
            let done = DispatchSemaphore(value: 0)
            Task.detached {
                do { try await loop.withScene { _ in } } catch { code.value = (error as? GuestError)?.code }
                done.signal()
            }
            #expect(done.wait(timeout: .now() + 20) == .success)
            #expect(code.value == .closed)
        }

        @Test func closingTheLoopEndsItsScenes() throws {
            let journal = Journal([])
            let outcome = Box<Result<Void, any Error>?>(nil)
            let kept = Box<Scene?>(nil)
            try withLoop { host, loop in
                loop.run({
                    try await loop.withScene { scene in
                        kept.value = scene
                        scene.task {
                            defer { journal.note("child") }
                            try await loop.sleep(for: .seconds(1000))
                        }
                        scene.callLater(.seconds(1000)) {}
                        defer { journal.note("body") }
                        try await scene.clock.sleep(for: .seconds(1000))
                    }
                }) { outcome.value = $0 }
                host.tick()
            }
            #expect(journal.value.sorted() == ["body", "child"])
            #expect(throws: CancellationError.self) { try outcome.value?.get() }
            // After the loop's end a scene is harmless.
            kept.value?.end()
            #expect(kept.value?.callSoon {}.isDone == true)
        }

        @Test func aSceneUnderAClosingLoopThatDoesNotEndIsGivenUpWithIt() throws {
            let gate = DispatchSemaphore(value: 0)
            defer { gate.signal() }
            let outcome = Box<Result<Void, any Error>?>(nil)
            let log = Log()
            var configuration = Configuration()
            configuration.logger = log.logger
            configuration.closeGrace = .milliseconds(10)
            try withLoop(configuration: configuration) { host, loop in
                loop.run({ try await loop.withScene { _ in await elsewhere(until: gate) } }) { outcome.value = $0 }
                host.tick()
            }
            let error = #expect(throws: GuestError.self) { try outcome.value?.get() }
            #expect(error?.code == .abandoned)
            #expect(log.lines.contains { $0.contains("SceneTests.swift") && $0.contains("given up") })
        }

        @Test func aBackendFailureEndsTheScene() throws {
            try withLoop { host, loop in
                var outcome: Result<Void, any Error>?
                loop.run({
                    try await loop.withScene { scene in
                        scene.task { try await loop.sleep(for: .seconds(1000)) }
                        try await loop.sleep(for: .seconds(1000))
                    }
                }) { outcome = $0 }
                host.tick()
                let spare = open("/dev/null", O_RDONLY)
                dup2(spare, loop.backstage.poller.rawValue)
                loop.backstage.wakeBackend()
                #expect(host.run(within: .seconds(10)) { outcome != nil })
                let error = #expect(throws: GuestError.self) { try outcome?.get() }
                #expect(error?.code == .backendFailed)
                #expect(loop.scenes.isEmpty)
                close(spare)
            }
        }

        @Test func aSceneOnTheWrongThreadTrapsWithTheCallsName() async {
            let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                func trap() throws {
                    let loop = try ManualHost().makeLoop()
                    Task.detached { try? await loop.withScene { _ in } }
                    // Keeps this thread from being the one that the task runs on.
                    _ = DispatchSemaphore(value: 0).wait(timeout: .now() + 20)
                }
                try trap()
            }
            let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
            #expect(text.contains("GuestLoop.withScene was called on thread"))
        }

        @Test func handlesThatAreDoneAreForgottenWhileTheSceneGoesOn() throws {
            try withStage { stage in
                let outcome = stage.play { loop, scene, journal in
                    for _ in 0..<10_000 { scene.callLater(.seconds(1000)) {}.cancel() }
                    return scene.callbacks.count
                }
                let count = try outcome.value?.get()
                #expect((count ?? .max) <= 64)
            }
        }
    }
}
