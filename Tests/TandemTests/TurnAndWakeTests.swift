// SPDX-License-Identifier: Apache-2.0
// TurnAndWakeTests: the two threads, and what wakes whom. Behaviour 9 to 18, and the order of their steps.

import Foundation
import Glibc
import TandemTesting
import Testing

@testable import Tandem

extension Core.TurnAndWakeTests {
    private func traced() -> (Configuration, Steps) {
        let steps = Steps()
        var configuration = Configuration.unhurried
        configuration.onStep = { steps.add($0) }
        return (configuration, steps)
    }

    /// Flow 1: initialisation.
    @Test func atItsStartTheBackendHasTheTurnAndPolls() throws {
        let (configuration, steps) = traced()
        try withLoop(configuration: configuration) { _, _ in
            #expect(steps.wait(for: .poll))
            print(steps.all.map(\.rawValue))
            #expect(steps.all == [.backendStarted, .poll])
        }
        #expect(steps.all.last == .backendEnded)
    }

    /// Flow 2: the normal loop: something is ready, the turn comes, a hint, a tick, callbacks, the turn goes.
    @Test func aReadyDescriptorBringsTheTurnAHintATickAndACallback() throws {
        let (configuration, steps) = traced()
        try withLoop(configuration: configuration) { host, loop in
            let pipe = try Pipe()
            _ = try loop.whenReadable(pipe.reader) { _ = pipe.read() }
            #expect(steps.wait(for: .poll))
            steps.clear()
            try pipe.write()
            #expect(host.waitForRequest())
            host.tick()
            print(steps.all.map(\.rawValue))
            #expect(Array(steps.all.prefix(5)) == [.turnReturned, .hint, .tick, .callback, .turnPassed])
            #expect(steps.wait(for: .poll))
        }
    }

    /// Flow 3: a new timer, armed by the frame: the deadline is published before the wake.
    @Test func aTimerFromTheFrameIsPublishedBeforeTheBackendIsWoken() throws {
        let (configuration, steps) = traced()
        try withLoop(configuration: configuration) { _, loop in
            #expect(steps.wait(for: .poll))
            steps.clear()
            loop.callLater(.seconds(100)) {}
            #expect(steps.all == [.timerArmed, .deadlinePublished, .wake])
        }
    }

