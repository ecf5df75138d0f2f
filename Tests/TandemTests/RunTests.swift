// SPDX-License-Identifier: Apache-2.0
// RunTests: async code in the loop, from its start to its outcome. Behaviour 1 to 8, 40 to 42, 45.

import Foundation
import Glibc
import TandemTesting
import Testing

@testable import Tandem

extension Core.RunTests {
    /// Behaviour 1.
    @Test func valueErrorAndCancellationReachOnDoneOnceOnTheUIThread() throws {
        try withLoop { host, loop in
            let thread = pthread_self()
            var outcomes: [String] = []
            func note(_ result: Result<Int, any Error>) {
                #expect(pthread_self() == thread)
                switch result {
                case .success(let value): outcomes.append("value \(value)")
                case .failure(let error as TestError): outcomes.append("error \(error.number)")
                case .failure(is CancellationError): outcomes.append("cancelled")
                case .failure(let error): outcomes.append("\(error)")
                }
            }
            loop.run({ 42 }, onDone: note)
            loop.run({ throw TestError(7) }, onDone: note)
            let sleeper = loop.run(
                {
                    try await loop.sleep(for: .seconds(1000))
                    return 0
                }, onDone: note)
            host.tick()
            #expect(outcomes == ["value 42", "error 7"])
            sleeper.cancel()
            sleeper.cancel()
            #expect(host.run { outcomes.count == 3 })
            #expect(outcomes.last == "cancelled")
            #expect(loop.statistics.timers == 0)
        }
    }

    /// Behaviour 2.
    @Test func nothingOfARunRunsBeforeRunReturns() throws {
        try withLoop { host, loop in
            let journal = Journal([])
            loop.run({ journal.note("main") })
            journal.note("returned")
            loop.callSoon { journal.note("soon") }
            try loop.post { journal.note("post") }
            loop.run({ journal.note("second") })
            #expect(journal.value == ["returned"])
            host.tick()
            #expect(Set(journal.value) == ["returned", "main", "soon", "post", "second"])
        }
    }

    /// Behaviour 3.
    @Test func aRunThatFailsDoesNotDisturbTheOthers() throws {
        try withLoop { host, loop in
            var sum = 0
            for number in 0..<20 {
                loop.run({
                    try await loop.sleep(for: .milliseconds(number % 5))
                    if number % 4 == 0 { throw TestError(number) }
                    return number
                }) { result in
                    if case .success(let value) = result { sum += value } else { sum += 1000 }
                }
            }
            #expect(host.run { sum >= 5000 + (0..<20).filter { $0 % 4 != 0 }.reduce(0, +) })
            #expect(sum == 5000 + (0..<20).filter { $0 % 4 != 0 }.reduce(0, +))
        }
    }

    /// Behaviour 4, 8.
    @Test func aSecondLoopOnAThreadIsRefusedUntilTheFirstHasClosed() throws {
        let first = try ManualHost().makeLoop()
        let error = #expect(throws: GuestError.self) { try ManualHost().makeLoop() }
        #expect(error?.code == .loopAlreadyOnThread)
        first.close()
        try ManualHost().makeLoop().close()
    }

