// SPDX-License-Identifier: Apache-2.0
// SceneEndTests: scenes that do not end by themselves: the grace period, nesting, misuse and the loop's end.

import Foundation
import Glibc
import Logging
import SystemPackage
import TandemTesting
import Testing

@testable import Tandem

extension Core {
    @Suite struct SceneEndTests {
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
                        "the task started at TandemTests/SceneEndTests.swift:\(line.value) did not end within 1.0 seconds"
                    )
                        == true)
                #expect(stage.loop.members.runs.isEmpty)
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

        /// A machine that stops the program for longer than the grace period does not decide whether a task ends.
        @Test func aChildThatIsReadyWhenTheGraceIsOverIsNotGivenUp() throws {
            try withStage { stage in
                let outcome = stage.play { [clock = stage.clock] loop, scene, journal in
                    scene.task {
                        try? await loop.sleep(for: .seconds(1000))
                        clock.advance(by: .seconds(2))
                        for _ in 0..<4 { await Task.yield() }
                        journal.note("ended")
                    }
                    try await loop.sleep(for: .seconds(1))
                    return 8
                }
                let value = try outcome.value?.get()
                #expect(value == 8)
                #expect(stage.journal.value == ["ended"])
                #expect(stage.log.lines == [])
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
                let kept = Box<GuestScene?>(nil)
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
                let (one, _) = try UnixStream.pair(on: stage.loop)
                let watches: [() throws -> IOHandle] = [
                    { try scene.whenReadable(reader) {} }, { try scene.whenWritable(reader) {} },
                    { try scene.whenReadable(one.socket) {} }, { try scene.whenWritable(one.socket) {} },
                ]
                for watch in watches {
                    let error = #expect(throws: GuestError.self) { try watch() }
                    #expect(error?.code == .sceneEnded)
                }
                var told: Result<Int, any Error>?
                scene.run({ 1 }) { told = $0 }
                let error = #expect(throws: GuestError.self) { try told?.get() }
                #expect(error?.code == .sceneEnded)
                scene.end()
                stage.pass(for: .seconds(5))
                #expect(journal.value == [])
                #expect(stage.log.lines.count == 9)
                #expect(stage.log.lines.allSatisfy { $0.contains("TandemTests/SceneEndTests.swift:") })
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
            let kept = Box<GuestScene?>(nil)
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
            var configuration = Configuration.unhurried
            configuration.logger = log.logger
            configuration.closeGrace = .milliseconds(10)
            try withLoop(configuration: configuration) { host, loop in
                loop.run({ try await loop.withScene { _ in await elsewhere(until: gate) } }) { outcome.value = $0 }
                host.tick()
            }
            let error = #expect(throws: GuestError.self) { try outcome.value?.get() }
            #expect(error?.code == .abandoned)
            #expect(log.lines.contains { $0.contains("SceneEndTests.swift") && $0.contains("given up") })
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
                loop.breakPolling()
                loop.shared.wakeBackend()
                #expect(host.run(within: .seconds(10)) { outcome != nil })
                let error = #expect(throws: GuestError.self) { try outcome?.get() }
                #expect(error?.code == .backendFailed)
                #expect(loop.members.scenes.isEmpty)
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
