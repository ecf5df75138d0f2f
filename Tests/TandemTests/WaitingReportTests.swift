// SPDX-License-Identifier: Apache-2.0
// WaitingReportTests: what a loop says of what stands on it.

import SystemPackage
import TandemTesting
import Testing

@testable import Tandem

extension Core {
    @Suite struct WaitingReportTests {
        @Test func aLoopSaysWhatStandsOnItWhyAndWhereFrom() throws {
            let (configuration, _) = virtualConfiguration()
            let pipe = try Pipe()
            try withLoop(configuration: configuration) { host, loop in
                let game = GameClock(loop)
                #expect(loop.waiting.isEmpty)
                loop.run({ try await loop.sleep(for: .seconds(2)) })
                loop.run({ try await game.sleep(for: .seconds(3)) })
                loop.run({ try await loop.clock.sleep(for: .seconds(4)) })
                loop.run({ [reader = pipe.reader] in try await loop.readable(reader) })
                host.tick()
                loop.callLater(.seconds(1)) {}
                let ready = loop.callSoon {}
                let line = UInt32(#line)
                let waiting = loop.waiting
                #expect(
                    waiting.map(\.kind) == [
                        .ready, .timer, .sleep, .sleep, .descriptor, .gameSleep, .run, .run, .run, .run,
                    ])
                #expect(waiting.allSatisfy { $0.site?.fileID == "TandemTests/WaitingReportTests.swift" })
                #expect(
                    waiting.map { $0.site?.line } == [1, 2, 7, 5, 4, 6, 7, 6, 5, 4].map { line - $0 },
                    "\(waiting.map(\.description))")
                #expect(waiting[1].deadline == loop.now.advanced(by: .seconds(1)))
                #expect(
                    waiting[1].description
                        == "a timer, due in 1.0 seconds, from TandemTests/WaitingReportTests.swift:\(line - 2)")
                #expect(waiting[4].descriptor == pipe.reader)
                ready.cancel()
                #expect(loop.waiting.first?.kind == .timer)
            }
        }

        /// The order of a dictionary differs from process to process; that of the ends of tasks must not.
        @Test func aLoopsEndResumesItsTasksInTheOrderInWhichTheyBeganToWait() throws {
            let journal = Journal([])
            try withLoop { host, loop in
                let game = GameClock(loop)
                for number in 0..<32 {
                    loop.run({ [journal] in
                        do { try await game.sleep(for: .seconds(1000)) } catch { journal.note("\(number)") }
                    })
                }
                host.tick(budget: .seconds(20))
            }
            #expect(journal.value == (0..<32).map { "\($0)" })
        }
    }
}
