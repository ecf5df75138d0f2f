// SPDX-License-Identifier: Apache-2.0
// EndTests: errors and ends. Behaviour 6, 7, 46, 47, 49.

import CTestSupport
import Foundation
import Glibc
import SystemPackage
import TandemTesting
import Testing

@testable import Tandem

extension Core.EndTests {
    /// Behaviour 46.
    @Test func aThrowingCallbackReachesTheHandlerWithItsPlace() throws {
        let seen = Journal([])
        var configuration = Configuration.unhurried
        configuration.errorHandler = { error, site in
            seen.note("\(site.fileID.split(separator: "/").last ?? "") \(error)")
            throw TestError(99)
        }
        try withLoop(configuration: configuration) { host, loop in
            loop.callSoon { throw TestError(1) }
            loop.callSoon { seen.note("after") }
            host.tick()
            #expect(seen.value == ["EndTests.swift TestError(number: 1)", "after"])
            #expect(loop.statistics.callbackErrors == 1)
        }
    }

    /// Behaviour 47.
    @Test func aBackendFailureReachesRunsAndWaitsAndDoesNotSpin() throws {
        try withLoop { host, loop in
            var outcome: Result<Void, any Error>?
            loop.run({ try await loop.sleep(for: .seconds(1000)) }) { outcome = $0 }
            host.tick()
            loop.breakPolling()
            loop.shared.wakeBackend()
            #expect(host.run(within: .seconds(10)) { outcome != nil })
            let error = #expect(throws: GuestError.self) { try outcome?.get() }
            #expect(error?.code == .backendFailed)
            let requests = host.requests
            usleep(20_000)
            #expect(host.requests <= requests + 1)
            #expect(throws: GuestError.self) { try loop.whenReadable(.standardInput) {} }
            var ran = false
            loop.callSoon { ran = true }
            host.tick()
            #expect(ran)
        }
    }

