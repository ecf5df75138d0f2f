// SPDX-License-Identifier: Apache-2.0
// TracePieceTests: pieces of work on their way into a trace: in the order in which they were over, whole, and there when something hangs.

import Foundation
import TandemCLinux
import TandemTesting
import Testing

@testable import Tandem

private func moment(_ cycles: UInt64, _ time: Int64) -> TraceMoment { TraceMoment(cycles: cycles, time: time) }

/// Waits for another thread, for 20 seconds at most.
private func waitUntil(_ condition: () -> Bool) -> Bool {
    let end = ContinuousClock.now.advanced(by: .seconds(20))
    while ContinuousClock.now < end {
        if condition() { return true }
        usleep(1000)
    }
    return condition()
}

extension Core {
    @Suite struct TracePieceTests {
        // MARK: Order

        @Test func aThousandPiecesOfOnePassAreThereInTheirOrder() throws {
            let lines = Box([0, 0])
            let trace = try traced { host, loop in
                for _ in 0..<500 {
                    lines.value = [#line + 1, #line + 2]
                    loop.callSoon {}
                    loop.callSoon {}
                }
                host.tick()
            }
            let pieces = trace.spans.filter { $0.name == "callback" }
            #expect(pieces.count == 1000 && trace.dropped == 0)
            let places = lines.value.map { "TandemTests/TracePieceTests.swift:\($0)" }
            #expect(pieces.enumerated().allSatisfy { $0.element.place == places[$0.offset % 2] })
            for (one, next) in zip(pieces, pieces.dropFirst()) { #expect(next.begin >= one.end - 0.0005) }
            #expect(pieces.allSatisfy { $0.path == ["tick", "pass"] })
        }

        /// What the thread itself puts in at once lies inside of the piece that does it, and behind the pieces before.
        @Test func aPieceThatPostsHasThePostingInside() throws {
            let trace = try traced { host, loop in
                for _ in 0..<100 {
                    loop.callSoon {}
                    loop.callSoon { try loop.post {} }
                    loop.callSoon {}
                }
                host.tick()
            }
            #expect(
                trace.spans.filter { $0.name == "posting" }.map(\.path)
                    == Array(repeating: ["tick", "pass", "callback"], count: 100))
            #expect(trace.spans.count { $0.name == "callback" } == 300 && trace.flows == 100)
        }

        @Test func twoLoopsOnTwoThreadsThatPostToEachOtherAreEachInOrder() throws {
            let document = Document()
            let trace = Trace { document.add($0) }
            var configuration = Configuration.unhurried
            configuration.trace = trace
            let shared = configuration
            let (proxy, ended) = (Box<GuestLoopProxy?>(nil), DispatchSemaphore(value: 0))
            let (received, answered) = (Box(0), Box(0))
            let (ready, isOver) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
            try withLoop(configuration: shared) { host, loop in
                let here = loop.proxy
                Thread.detachNewThread {
                    try? withLoop(configuration: shared) { host, loop in
                        proxy.value = loop.proxy
                        ready.signal()
                        _ = host.run { received.value == 300 }
                        for _ in 0..<300 {
                            loop.callSoon {}
                            loop.callSoon { try here.post { answered.value += 1 } }
                        }
                        host.tick()
                        isOver.wait()
                    }
                    ended.signal()
                }
                ready.wait()
                let other = try #require(proxy.value)
                for _ in 0..<300 {
                    loop.callSoon {}
                    loop.callSoon { try other.post { received.value += 1 } }
                }
                host.tick()
                #expect(host.run { answered.value == 300 })
                isOver.signal()
                ended.wait()
            }
            let read = try ReadTrace(document.all)
            #expect(read.spans.count { $0.name == "callback" } == 1200 && read.flows == 600)
            #expect(Set(read.spans.filter { $0.name == "callback" }.map(\.thread)).count == 2)
            #expect(read.spans.filter { $0.name == "posting" }.allSatisfy { $0.path == ["tick", "pass", "callback"] })
            #expect(read.count == trace.recorded && read.dropped == 0)
        }

        @Test func aLoopThatIsReleasedOnAnotherThreadLeavesItsPiecesInTheTrace() throws {
            let (document, box, done) = (Document(), Box<GuestLoop?>(nil), DispatchSemaphore(value: 0))
            var configuration = Configuration.unhurried
            configuration.trace = Trace { document.add($0) }
            final class Quiet: GuestHost { func requestTick() -> Bool { true } }
            box.value = try GuestLoop(host: Quiet(), configuration: configuration)
            for _ in 0..<10 { box.value?.callSoon {} }
            box.value?.tick()
            Thread.detachNewThread {
                box.value = nil
                done.signal()
            }
            done.wait()
            #expect(try ReadTrace(document.all).spans.count { $0.name == "callback" } == 10)
        }

        // MARK: What is there, and when

        /// The file at this time is what a program leaves that is killed or crashes.
        @Test func whatRanBeforeAPieceThatHangsIsInTheFileWhileItHangs() throws {
            let file = NSTemporaryDirectory() + "tandem-trace-\(UUID().uuidString).json"
            defer { try? FileManager.default.removeItem(atPath: file) }
            var configuration = Configuration.unhurried
            configuration.trace = try Trace(file: file)
            let (isThere, hung) = (Box(false), Box(Duration.zero))
            try withLoop(configuration: configuration) { host, loop in
                for _ in 0..<10 { loop.callSoon {} }
                loop.callSoon {
                    let began = ContinuousClock.now
                    isThere.value = waitUntil {
                        // Read in the middle of a write it may not be whole.
                        let data = (try? Data(contentsOf: URL(fileURLWithPath: file))) ?? Data()
                        let document = (try? JSONSerialization.jsonObject(with: data)) as? [String: Any]
                        let events = document?["traceEvents"] as? [[String: Any]] ?? []
                        return events.count { ($0["name"] as? String)?.hasPrefix("callback ") ?? false } == 10
                    }
                    hung.value = ContinuousClock.now - began
                }
                loop.callSoon {}
                host.tick()
            }
            #expect(isThere.value)
            let trace = try ReadTrace([UInt8](Data(contentsOf: URL(fileURLWithPath: file))))
            let pieces = trace.spans.filter { $0.name == "callback" }
            try #require(pieces.count == 12)
            // The writer has been there meanwhile, which does not shorten it.
            #expect(pieces[10].duration >= hung.value - .milliseconds(5))
            #expect(pieces[11].begin - pieces[10].end < 0.0005)
        }

        @Test func whatRunsWhileTheLoopClosesIsInTheTrace() throws {
            let ran = Box(0)
            let trace = try traced { _, loop in
                for _ in 0..<5 { loop.callSoon { ran.value += 1 } }
                loop.close()
            }
            #expect(ran.value == 5 && trace.spans.count { $0.name == "callback" } == 5)
        }

        @Test func whoAsksInsideOfAPieceHowManyWereTakenIsToldOfThoseBefore() throws {
            let trace = Trace { _ in }
            var configuration = Configuration.unhurried
            configuration.trace = trace
            // The backend's events count, too: it sleeps when the pieces run.
            let steps = Steps()
            configuration.onStep = { steps.add($0) }
            let counts = Box([0])
            try withLoop(configuration: configuration) { host, loop in
                #expect(steps.wait(for: .poll))
                for _ in 0..<3 { loop.callSoon { counts.value.append(trace.recorded) } }
                host.tick()
            }
            try #require(counts.value.count == 4)
            // More than one, if the backend's thread has something for the trace at the same moment.
            #expect(counts.value[2] > counts.value[1] && counts.value[3] > counts.value[2])
        }

        /// Where the counter goes in steps, short pieces begin and end at one count.
        @Test func piecesOfNoCyclesTakeANanosecondEach() {
            let ring = ActivityRing(since: 0, capacity: 16)
            defer { ring.deallocate() }
            let cycles = tandem_cycles()
            _ = ring.add(.pieceBegins, .pass, at: cycles)
            for _ in 0..<5 { _ = ring.add(.piece, .job, at: cycles) }
            var pieces: [TraceEvent] = []
            ring.takeWritten { event, _ in
                pieces.append(event)
                return true
            }
            #expect(pieces.count == 5 && pieces.allSatisfy { $0.value == 1 })
            for (one, next) in zip(pieces, pieces.dropFirst()) { #expect(next.time == one.time + 1) }
        }

        // MARK: From cycles to time

        @Test func aPieceKeepsItsLengthThoughOthersAreTakenMeanwhile() {
            var clock = TraceClock(at: moment(1000, 0))
            #expect(clock.take(3000, along: clock.line(to: moment(101_000, 50_000))) == 1000)
            #expect(clock.take(401_000, along: clock.line(to: moment(401_000, 200_000))) == 200_000)
        }

        @Test func aRecordStandsNoEarlierThanWhatIsBeforeItAndTheNextOneFollows() {
            var clock = TraceClock(at: moment(0, 0))
            #expect(clock.take(100, along: clock.line(to: moment(1000, 900))) == 90)
            // An event inside of the piece that began at 100, by a clock that had been slow until then.
            #expect(clock.pass(moment(1000, 900)) == 900)
            let line = clock.line(to: moment(2000, 1000))
            #expect(clock.take(1001, along: line) == 900)
            #expect(clock.take(2000, along: line) == 1000)
            // An event whose moment was read before another thread took the records.
            #expect(clock.pass(moment(1900, 950)) == 1000)
        }

        @Test func noRecordGoesBackWhenTheCounterBeginsAnew() {
            var clock = TraceClock(at: moment(1 << 50, 0))
            let line = clock.line(to: moment(500, 1000))
            #expect([(1 << 50) + 5, 100, 300].map { clock.take($0, along: line) } == [1000, 1000, 1000])
            #expect(clock.take(1300, along: clock.line(to: moment(1300, 2000))) == 2000)
        }

        @Test func aRecordHoldsWhatWasPutIn() {
            let site = CallSite()
            for activity in [Activity.frame, .job, .budgetLeft] {
                for kind in [TraceRecord.Kind.piece, .pieceBegins, .begin, .end, .instant, .figure] {
                    let record = TraceRecord(kind, activity, site, at: TraceRecord.cycleMask)
                    #expect(record.kind == kind && record.activity == activity && record.content == site)
                    #expect(record.cycles == TraceRecord.cycleMask)
                }
            }
            let figure = TraceRecord(.figure, .timers, CallSite(bits: .max - 4), at: 1)
            #expect(figure.content.bits == .max - 4 && figure.cycles == 1 && MemoryLayout<TraceRecord>.size == 16)
        }

        @Test func noLineLeadsBackWhateverTheCounterDid() {
            var random = SystemRandomNumberGenerator()
            let counts: [UInt64] = [0, 1, 2, 1 << 32, 1 << 62, 1 << 63, .max - 1, .max]
            let times: [Int64] = [0, 1, 1_000_000_000, .max / 2]
            for from in counts {
                for to in counts + [from, from &+ 3] {
                    for (begin, end) in zip(times, times.shuffled(using: &random)) {
                        let line = TraceLine(from: moment(from, begin), to: moment(to, end))
                        let stops = (counts + [from &+ 1, to &- 1]).sorted().map { line.time(at: $0) }
                        #expect(stops == stops.sorted())
                        #expect(stops.allSatisfy { (begin...max(begin, end)).contains($0) })
                        #expect(line.time(at: from) == begin)
                    }
                }
            }
        }
    }
}
