// SPDX-License-Identifier: Apache-2.0
// LetGoTests: loops that nobody closes, and what comes while one closes. Behaviour 5, 7, invariants 10 and 14.

import Foundation
import Glibc
import Logging
import TandemTesting
import Testing

@testable import Tandem

extension Core {
    @Suite struct LetGoTests {
        private final class Quiet: GuestHost { func requestTick() -> Bool { true } }

        /// Runs `body` on a thread of its own, to its end.
        private func onThread(_ body: @escaping @Sendable () -> Void) {
            let done = DispatchSemaphore(value: 0)
            let thread = Thread {
                body()
                done.signal()
            }
            thread.start()
            #expect(done.wait(timeout: .now() + 30) == .success)
            for _ in 0..<20_000 where !thread.isFinished { usleep(1000) }
        }

        /// What it was ready to do, on its own thread: when that makes its next loop.
        @Test func whatALoopOwedThatIsLetGoElsewhereRunsOnItsThread() throws {
            let journal = Journal([])
            let log = LogLines()
            onThread {
                let thread = pthread_self()
                @Sendable func note(_ line: String) { journal.note("\(line) \(pthread_self() == thread)") }
                let held = Box<GuestLoop?>(try? GuestLoop(host: Quiet(), configuration: log.configuration))
                weak let gone = held.value
                held.value?.run({ try await Task.sleep(for: .seconds(1000)) }) { note("\($0)") }
                held.value?.tick()
                held.value?.callSoon { note("callback") }
                held.value?.callSoon { throw TestError(1) }
                held.value?.callLater(.zero) { note("timer") }
                try? held.value?.post { note("post") }
                held.value?.closingActions.add { note("closing") }
                let other = Thread { held.value = nil }
                other.start()
                for _ in 0..<20_000 where !other.isFinished { usleep(1000) }
                #expect(gone == nil)
                #expect(journal.value == [])
                try? ManualHost().makeLoop().close()
            }
            let outcome = journal.value.first { $0.hasPrefix("failure") }
            #expect(outcome?.contains("abandoned: the loop made at") == true && outcome?.hasSuffix(" true") == true)
            #expect(
                journal.value.filter { $0 != outcome } == ["closing true", "callback true", "post true"])
            #expect(log.lines.contains { $0.contains("5 pieces of work") && $0.contains("LetGoTests.swift") })
            #expect(log.lines.last?.hasPrefix("error: the callback scheduled at") == true)
        }

        /// A watch and the loop's table of watches refer to each other.
        @Test func whatAWatchHasCapturedGoesWithALoopThatIsLetGoElsewhere() throws {
            let pipe = try Pipe()
            weak var captured: Box<Int>?
            let held = Box<GuestLoop?>(try GuestLoop(host: Quiet()))
            do {
                let box = Box(0)
                captured = box
                _ = try held.value?.whenReadable(pipe.reader) { box.value += 1 }
            }
            #expect(captured != nil)
            onThread { held.value = nil }
            #expect(captured == nil)
        }

        /// Its thread makes no other loop, or has ended already.
        @Test(arguments: [true, false]) func whatALoopOwedRunsAtItsThreadsEndOrAfterIt(isAlive: Bool) throws {
            let ran = DispatchSemaphore(value: 0)
            let done = DispatchSemaphore(value: 0)
            let held = Box<GuestLoop?>(nil)
            onThread {
                held.value = try? GuestLoop(host: Quiet())
                try? held.value?.post { ran.signal() }
                held.value?.run({ try await Task.sleep(for: .seconds(1000)) }) { _ in done.signal() }
                guard isAlive else { return }
                let other = Thread { held.value = nil }
                other.start()
                for _ in 0..<20_000 where !other.isFinished { usleep(1000) }
                #expect(ran.wait(timeout: .now()) == .timedOut)
            }
            held.value = nil
            #expect(ran.wait(timeout: .now() + 20) == .success)
            #expect(done.wait(timeout: .now() + 20) == .success)
        }

        /// A job of a run that was on its way into the loop still finds its end.
        @Test func aRunOfALoopThatIsLetGoElsewhereGoesOn() throws {
            let ended = DispatchSemaphore(value: 0)
            onThread {
                let held = Box<GuestLoop?>(try? GuestLoop(host: Quiet()))
                held.value?.run {
                    defer { ended.signal() }
                    try await Task.sleep(for: .seconds(1000))
                }
                // Its first job stands in the queue.
                let other = Thread { held.value = nil }
                other.start()
                for _ in 0..<20_000 where !other.isFinished { usleep(1000) }
            }
            #expect(ended.wait(timeout: .now() + 20) == .success)
        }

