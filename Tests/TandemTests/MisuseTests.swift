// SPDX-License-Identifier: Apache-2.0
// MisuseTests: what a new user does wrong, and what Tandem says to it. The table is in the article on reliability.

import CTestSupport
import Foundation
import Glibc
import TandemTesting
import Testing

@testable import Tandem

extension Core {
    @Suite struct MisuseTests {
        /// A loop whose log is written down.
        private func withLoggedLoop(_ body: (ManualHost, GuestLoop, Log) throws -> Void) throws {
            let log = Log()
            var configuration = Configuration.unhurried
            configuration.logger = log.logger
            try withLoop(configuration: configuration) { host, loop in try body(host, loop, log) }
        }

        private func message(of result: ExitTest.Result?) -> String {
            String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        }

        @Test func aCallOnAnotherThreadNamesBothThreadsAndTheWayIn() async throws {
            let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                let loop = try ManualHost().makeLoop()
                Thread { loop.callSoon {} }.start()
                sleep(20)
            }
            #expect(message(of: result).contains("GuestLoop.callSoon was called on thread"))
            #expect(message(of: result).contains("Use GuestLoop.post from other threads"))
        }

        @Test func callsAfterTheCloseSaySo() throws {
            let log = Log()
            var configuration = Configuration.unhurried
            configuration.logger = log.logger
            let loop = try ManualHost().makeLoop(configuration: configuration)
            loop.close()
            #expect(loop.callSoon {}.isDone)
            #expect(loop.callLater(.zero) {}.isDone)
            loop.run {}
            #expect(log.lines.filter { $0.contains("after the loop had closed") }.count == 3)
            let error = #expect(throws: GuestError.self) { try loop.post {} }
            #expect(error?.code == .closed)
            #expect(loop.tick().isEmpty)
        }

        @Test func aTickInACallbackIsToldOfRunModal() throws {
            try withLoggedLoop { host, loop, log in
                loop.callSoon { host.tick() }
                host.tick()
                #expect(log.lines.contains { $0.contains("from inside a tick") && $0.contains("runModal") })
            }
        }

        @Test func aModalLoopInATaskIsToldOfRunModal() throws {
            try withLoggedLoop { host, loop, log in
                var isDone = false
                loop.run {
                    // What a dialog's own loop does.
                    for _ in 0..<3 { host.tick() }
                } onDone: { _ in
                    isDone = true
                }
                #expect(host.run { isDone })
                #expect(log.lines.filter { $0.contains("runModal") }.count == 1)
            }
        }

        @Test func aCallThatBlocksTheThreadIsToldOfOnce() throws {
            try withLoggedLoop { host, loop, log in
                for _ in 0..<2 { loop.callSoon { usleep(1_050_000) } }
                host.tick()
                host.tick()
                let lines = log.lines.filter { $0.contains("kept the UI thread for ") }
                #expect(lines.count == 1)
                #expect(lines.first?.contains("offload") ?? false)
            }
        }

        @Test func aLoopThatNobodyTickedIsNamedWhenItCloses() throws {
            let log = Log()
            var configuration = Configuration.unhurried
            configuration.logger = log.logger
            let loop = try ManualHost().makeLoop(configuration: configuration)
            try loop.post {}
            loop.close()
            #expect(log.lines.contains { $0.contains("tick() was never called") && $0.contains("MisuseTests") })
        }

        @Test func aLoopThatHadNothingToDoAndOneThatWasTickedAreNotNamed() throws {
            let log = Log()
            var configuration = Configuration.unhurried
            configuration.logger = log.logger
            try ManualHost().makeLoop(configuration: configuration).close()
            let host = ManualHost()
            let loop = try host.makeLoop(configuration: configuration)
            host.loop.callSoon {}
            host.tick()
            loop.callLater(.seconds(100)) {}
            loop.close()
            #expect(log.lines.isEmpty)
        }

        @Test func aLoopThatIsLetGoWithoutACloseIsNamed() throws {
            let log = Log()
            var configuration = Configuration.unhurried
            configuration.logger = log.logger
            // A host that does not own its loop, as some do by mistake.
            _ = try GuestLoop(host: ManualHost(), configuration: configuration)
            #expect(log.lines.contains { $0.contains("released without close()") && $0.contains("MisuseTests") })
        }

        @Test func aSecondLoopOnAThreadIsToldWhereTheFirstOneWasMade() throws {
            try withLoop { _, _ in
                let error = #expect(throws: GuestError.self) { try ManualHost().makeLoop() }
                #expect(error?.code == .loopAlreadyOnThread)
                let text = error.map { "\($0)" } ?? ""
                #expect(text.contains("made at") && text.contains("close it first"))
            }
        }

        @Test func aForkedChildIsToldWhatItMayDo() async throws {
            let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                let loop = try ManualHost().makeLoop()
                let status = test_fork(
                    { loop in
                        // Safe: the parent keeps the loop while the child lives.
                        Unmanaged<GuestLoop>.fromOpaque(loop!).takeUnretainedValue().callSoon {}
                        _exit(0)
                    }, Unmanaged.passUnretained(loop).toOpaque())
                loop.close()
                // The child has trapped, and its end is this one's.
                exit(status == 0 ? 0 : 1)
            }
            #expect(message(of: result).contains("in a forked child"))
            #expect(message(of: result).contains("posix_spawn"))
        }
    }
}
