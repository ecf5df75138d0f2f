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
                    scene.task { try await loop.waitUntilReadable(reader) }
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
                #expect(stage.loop.members.waiters.isEmpty)
                #expect(stage.clock.elapsed < .seconds(2))
                stage.expectNothingLeft()
            }
        }

        @Test func callbacksAndWatchesAreCalledOff() throws {
            let pipe = try Pipe()
            let other = try Pipe()
            let (reader, writer) = (pipe.reader, other.writer)
            let sockets = Box<[UnixStream]>([])
            try withStage { stage in
                let outcome = stage.play { loop, scene, journal in
                    scene.callLater(.seconds(1)) { journal.note("after a second") }
                    scene.callLater(.seconds(3)) { journal.note("after the end") }
                    scene.callAt(loop.now.advanced(by: .seconds(3))) { journal.note("after the end") }
                    try scene.whenReadable(reader) { journal.note("readable") }
                    let handle = try scene.whenWritable(writer) {}
                    handle.cancel()
                    let (one, other) = try UnixStream.pair(on: loop)
                    try scene.whenReadable(one.socket) { journal.note("socket readable") }
                    try scene.whenWritable(other.socket) {}.cancel()
                    #expect(loop.statistics.registrations == 2)
                    try await loop.sleep(for: .seconds(2))
                    scene.callSoon { journal.note("soon after the end") }
                    scene.end()
                    sockets.value = [one, other]
                    return 1
                }
                #expect(outcome.value != nil)
                try pipe.write()
                let socket = try #require(sockets.value.last).socket.descriptor.rawValue
                #expect(write(socket, "x", 1) == 1)
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
                #expect(loop.members.scenes.isEmpty)
                #expect(loop.members.runs.isEmpty)
                #expect(loop.statistics.timers == 0)
            }
        }
    }
}
