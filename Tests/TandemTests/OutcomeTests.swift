// SPDX-License-Identifier: Apache-2.0
// OutcomeTests: who is told how a run has ended. Behaviour 69.

import Foundation
import Glibc
import TandemTesting
import Testing

@testable import Tandem

extension Core {
    @Suite struct OutcomeTests {
        /// Behaviour 69.
        @Test func anErrorThatNobodyIsToldOfGoesToTheHandlerWithItsPlace() throws {
            let seen = Journal([])
            var configuration = Configuration.unhurried
            configuration.errorHandler = { error, site in
                seen.note("\(site.fileID.split(separator: "/").last ?? ""):\(site.line) \(error)")
            }
            try withLoop(configuration: configuration) { host, loop in
                let line = #line + 1
                loop.run { throw TestError(1) }
                loop.run({ throw TestError(2) }) { _ in }
                loop.run { 3 }
                host.tick()
                #expect(seen.value == ["OutcomeTests.swift:\(line) TestError(number: 1)"])
                #expect(loop.statistics.callbackErrors == 1)
            }
        }

        @Test func withoutAHandlerTheLogNamesTheTask() throws {
            let log = LogLines()
            try withLoop(configuration: log.configuration) { host, loop in
                let line = #line + 1
                loop.run { throw TestError(1) }
                host.tick()
                #expect(
                    log.lines == [
                        "error: the task started at TandemTests/OutcomeTests.swift:\(line) threw TestError(number: 1)"
                    ])
            }
        }

        /// What was asked for is no error; a `CancellationError` that nobody asked for is one.
        @Test func aCancellationIsToldAtDebugLevelUnlessNobodyCancelled() throws {
            let log = LogLines()
            try withLoop(configuration: log.configuration) { host, loop in
                let place = "TandemTests/OutcomeTests.swift:\(#line + 1)"
                let sleeper = loop.run { try await loop.sleep(for: .seconds(1000)) }
                host.tick()
                sleeper.cancel()
                host.tick()
                #expect(log.lines == ["debug: the task started at \(place) was cancelled"])
                log.lines = []
                let line = #line + 1
                loop.run {
                    try await loop.withScene { scene in
                        scene.end()
                        try await loop.sleep(for: .seconds(1000))
                    }
                }
                #expect(host.run { !log.lines.isEmpty })
                #expect(
                    log.lines == [
                        "error: the task started at TandemTests/OutcomeTests.swift:\(line) threw CancellationError()"
                    ])
                log.lines = []
                loop.run { try await loop.sleep(for: .seconds(1000)) }
                host.tick()
            }
            // At the loop's end, too.
            #expect(log.lines.count == 1 && log.lines.first?.hasPrefix("debug: the task started at ") == true)
        }

        /// The loop breaks under it.
        @Test func aRunThatABackendsFailureEndsIsTold() throws {
            let log = LogLines()
            try withLoop(configuration: log.configuration) { host, loop in
                let line = #line + 1
                loop.run { try await loop.sleep(for: .seconds(1000)) }
                host.tick()
                loop.breakPolling()
                loop.shared.wakeBackend()
                #expect(host.run(within: .seconds(10)) { log.lines.count == 2 })
                #expect(log.lines.first?.hasPrefix("critical: ") == true)
                #expect(
                    log.lines.last?.hasPrefix(
                        "error: the task started at TandemTests/OutcomeTests.swift:\(line) threw backendFailed") == true
                )
            }
        }

        /// A scene that ends for one error has no other way to tell of the next.
        @Test func aScenesSecondErrorIsToldAsATasks() throws {
            let log = LogLines()
            let failed = Box(false)
            let line = Box<UInt>(0)
            try withLoop(configuration: log.configuration) { host, loop in
                loop.run({
                    try await loop.withScene { scene in
                        scene.task { throw TestError(1) }
                        line.value = #line + 1
                        scene.task {
                            do { try await loop.sleep(for: .seconds(1000)) } catch { throw TestError(2) }
                        }
                        try await loop.sleep(for: .seconds(1000))
                    }
                }) { _ in failed.value = true }
                #expect(host.run { failed.value })
                #expect(
                    log.lines == [
                        "error: the task started at TandemTests/OutcomeTests.swift:\(line.value) threw TestError(number: 2)"
                    ])
            }
        }

        // MARK: - value

        @Test func theValueOfARunCanBeAwaitedByManyAndOnTheUIThread() throws {
            let log = LogLines()
            try onLoop(configuration: log.configuration) { loop in
                let thread = pthread_self()
                let run = loop.run {
                    try await loop.sleep(for: .milliseconds(2))
                    return 7
                }
                async let first = run.value
                async let second = run.value
                let values = try await [run.value, first, second, run.value]
                #expect(values == [7, 7, 7, 7])
                #expect(pthread_self() == thread)
                #expect(loop.statistics.waitsHandedOver == 0)
                let elsewhere = try await Task.detached { try await run.value }.value
                #expect(elsewhere == 7)
            }
            #expect(log.lines == [])
        }

        /// Who awaits the value is told, and nobody else.
        @Test func anErrorIsTheValuesWhereThatIsAwaited() throws {
            let log = LogLines()
            try onLoop(configuration: log.configuration) { loop in
                let run = loop.run { () -> Int in
                    try await loop.sleep(for: .milliseconds(2))
                    throw TestError(4)
                }
                let error = await #expect(throws: TestError.self) { try await run.value }
                #expect(error?.number == 4)
                // Known and told.
                await #expect(throws: TestError.self) { try await run.value }
            }
            #expect(log.lines == [])
        }

        /// Another thread waits for it when the loop closes.
        @Test func aLoopsEndIsTheValuesEnd() throws {
            let error = Box<(any Error)?>(nil)
            let done = DispatchSemaphore(value: 0)
            let begun = DispatchSemaphore(value: 0)
            try withLoop { host, loop in
                let run = loop.run { try await loop.sleep(for: .seconds(1000)) }
                host.tick()
                Task.detached {
                    begun.signal()
                    do { try await run.value } catch let thrown { error.value = thrown }
                    done.signal()
                }
                begun.wait()
            }
            #expect(done.wait(timeout: .now() + 20) == .success)
            #expect(error.value is CancellationError)
            let loop = try ManualHost().makeLoop()
            loop.close()
            let late = loop.run { 1 }
            Task.detached {
                do { _ = try await late.value } catch let thrown { error.value = thrown }
                done.signal()
            }
            #expect(done.wait(timeout: .now() + 20) == .success)
            #expect((error.value as? GuestError)?.code == .closed)
        }
    }
}
