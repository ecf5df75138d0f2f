// SPDX-License-Identifier: Apache-2.0
// TraceTests: what a trace holds, read strictly.

import Foundation
import Logging
import TandemTesting
import Testing

@testable import Tandem

extension Core {
    @Suite struct TraceTests {
        @Test func aPlantedCallbackIsFoundInTheTraceWithItsPlace() throws {
            let line = UInt32(#line) + 3
            let trace = try traced { host, loop in
                for _ in 0..<10 { loop.callSoon {} }
                loop.callSoon { usleep(40_000) }
                for _ in 0..<10 { loop.callSoon {} }
                host.tick()
            }
            let longest = try #require(trace.spans.filter { $0.name == "callback" }.max { $0.duration < $1.duration })
            #expect(longest.place == "TandemTests/TraceTests.swift:\(line)")
            #expect(longest.duration >= .milliseconds(40) && longest.path == ["tick", "pass"])
            #expect(trace.spans.count { $0.name == "callback" } == 21 && trace.dropped == 0)
            #expect(trace.counters.isSuperset(of: ["carried over", "timers armed", "budget left (µs)"]))
        }

        @Test func aLostTaskAndALostHandlerAreMarkedAtTheEnd() throws {
            let pipe = try Pipe()
            let line = UInt32(#line) + 2
            let trace = try traced { host, loop in
                loop.run { try await loop.sleep(for: .seconds(100)) }
                loop.run({ try await loop.sleep(for: .seconds(100)) }, onDone: { _ in })
                _ = try loop.whenReadable(pipe.reader) {}
                host.tick()
            }
            let file = "TandemTests/TraceTests.swift"
            #expect(
                trace.instants.filter { $0.hasPrefix("lost") }
                    == ["lost task \(file):\(line)", "lost handler \(file):\(line + 2)"])
        }

        @Test func aPostIsFollowedFromItsThreadToItsRun() throws {
            let (ran, pipe, isRead) = (Box(0), try Pipe(), Box(false))
            let trace = try traced { host, loop in
                // At first the backend has the turn, so that it is the one who finds this.
                let watch = try loop.whenReadable(pipe.reader) {
                    _ = pipe.read()
                    isRead.value = true
                }
                try pipe.write()
                #expect(host.run { isRead.value })
                watch.cancel()
                let done = DispatchSemaphore(value: 0)
                let proxy = loop.proxy
                Thread.detachNewThread {
                    for _ in 0..<5 { try? proxy.post { ran.value += 1 } }
                    done.signal()
                }
                done.wait()
                host.tick()
                // What is refused ends where it began.
                loop.close()
                #expect(throws: GuestError.self) { try loop.post {} }
            }
            #expect(ran.value == 5 && trace.flows == 5)
            let posting = trace.spans.filter { $0.name == "posting" }
            let runs = trace.spans.filter { $0.name == "post" }
            #expect(posting.count == 5 && runs.count == 5)
            #expect(Set(posting.map(\.thread)).isDisjoint(with: runs.map(\.thread)))
            #expect(trace.spans.contains { $0.name == "sleep in epoll" } && trace.instants.contains("hint"))
            #expect(trace.spans.contains { $0.name == "backend thread" })
        }

        @Test func aJobIsNamedByTheWaitThatItGoesOnFrom() throws {
            let (configuration, clock) = virtualConfiguration()
            let line = UInt32(#line) + 3
            let trace = try traced(configuration) { host, loop in
                loop.run {
                    try await loop.sleep(for: .seconds(3))
                }
                host.tick()
                clock.advance(by: .seconds(3))
                host.tick()
            }
            let places = trace.spans.filter { $0.name == "job" }.map(\.place)
            #expect(places == [line - 1, line].map { "TandemTests/TraceTests.swift:\($0)" })
            #expect(trace.spans.contains { $0.name == "timer" && $0.place == "TandemTests/TraceTests.swift:\(line)" })
            // The loop's time has jumped by three seconds, the trace's has not.
            let end = try #require(trace.spans.map(\.end).max())
            #expect(end < 20_000_000)
        }

        @Test func scenesAreSpansOneInsideOfTheOther() throws {
            let (configuration, clock) = virtualConfiguration()
            let trace = try traced(configuration) { host, loop in
                loop.run {
                    try await loop.withScene { _ in
                        try await loop.withScene { scene in
                            scene.clock.isPaused = true
                            scene.clock.isPaused = false
                            try await loop.sleep(for: .seconds(1))
                        }
                    }
                }
                for _ in 0..<10 {
                    host.tick()
                    clock.advance(by: .seconds(1))
                }
            }
            #expect(trace.scenes.map(\.begins) == [true, true, false, false])
            #expect(Set(trace.scenes.map(\.track)).count == 1)
            let places = trace.scenes.map(\.place)
            #expect(places[0] == places[3] && places[1] == places[2] && places[0] != places[1])
            #expect(
                trace.instants.filter { $0.hasPrefix("game clock") } == ["game clock paused", "game clock goes on"])
        }

        /// A small trace, whose text nobody takes until the gate is signalled.
        private func traceNobodyTakes() -> (Configuration, Trace, Document, gate: DispatchSemaphore) {
            let (document, gate) = (Document(), DispatchSemaphore(value: 0))
            let trace = Trace(capacity: 64) { bytes in
                gate.wait()
                gate.signal()
                document.add(bytes)
            }
            var configuration = Configuration.unhurried
            configuration.trace = trace
            return (configuration, trace, document, gate)
        }

        @Test func whatFindsTheBufferFullIsDroppedAndCountedAndNothingByHalves() throws {
            let log = Log()
            var (configuration, trace, document, gate) = traceNobodyTakes()
            configuration.logger = log.logger
            let ran = Box(0)
            try withLoop(configuration: configuration) { host, loop in
                for _ in 0..<500 { loop.callSoon { ran.value += 1 } }
                host.tick()
                // Two buffers of 64 are all there is while nobody takes the text.
                #expect(trace.dropped >= 300 && trace.recorded <= 128)
                gate.signal()
            }
            let read = try ReadTrace(document.all)
            #expect(ran.value == 500 && read.dropped == trace.dropped && read.count == trace.recorded)
            // A tick and a pass have two events each, and a tick at most five figures.
            #expect(!read.spans.isEmpty && (500...520).contains(read.count + read.dropped))
            #expect(log.lines.contains { $0.hasPrefix("the trace dropped \(trace.dropped) events") })
        }

        @Test func ofATickThatFindsTheBufferFullNeitherTheBeginningNorTheEndIsThere() throws {
            let (configuration, trace, document, gate) = traceNobodyTakes()
            try withLoop(configuration: configuration) { host, loop in
                for _ in 0..<100 {
                    loop.callSoon { loop.callSoon {} }
                    host.tick()
                }
                gate.signal()
                // Here there is room again.
                let end = ContinuousClock.now.advanced(by: .seconds(20))
                while trace.recorded <= 128, ContinuousClock.now < end {
                    usleep(1000)
                    loop.callSoon {}
                    host.tick()
                }
            }
            let read = try ReadTrace(document.all)
            #expect(read.dropped == trace.dropped && read.count == trace.recorded && read.count > 128)
            #expect(read.dropped > 300)
            for name in ["callback", "pass"] {
                #expect(read.spans.contains { $0.name == name && $0.path.first == "tick" })
            }
        }

        /// More than its thread's ring holds, and more text than is written at once.
        @Test func twentyThousandPiecesOfOneTickAreInTheFileInTheirOrder() throws {
            let file = NSTemporaryDirectory() + "tandem-trace-\(UUID().uuidString).json"
            defer { try? FileManager.default.removeItem(atPath: file) }
            var configuration = Configuration.unhurried
            let trace = try Trace(file: file)
            configuration.trace = trace
            let line = UInt32(#line) + 3
            try withLoop(configuration: configuration) { host, loop in
                for _ in 0..<10_000 {
                    loop.callSoon {}
                    loop.callSoon {}
                }
                host.tick()
            }
            let read = try ReadTrace([UInt8](Data(contentsOf: URL(fileURLWithPath: file))))
            let places = [line, line + 1].map { "TandemTests/TraceTests.swift:\($0)" }
            let pieces = read.spans.filter { $0.name == "callback" }
            #expect(pieces.count == 20_000 && trace.dropped == 0 && read.count == trace.recorded)
            #expect(pieces.enumerated().allSatisfy { $0.element.place == places[$0.offset % 2] })
        }

        @Test func aModalLoopInsideOfACallbackStandsInsideOfIt() throws {
            let trace = try traced { host, loop in
                loop.callSoon {
                    loop.runModal {
                        loop.callSoon {}
                        host.tick()
                    }
                }
                host.tick()
            }
            #expect(trace.spans.contains { $0.path == ["tick", "pass", "callback", "tick", "pass"] })
        }

        @Test func aFileIsWholeWhileItsLoopRunsAndGoesOnWithTheNextOne() throws {
            let file = NSTemporaryDirectory() + "tandem-trace-\(UUID().uuidString).json"
            defer { try? FileManager.default.removeItem(atPath: file) }
            var configuration = Configuration.unhurried
            configuration.trace = try Trace(file: file)
            for round in 1...2 {
                try withLoop(configuration: configuration) { host, loop in
                    loop.callSoon {}
                    host.tick()
                    // The writer comes ten times a second.
                    let end = ContinuousClock.now.advanced(by: .seconds(20))
                    var spans = 0
                    while spans < round, ContinuousClock.now < end {
                        usleep(10_000)
                        let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
                        spans = text.components(separatedBy: "\"name\":\"callback ").count - 1
                    }
                    #expect(spans == round)
                }
                let trace = try ReadTrace([UInt8](Data(contentsOf: URL(fileURLWithPath: file))))
                #expect(trace.spans.count { $0.name == "callback" } == round)
            }
        }

        @Test func aHundredActivitiesOneInsideOfTheOtherAllEnd() throws {
            let trace = try traced { _, loop in
                func nest(_ depth: Int) {
                    if depth > 0 { loop.observed(.update) { nest(depth - 1) } }
                }
                nest(100)
            }
            #expect(trace.spans.map(\.path.count).max() == 99)
            #expect(trace.spans.count { $0.name == "update" } == 100)
        }

        /// Of a piece of work that follows another one the beginning is the other's end.
        @Test func piecesOfOnePassFollowEachOtherAndThoseOfAnotherBeginByTheClock() throws {
            let trace = try traced { host, loop in
                for _ in 0..<3 { loop.callSoon { loop.callSoon {} } }
                host.tick()
            }
            let pieces = trace.spans.filter { $0.name == "callback" }
            #expect(pieces.count == 6)
            for (one, next) in zip(pieces, pieces.dropFirst()) { #expect(next.begin >= one.end - 0.0005) }
            #expect(pieces[1].begin - pieces[0].end < 0.0005 && pieces[2].begin - pieces[1].end < 0.0005)
            #expect(pieces[3].begin > pieces[2].end, "the first of the second pass")
            #expect(pieces.allSatisfy { $0.path == ["tick", "pass"] })
        }

        /// The modal loop's tick runs what the outer one had not come to.
        @Test func aPieceThatRunsAModalLoopHasTheInnerTicksInside() throws {
            let trace = try traced { host, loop in
                loop.callSoon {
                    loop.runModal { _ = host.tick() }
                }
                loop.callSoon {}
                loop.callSoon {}
                host.tick()
            }
            let outer = ["tick", "pass"]
            let inner = outer + ["callback"] + outer
            #expect(trace.spans.filter { $0.name == "callback" }.map(\.path) == [outer, inner, inner])
        }

        @Test func aTraceThatCannotBeMadeSaysWhy() {
            #expect {
                _ = try Trace(file: "/nonexistent/run.json")
            } throws: { error in
                (error as? GuestError)?.errno == .noSuchFileOrDirectory && "\(error)".contains("/nonexistent/run.json")
            }
        }
    }
}