    /// Flow 4: timeout.
    @Test func aTimeoutBringsTheTurnAHintATickAndTheTimersCallback() throws {
        let (configuration, steps) = traced()
        try withLoop(configuration: configuration) { host, loop in
            #expect(steps.wait(for: .poll))
            loop.callLater(.milliseconds(5)) {}
            steps.clear()
            #expect(host.waitForRequest())
            host.tick()
            print(steps.all.map(\.rawValue))
            #expect(
                Array(steps.all.prefix(6)) == [.turnReturned, .hint, .tick, .callback, .deadlinePublished, .turnPassed])
        }
    }

    /// Flow 5: completion of a task.
    @Test func aTaskThatEndsTellsItsOutcomeInTheSameTick() throws {
        let (configuration, steps) = traced()
        try withLoop(configuration: configuration) { host, loop in
            #expect(steps.wait(for: .poll))
            steps.clear()
            var isDone = false
            loop.run({ 1 }) { _ in isDone = true }
            host.tick()
            print(steps.all.map(\.rawValue))
            #expect(isDone)
            #expect(steps.all == [.runStarted, .hint, .tick, .runDone])
        }
    }

    /// Behaviour 9, 10.
    @Test(.timeLimit(.minutes(1))) func aSleepingHostIsWokenByPostsAndByTimersOfTheFrame() throws {
        try withLoop { host, loop in
            let count = Box(0)
            for round in 1...200 {
                if round % 2 == 0 {
                    Thread.detachNewThread { try? loop.post { count.value += 1 } }
                } else {
                    loop.callLater(.microseconds(200)) { count.value += 1 }
                }
                #expect(host.run { count.value == round })
            }
        }
    }

    /// Behaviour 11.
    @Test func onlyAnEarlierDeadlineFromTheFrameWritesToTheWakePipe() throws {
        let (configuration, steps) = traced()
        try withLoop(configuration: configuration) { host, loop in
            #expect(steps.wait(for: .poll))
            loop.callLater(.seconds(50)) {}
            #expect(loop.statistics.wakePipeWrites == 1)
            loop.callLater(.seconds(60)) {}
            let first = loop.callLater(.seconds(50)) {}
            #expect(loop.statistics.wakePipeWrites == 1)
            first.cancel()
            #expect(loop.statistics.wakePipeWrites == 1)
            // Within a tick that holds the turn nothing is written: the turn takes the deadline along.
            let pipe = try Pipe()
            let watch = try loop.whenReadable(pipe.reader) {
                _ = pipe.read()
                loop.callLater(.seconds(1)) {}
            }
            try pipe.write()
            #expect(host.run { loop.statistics.timers == 3 })
            watch.cancel()
            #expect(loop.statistics.wakePipeWrites == 1)
        }
    }

    /// Behaviour 12.
    @Test func aDeadlineThatTheFrameMovesIsObeyed() throws {
        try withLoop { host, loop in
            var fired: [String] = []
            let late = loop.callLater(.seconds(1000)) { fired.append("late") }
            loop.callLater(.milliseconds(20)) { fired.append("early") }
            #expect(host.run { !fired.isEmpty })
            late.cancel()
            let early = loop.callLater(.milliseconds(5)) { fired.append("cancelled") }
            early.cancel()
            loop.callLater(.milliseconds(30)) { fired.append("last") }
            #expect(host.run { fired.count == 2 })
            #expect(fired == ["early", "last"])
        }
    }

    /// Behaviour 13.
    @Test func manyPostsLeaveOneHintAndArriveInOrder() throws {
        try withLoop { host, loop in
            let perThread = 50_000
            let lasts = Box([Int](repeating: 0, count: 4))
            let group = DispatchGroup()
            for thread in 0..<4 {
                DispatchQueue(label: "poster").async(group: group) {
                    for number in 1...perThread {
                        try? loop.post { if lasts.value[thread] == number - 1 { lasts.value[thread] = number } }
                    }
                }
            }
            group.wait()
            #expect(host.requests == 1)
            #expect(host.run { lasts.value == [Int](repeating: perThread, count: 4) })
            #expect(loop.statistics.hintsCoalesced >= 4 * perThread - 1)
        }
    }

    /// Behaviour 14.
    @Test func aCallbackThatThrowsStillPassesTheTurn() throws {
        let errors = Box(0)
        var configuration = Configuration.unhurried
        configuration.errorHandler = { _, _ in errors.value += 1 }
        try withLoop(configuration: configuration) { host, loop in
            let pipe = try Pipe()
            _ = try loop.whenReadable(pipe.reader) {
                _ = pipe.read()
                throw TestError()
            }
            for round in 1...5 {
                try pipe.write()
                #expect(host.run { errors.value == round })
            }
            loop.callSoon { throw TestError() }
            loop.callLater(.milliseconds(1)) { throw TestError() }
            try loop.post { throw TestError() }
            #expect(host.run { errors.value == 8 })
            try pipe.write()
            #expect(host.run { errors.value == 9 })
        }
    }

    /// Behaviour 15, 16.
    @Test func anIdleLoopAsksForNothingAndAnIdleTickDoesNothing() throws {
        let (configuration, steps) = traced()
        try withLoop(configuration: configuration) { host, loop in
            #expect(steps.wait(for: .poll))
            for _ in 0..<1000 { #expect(host.tick().isEmpty) }
            #expect(host.requests == 0)
            #expect(loop.statistics.emptyTicks == 1000)
            #expect(!loop.hasWork)
            #expect(steps.all == [.backendStarted, .poll])
        }
    }

    /// Behaviour 18, 36: data that nobody reads makes one request for each tick, not a storm.
    @Test func theBackendDoesNotPollAgainWithoutATick() throws {
        let (configuration, steps) = traced()
        try withLoop(configuration: configuration) { host, loop in
            let pipe = try Pipe()
            try pipe.write()
            _ = try loop.whenReadable(pipe.reader) {}
            #expect(host.waitForRequest())
            // Time for a storm, if there were one.
            usleep(20_000)
            #expect(host.requests == 1)
            #expect(steps.all.filter { $0 == .poll }.count == 1)
        }
    }

    /// Behaviour 31.
    @Test func aStormOfSignalsNeitherShortensNorRestartsATimeout() async {
        await #expect(processExitsWith: .success) {
            storm()
        }
    }

    /// The path of kernels before 5.11.
    @Test func timersWorkWithWaitsInMilliseconds() throws {
        var configuration = Configuration.unhurried
        configuration.forcesMillisecondWaits = true
        try withLoop(configuration: configuration) { host, loop in
            var fired = 0
            let begin = ContinuousClock.now
            for delay in [1500, 300, 700] { loop.callLater(.microseconds(delay)) { fired += 1 } }
            #expect(host.run { fired == 3 })
            #expect(begin.duration(to: .now) >= .microseconds(1500))
        }
    }

    @Test func aRefusedHintIsCountedAndTheNextWorkAsksAgain() throws {
        try withLoop { host, loop in
            host.refusesRequests = true
            var count = 0
            loop.callSoon { count += 1 }
            loop.callSoon { count += 1 }
            #expect(host.requests == 2)
            #expect(loop.statistics.hintsDropped == 2)
            #expect(loop.hasWork)
            host.tick()
            #expect(count == 2)
            host.refusesRequests = false
            loop.callSoon {}
            #expect(host.hasRequest)
        }
    }

    /// The loop closes just when the backend has found something and is about to give the turn back.
    @Test func aLoopThatClosesWhileTheTurnComesBackStillCloses() async {
        await #expect(processExitsWith: .success) {
            alarm(20)
            // The backend may take a step before the loop is in the box.
            let (lock, loop) = (Lock(), Box<GuestLoop?>(nil))
            var configuration = Configuration.unhurried
            configuration.onStep = { step in
                lock.lock()
                let shared = loop.value?.shared
                lock.unlock()
                guard step == .turnReturned, let shared else { return }
                for _ in 0..<100_000 where !shared.closes { usleep(100) }
                // What the other thread does next at the end, it has done.
                usleep(20_000)
            }
            guard let made = try? ManualHost().makeLoop(configuration: configuration), let pipe = try? Pipe() else {
                exit(1)
            }
            lock.lock()
            loop.value = made
            lock.unlock()
            guard (try? pipe.write()) != nil, (try? made.whenReadable(pipe.reader) {}) != nil else { exit(2) }
            // The backend wakes for the pipe.
            usleep(20_000)
            made.close()
            exit(0)
        }
    }
}