        /// It ends when its run has, which was cancelled, and not when the grace is over.
        @Test func aLoopThatIsLetGoUnderARunThatEndsReportsThatEnd() throws {
            let outcome = Box<Result<Void, any Error>?>(nil)
            var configuration = Configuration.unhurried
            configuration.closeGrace = .seconds(60)
            let began = ContinuousClock.now
            func make() throws {
                let loop = try GuestLoop(host: Quiet(), configuration: configuration)
                loop.run({ try await Task.sleep(for: .seconds(1000)) }) { outcome.value = $0 }
                loop.tick()
            }
            try make()
            #expect(throws: CancellationError.self) { try outcome.value?.get() }
            #expect(outcome.value != nil)
            #expect(began.duration(to: .now) < .seconds(30))
        }

        /// Neither does it fire, nor does it keep the loop.
        @Test func aTimerThatIsArmedWhileItsLoopClosesIsRefused() throws {
            let log = LogLines()
            weak var gone: GuestLoop?
            var handles: [CallbackHandle] = []
            func round() throws {
                let host = ManualHost()
                let loop = try host.makeLoop(configuration: log.configuration)
                gone = loop
                loop.run({ try await loop.sleep(for: .seconds(1000)) }) { _ in
                    handles.append(loop.callLater(.milliseconds(1)) { _ = loop.now })
                    handles.append(loop.callAt(.now) { _ = loop.now })
                    // Accepted, and runs.
                    loop.callSoon { handles.append(loop.callLater(.zero) { _ = loop.now }) }
                }
                host.tick()
                loop.close()
            }
            try round()
            #expect(handles.map(\.isDone) == [true, true, true])
            #expect(log.lines.filter { $0.contains("came when the loop was closing; it will not fire") }.count == 3)
            #expect(gone == nil)
        }

        // MARK: - Waits

        /// Nobody cancelled the task: it is told what happened.
        @Test func aWaitThatTheLoopsEndEndsThrowsClosed() throws {
            let ends = Journal([])
            let pipe = try Pipe()
            let reader = pipe.reader
            try withLoop { host, loop in
                let clock = GameClock(loop)
                let waits: [@Sendable () async throws -> Void] = [
                    { try await loop.sleep(for: .seconds(1000)) },
                    { try await loop.clock.sleep(for: .seconds(1000)) },
                    { try await clock.sleep(for: .seconds(1000)) },
                    { try await loop.waitUntilReadable(reader) },
                    { try await loop.nextFrame() },
                    {
                        let signals = try loop.signals(.windowChange)
                        for try await _ in signals {}
                    },
                ]
                for wait in waits {
                    Task(executorPreference: loop) {
                        do { try await wait() } catch {
                            ends.note("\((error as? GuestError)?.code.description ?? "\(error)")")
                        }
                        // And so does one that begins now; in a cancelled task it is the cancellation.
                        do { try await wait() } catch {
                            ends.note("\((error as? GuestError)?.code.description ?? "\(error)")")
                        }
                        withUnsafeCurrentTask { $0?.cancel() }
                        do { try await wait() } catch { ends.note("\(error)") }
                    }
                }
                host.tick()
                #expect(ends.value == [])
                loop.close()
                #expect(ends.value.filter { $0 == "closed" }.count == 12)
                #expect(ends.value.filter { $0 == "CancellationError()" }.count >= 5)
                #expect(ends.value.count == 18)
            }
        }

        @Test func aCancelledTasksWaitOnAClosedLoopThrowsTheCancellation() throws {
            let loop = try ManualHost().makeLoop()
            loop.close()
            let done = DispatchSemaphore(value: 0)
            Task.detached {
                withUnsafeCurrentTask { $0?.cancel() }
                do { try await loop.sleep(for: .seconds(1)) } catch is CancellationError { done.signal() }
            }
            #expect(done.wait(timeout: .now() + 20) == .success)
        }

        // MARK: - Yielding

        /// Behaviour 62, for a loop that has not adopted the main actor.
        @Test func tasksThatYieldInTurnRunInTurnAndStayOnTheUIThread() throws {
            try withLoop { host, loop in
                let thread = pthread_self()
                let order = Box<[Int]>([])
                let strays = Box(0)
                var ends = 0
                for number in 0..<3 {
                    loop.run({
                        for _ in 0..<500 {
                            order.value.append(number)
                            await Task.yield()
                            if pthread_self() != thread { strays.value += 1 }
                        }
                    }) { _ in ends += 1 }
                }
                #expect(host.run { ends == 3 })
                #expect(strays.value == 0)
                #expect(order.value == (0..<1500).map { $0 % 3 })
                #expect(loop.statistics.inboxEntries == 0)
            }
        }
    }
}
