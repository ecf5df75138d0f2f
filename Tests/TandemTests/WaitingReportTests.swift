// SPDX-License-Identifier: Apache-2.0
// WaitingReportTests: what a loop says of what stands on it.

import Glibc
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
                loop.run({ [reader = pipe.reader] in try await loop.waitUntilReadable(reader) })
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

        /// Not ours: what generic code of the standard library's calls knows no place, and says none.
        @Test func theClocksSayTheirCallersPlaceOrNone() throws {
            let (configuration, _) = virtualConfiguration()
            try withLoop(configuration: configuration) { host, loop in
                let game = GameClock(loop)
                let line = UInt32(#line)
                loop.run({ try await loop.clock.sleep(until: loop.now.advanced(by: .seconds(1)), tolerance: nil) })
                loop.run({
                    try await withTimeout(.seconds(2), clock: loop.clock) { try await loop.sleep(for: .seconds(9)) }
                })
                loop.run({ try await loop.withTimeout(.seconds(3)) { try await loop.sleep(for: .seconds(9)) } })
                loop.run({ try await Task.sleep(for: .seconds(4), clock: loop.clock) })
                loop.run({ try await game.sleep(until: game.now.advanced(by: .seconds(5)), tolerance: nil) })
                loop.run({ try await withTimeout(.seconds(6), clock: game) { try await loop.sleep(for: .seconds(9)) } })
                loop.run({ try await Task.sleep(for: .seconds(7), clock: game) })
                host.tick()
                let sleeps = loop.waiting.filter { $0.kind == .sleep && !$0.reason.contains("9.0") }
                #expect(sleeps.map { $0.site?.line } == [line + 1, line + 3, line + 5, nil], "\(sleeps)")
                #expect(sleeps.last?.description == "a sleep, due in 4.0 seconds")
                let games = loop.waiting.filter { $0.kind == .gameSleep }
                #expect(Set(games.map { $0.site?.line }) == [line + 7, line + 8, nil], "\(games)")
                let files = Set(loop.waiting.compactMap { $0.site?.fileID })
                #expect(files == ["TandemTests/WaitingReportTests.swift"])
            }
        }

        @Test func whatTheLoopDoesForItselfIsNobodysToWaitFor() throws {
            let (configuration, clock) = virtualConfiguration()
            try withLoop(configuration: configuration) { host, loop in
                let game = GameClock(loop)
                loop.run({ for await _ in loop.frames {} })
                loop.run({ try await game.sleep(for: .seconds(1)) })
                host.tick()
                loop.postInternally {}
                _ = loop.queues.takeIn(loop.shared)
                clock.advance(by: .seconds(2))
                #expect(loop.waiting.allSatisfy { $0.site?.fileID != nil || $0.kind == .frame }, "\(loop.waiting)")
                #expect(loop.waiting.allSatisfy { $0.site?.isOfLibrary != true }, "\(loop.waiting)")
            }
        }

        @Test func itSaysForHowLongTasksHaveWaitedAndWhatIsLost() throws {
            let (pipe, other) = (try Pipe(), try Pipe())
            try withLoop { host, loop in
                let game = GameClock(loop)
                loop.run({ try await loop.sleep(for: .seconds(1000)) }, onDone: { _ in })
                loop.run({ try await game.sleep(for: .seconds(1000)) }, onDone: { _ in })
                loop.run({ [reader = pipe.reader] in try await loop.waitUntilReadable(reader) }, onDone: { _ in })
                loop.run({ _ = try await loop.nextFrame() }, onDone: { _ in })
                loop.run { try await loop.sleep(for: .seconds(2000)) }
                let lostLine = UInt32(#line) - 1
                _ = try loop.whenReadable(other.reader) {}
                host.tick()
                usleep(20_000)
                loop.callLater(.seconds(3000)) {}
                let waiting = loop.waiting
                let tasks = waiting.filter { $0.waited != nil }
                // Five runs, and what each of them waits for.
                #expect(tasks.count == 10 && waiting.count == 12, "\(waiting)")
                #expect(tasks.allSatisfy { $0.waited! >= .milliseconds(20) && $0.waited! < .seconds(60) })
                let lost = waiting.filter(\.isLost)
                #expect(lost.map(\.kind) == [.descriptor, .run] && lost[0].descriptor == other.reader)
                #expect(lost[1].site?.line == lostLine)
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