    /// Behaviour 8.
    @Test func loopsOnDifferentThreadsRunSideBySide() throws {
        let hops = (0..<4).map { _ in Box(0) }
        let done = DispatchSemaphore(value: 0)
        for counter in hops {
            Thread.detachNewThread {
                let host = ManualHost()
                if let loop = try? host.makeLoop() {
                    let thread = pthread_self()
                    loop.run({
                        for _ in 0..<200 {
                            try await loop.sleep(for: .microseconds(100))
                            if pthread_self() == thread { counter.value += 1 }
                        }
                    })
                    _ = host.run { counter.value == 200 }
                    loop.close()
                }
                done.signal()
            }
        }
        for _ in hops { #expect(done.wait(timeout: .now() + 30) == .success) }
        #expect(hops.map(\.value) == [200, 200, 200, 200])
    }

    /// Behaviour 4: no descriptor left. In a process of its own, whose limit is lowered.
    @Test func aFailedStartLeavesNothingBehind() async {
        await #expect(processExitsWith: .success) {
            let threads = backends()
            let descriptors = openDescriptors()
            var limit = rlimit()
            getrlimit(__rlimit_resource_t(7), &limit)
            let before = limit
            var refusals = 0
            // The first free descriptor is the epoll set's, the second the wake pipe's. Another thread of the process may give one back
            // in between: then the loop starts, and it is tried again.
            for attempt in 0..<2000 where refusals < 100 {
                limit.rlim_cur = 256
                setrlimit(__rlimit_resource_t(7), &limit)
                var taken: [Int32] = []
                while case let number = dup(0), number >= 0 { taken.append(number) }
                let free = attempt % 2
                for number in taken.suffix(free) { close(number) }
                do {
                    try ManualHost().makeLoop().close()
                } catch {
                    guard let error = error as? GuestError, error.code == .startFailed,
                        error.errno == .tooManyOpenFiles
                    else { exit(11) }
                    refusals += 1
                }
                for number in taken.dropLast(free) { close(number) }
            }
            guard refusals == 100 else { exit(10) }
            var restored = before
            setrlimit(__rlimit_resource_t(7), &restored)
            // The runtime may open some of its own meanwhile; a hundred starts that each left one would show.
            guard openDescriptors() < descriptors + 50, backends() == threads else { exit(12) }
            guard let loop = try? ManualHost().makeLoop() else { exit(13) }
            loop.close()
            exit(0)
        }
    }

    /// Behaviour 5.
    @Test func aRunUnderAClosingLoopIsCancelledAndReported() throws {
        let outcome = Box<Result<Int, any Error>?>(nil)
        try withLoop { host, loop in
            loop.run({
                try await loop.sleep(for: .seconds(1000))
                return 1
            }) { outcome.value = $0 }
            host.tick()
        }
        #expect(throws: CancellationError.self) { try outcome.value?.get() }
        #expect(outcome.value != nil)
    }

    /// Behaviour 5: a run that does not answer its cancellation is given up after the grace period.
    @Test func aRunThatIgnoresCancellationIsReportedAsAbandoned() throws {
        var configuration = Configuration.unhurried
        configuration.closeGrace = .milliseconds(20)
        let outcome = Box<Result<Void, any Error>?>(nil)
        let stuck = Box<CheckedContinuation<Void, Never>?>(nil)
        try withLoop(configuration: configuration) { host, loop in
            loop.run({ await withCheckedContinuation { stuck.value = $0 } }) { outcome.value = $0 }
            host.tick()
            #expect(stuck.value != nil)
        }
        let error = #expect(throws: GuestError.self) { try outcome.value?.get() }
        #expect(error?.code == .abandoned)
        stuck.value?.resume()
    }

    /// Behaviour 5: the loop is let go, not closed.
    @Test func aLoopThatIsLetGoIsClosedAndItsRunReported() throws {
        let outcome = Box<Result<Void, any Error>?>(nil)
        weak var gone: GuestLoop?
        func make() throws {
            final class Quiet: GuestHost { func requestTick() -> Bool { true } }
            let loop = try GuestLoop(host: Quiet())
            gone = loop
            loop.run({ try await Task.sleep(for: .seconds(1000)) }) { outcome.value = $0 }
            loop.tick()
        }
        try make()
        #expect(gone == nil)
        #expect(throws: CancellationError.self) { try outcome.value?.get() }
        #expect(outcome.value != nil)
        // The thread is free for another loop.
        try ManualHost().makeLoop().close()
    }