    /// Behaviour 6.
    @Test func aThousandLoopsLeaveThreadsAndDescriptorsAsTheyWere() async {
        await #expect(processExitsWith: .success) {
            func round() {
                let host = ManualHost()
                guard let loop = try? host.makeLoop() else { exit(1) }
                loop.callLater(.seconds(5)) {}
                loop.run({ try await loop.sleep(for: .seconds(5)) })
                host.tick()
                loop.close()
            }
            // A joined thread is listed for a moment longer, and libdispatch looks into /proc now and then.
            func settles(_ condition: () -> Bool) -> Bool {
                for _ in 0..<20_000 where !condition() { usleep(1000) }
                return condition()
            }
            round()
            guard settles({ backends() == 0 }) else { exit(3) }
            let descriptors = openDescriptors()
            for _ in 0..<1000 { round() }
            exit(settles { openDescriptors() == descriptors && backends() == 0 } ? 0 : 2)
        }
    }

    /// Behaviour 7.
    @Test func closingFromACallbackEndsWithItsTick() throws {
        try withLoop { host, loop in
            var log: [String] = []
            loop.callSoon {
                loop.close()
                log.append("closing \(loop.statistics.ticks)")
            }
            loop.callSoon { log.append("accepted") }
            host.tick()
            #expect(log == ["closing 1", "accepted"])
            #expect(loop.hasClosed)
            loop.close()
            #expect(host.tick().isEmpty)
        }
    }

    /// Behaviour 7.
    @Test func closingFromATaskAndFromADeinitWork() throws {
        try withLoop { host, loop in
            let outcome = Box("")
            loop.run({
                await MainActor.run {}
                return 0
            })
            loop.run({
                loop.close()
                outcome.value += "closed;"
            }) { outcome.value += "\($0)" }
            #expect(host.run { loop.hasClosed })
            #expect(outcome.value == "closed;success()")
        }
        final class Closer {
            let loop: GuestLoop
            init(_ loop: GuestLoop) { self.loop = loop }
            deinit { loop.close() }
        }
        try withLoop { host, loop in
            var closer: Closer? = Closer(loop)
            let handle = loop.callLater(.seconds(1)) { [closer] in _ = closer }
            closer = nil
            handle.cancel()
            #expect(loop.hasClosed)
            _ = host
        }
    }

    /// Behaviour 7.
    @Test(arguments: 0..<10) func closingWhileEightThreadsPostRunsWhatWasAccepted(round: Int) throws {
        let host = ManualHost()
        let loop = try host.makeLoop()
        let accepted = (0..<8).map { _ in Box(0) }
        let ran = Box(0)
        let group = DispatchGroup()
        for counter in accepted {
            group.enter()
            Thread.detachNewThread {
                while counter.value < 5000, (try? loop.post { ran.value += 1 }) != nil { counter.value += 1 }
                group.leave()
            }
        }
        while ran.value < 200 { host.tick() }
        loop.close()
        group.wait()
        #expect(ran.value == accepted.map(\.value).reduce(0, +))
        let error = #expect(throws: GuestError.self) { try loop.post {} }
        #expect(error?.code == .closed)
    }

    /// A machine that stops the program for longer than the grace period does not decide what runs.
    @Test func whatIsReadyRunsAlsoWhenTheGracePeriodIsOver() throws {
        var configuration = Configuration.unhurried
        configuration.closeGrace = .zero
        let seen = Journal([])
        let outcome = Box<Result<Void, any Error>?>(nil)
        let loop = try ManualHost().makeLoop(configuration: configuration)
        func chain(_ link: Int) {
            seen.note("\(link)")
            if link < 8 { loop.callSoon { chain(link + 1) } }
        }
        loop.callSoon { chain(1) }
        loop.run({
            for _ in 0..<4 { await Task.yield() }
            try Task.checkCancellation()
        }) { outcome.value = $0 }
        loop.close()
        #expect(seen.value == (1...8).map { "\($0)" })
        #expect(throws: CancellationError.self) { try outcome.value?.get() }
        #expect(outcome.value != nil)
    }

    /// Within 32 passes after the grace period, and not for ever.
    @Test func callbacksThatScheduleThemselvesDoNotKeepALoopFromClosing() throws {
        var configuration = Configuration.unhurried
        configuration.closeGrace = .zero
        configuration.logger.logLevel = .critical
        let count = Box(0)
        let loop = try ManualHost().makeLoop(configuration: configuration)
        func again() {
            count.value += 1
            loop.callSoon { again() }
        }
        loop.callSoon { again() }
        loop.close()
        #expect(count.value > 8 && count.value < 50)
    }

    @Test func whatIsScheduledOnAClosedLoopIsToldSo() throws {
        let loop = try ManualHost().makeLoop()
        loop.close()
        #expect(loop.callSoon {}.isDone)
        #expect(loop.callLater(.zero) {}.isDone)
        let watch = #expect(throws: GuestError.self) { try loop.whenReadable(.standardInput) {} }
        #expect(watch?.code == .closed)
        var outcome: Result<Int, any Error>?
        loop.run({ 1 }) { outcome = $0 }
        let error = #expect(throws: GuestError.self) { try outcome?.get() }
        #expect(error?.code == .closed)
        #expect(!loop.hasWork)
    }

    /// Behaviour 49.
    @Test func aForkedChildGetsAClearErrorAndTheParentGoesOn() async {
        await #expect(processExitsWith: .success) {
            // What the child needs of the runtime is made here: the less it asks for, the less can be locked.
            guard let rehearsal = try? ManualHost().makeLoop() else { exit(1) }
            rehearsal.close()
            guard let loop = try? ManualHost().makeLoop() else { exit(1) }
            guard (GuestError.closed as any Error) as? GuestError != nil else { exit(1) }
            var status = SIGALRM
            for _ in 0..<10 where status == SIGALRM {
                status = test_fork(
                    { loop in
                        // Safe: the parent keeps the loop while the child lives.
                        let loop = Unmanaged<GuestLoop>.fromOpaque(loop!).takeUnretainedValue()
                        do {
                            try loop.post {}
                            _exit(2)
                        } catch {
                            if (error as? GuestError)?.code != .forked { _exit(3) }
                        }
                        loop.close()
                        _exit(7)
                    }, Unmanaged.passUnretained(loop).toOpaque())
            }
            guard status == 7 << 8 else { exit(2) }
            var fired = false
            loop.callLater(.milliseconds(1)) { fired = true }
            while !fired { tickNow(loop) }
            loop.close()
            exit(0)
        }
    }

    /// Behaviour 49.
    @Test func aSpawnedProcessInheritsNoneOfTheLoopsDescriptors() throws {
        try withLoop { _, loop in
            for number in [loop.shared.poller.rawValue, loop.shared.poller.wakePipe.rawValue] {
                #expect(fcntl(number, F_GETFD) & FD_CLOEXEC != 0)
            }
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/bin/true")
            try process.run()
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
        }
    }

    @Test func theBackendIsNamedAndBlocksEverySignal() throws {
        try withLoop { _, _ in
            var masks: [String] = []
            // A listing of /proc may miss a thread while others end: it is read until it has ours.
            for _ in 0..<10_000 where masks.isEmpty {
                for task in try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task") {
                    guard
                        (try? String(contentsOfFile: "/proc/self/task/\(task)/comm", encoding: .utf8))
                            == "tandem-backend\n",
                        let status = try? String(contentsOfFile: "/proc/self/task/\(task)/status", encoding: .utf8),
                        let line = status.split(separator: "\n").first(where: { $0.hasPrefix("SigBlk:") })
                    else { continue }
                    masks.append(String(line.split(separator: "\t").last ?? ""))
                }
            }
            #expect(!masks.isEmpty)
            // All but SIGKILL, SIGSTOP and the two that the C library keeps for itself.
            for mask in masks { #expect(UInt64(mask, radix: 16)! & 0x7FFF_BFFF == 0x7FFB_BEFF & 0x7FFF_BFFF) }
        }
    }

    @Test func errorsSayWhatWhyAndWhatToDo() {
        let error = GuestError(
            .badDescriptor, errno: .badFileDescriptor, "descriptor 9 is not open; register it before closing it")
        #expect(
            "\(error)"
                == "badDescriptor: descriptor 9 is not open; register it before closing it (Bad file descriptor, errno 9)"
        )
        #expect("\(GuestError.closed)".hasPrefix("closed: the loop has closed"))
        #expect(CallSite(fileID: "A/B.swift", line: 7).description == "A/B.swift:7")
        #expect(CallSite(fileID: "A/B.swift", line: 100_000).line == 65_535)
        #expect(MemoryLayout<CallSite>.stride == 8 && MemoryLayout<CallbackTable.Record>.stride == 32)
    }
}