    /// Behaviour 40, invariant 13.
    @Test func childrenOfATaskThatPrefersTheLoopStayOnTheUIThread() throws {
        try withLoop { host, loop in
            let thread = pthread_self()
            let wrong = Box(0)
            let done = Box(false)
            Task(executorPreference: loop) {
                func look() { if pthread_self() != thread { wrong.value += 1 } }
                async let first: Void = { for _ in 0..<20 { try? await loop.sleep(for: .microseconds(50)); look() } }()
                await withTaskGroup(of: Void.self) { group in
                    for _ in 0..<10 {
                        group.addTask {
                            look()
                            await Task.yield()
                            look()
                        }
                    }
                }
                await first
                look()
                done.value = true
            }
            #expect(host.run { done.value })
            #expect(wrong.value == 0)
            #expect(loop.statistics.waitsHandedOver == 0)
        }
    }

    private actor Resident {
        let loop: GuestLoop
        init(_ loop: GuestLoop) { self.loop = loop }
        nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
        func thread() async throws -> [pthread_t] {
            let before = pthread_self()
            try await loop.sleep(for: .microseconds(10))
            return [before, pthread_self()]
        }
    }

    /// Behaviour 40.
    @Test func anActorWithTheLoopAsItsExecutorRunsOnTheUIThread() throws {
        try withLoop { host, loop in
            let resident = Resident(loop)
            let threads = Box<[pthread_t]>([])
            Task.detached {
                let found = try await resident.thread()
                try loop.post { threads.value = found }
            }
            let me = pthread_self()
            #expect(host.run { threads.value.count == 2 })
            #expect(threads.value == [me, me])
        }
    }

    /// Behaviour 41.
    @Test func aCancelledWaitLeavesNothingBehind() throws {
        try withLoop { host, loop in
            let pipe = try Pipe()
            let reader = pipe.reader
            var ends = 0
            let runs = [
                loop.run({ try await loop.sleep(for: .seconds(1000)) }) { _ in ends += 1 },
                loop.run({ try await loop.waitUntilReadable(reader) }) { _ in ends += 1 },
            ]
            host.tick()
            #expect(loop.statistics.timers == 1)
            #expect(loop.statistics.registrations == 1)
            for run in runs { DispatchQueue.global().async { run.cancel() } }
            #expect(host.run { ends == 2 })
            #expect(loop.statistics.timers == 0)
            #expect(loop.statistics.registrations == 0)
        }
    }

    /// Behaviour 42.
    @Test func racingACancellationWithItsCompletionResumesOnce() throws {
        try withLoop { host, loop in
            let rounds = 100_000
            let canceller = DispatchQueue(label: "canceller")
            var ends = 0
            for round in 0..<rounds {
                let run = loop.run({ try await loop.sleep(for: .nanoseconds(round % 3000)) }) { _ in ends += 1 }
                canceller.async { run.cancel() }
                if round % 64 == 0 { host.tick() }
            }
            #expect(host.run(within: .seconds(60)) { ends == rounds })
            #expect(loop.statistics.timers == 0)
        }
    }

    @TaskLocal static var mark = "none"

    /// Behaviour 45.
    @Test func taskLocalValuesAreKeptAcrossAwaitsAndNotLeaked() throws {
        try withLoop { host, loop in
            let journal = Journal([])
            loop.run({
                try await Self.$mark.withValue("inside") {
                    try await loop.sleep(for: .milliseconds(1))
                    journal.note(Self.mark)
                }
            })
            #expect(host.run { !journal.value.isEmpty })
            #expect(journal.value == ["inside"])
            #expect(Self.mark == "none")
        }
    }

    /// Invariant 14.
    @Test func aJobThatReachesAClosedLoopStillRuns() throws {
        let loop = try ManualHost().makeLoop()
        loop.close()
        let done = DispatchSemaphore(value: 0)
        Task(executorPreference: loop) {
            do { try await loop.sleep(for: .seconds(1)) } catch {
                if (error as? GuestError)?.code == .closed { done.signal() }
            }
        }
        #expect(done.wait(timeout: .now() + 20) == .success)
    }
}
