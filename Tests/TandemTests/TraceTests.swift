// SPDX-License-Identifier: Apache-2.0
// TraceTests: what a trace holds, read strictly.

import Foundation
import Logging
import TandemTesting
import Testing

@testable import Tandem

/// A trace's text, from whatever thread writes it.
private final class Document: @unchecked Sendable {
    // Safe to send: touched with `lock` held.
    private let lock = NSLock()
    private var bytes: [UInt8] = []

    func add(_ new: [UInt8]) { lock.withLock { bytes += new } }
    var all: [UInt8] { lock.withLock { bytes } }
}

/// What has begun and ended on one thread.
private struct Span {
    let name: String
    let place: String?
    let thread: Int
    let begin: Double
    let end: Double
    /// The names of what it began in.
    var path: [String]
    var duration: Duration { .microseconds(Int64(end - begin)) }
}

/// A trace, if every rule of its format holds.
private struct ReadTrace {
    private(set) var spans: [Span] = []
    private(set) var instants: [String] = []
    private(set) var scenes: [(begins: Bool, track: Int, place: String?)] = []
    private(set) var flows = 0
    private(set) var counters: Set<String> = []
    let dropped: Int

    init(_ bytes: [UInt8]) throws {
        let document = try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
        let events = try #require(document["traceEvents"] as? [[String: Any]])
        let other = try #require(document["otherData"] as? [String: Any])
        dropped = try #require(Int(other["droppedEvents"] as? String ?? ""))
        var open: [Int: [(name: String, place: String?, time: Double)]] = [:]
        var last: [Int: Double] = [:]
        var openFlows: Set<Int> = []
        // With their place among the events: what lies inside of another one and is as long comes before it.
        var whole: [(order: Int, span: Span)] = []
        for (order, event) in events.enumerated() {
            let kind = try #require(event["ph"] as? String)
            guard kind != "M" else { continue }
            let (name, thread) = (try #require(event["name"] as? String), try #require(event["tid"] as? Int))
            let time = try #require((event["ts"] as? NSNumber)?.doubleValue)
            let place = (event["args"] as? [String: Any])?["place"] as? String
            let plain = place.map { name.replacingOccurrences(of: " \($0)", with: "") } ?? name
            // Each event is put in when it is over.
            let end = time + ((event["dur"] as? NSNumber)?.doubleValue ?? 0)
            // Times of 64 bits with three digits behind the point: a sum of two of them may be off by less than one in the last.
            #expect(end >= last[thread, default: 0] - 0.0005, "\(name) went back in time")
            last[thread] = end
            switch kind {
            case "B": open[thread, default: []].append((plain, place, time))
            case "E":
                let last = open[thread]?.popLast()
                let begun = try #require(last, "\(name) has not begun")
                #expect(begun.name == name)
                whole.append(
                    (
                        order,
                        Span(name: plain, place: begun.place, thread: thread, begin: begun.time, end: time, path: [])
                    ))
            case "X":
                whole.append((order, Span(name: plain, place: place, thread: thread, begin: time, end: end, path: [])))
            case "i": instants.append(name)
            case "C": counters.insert(name)
            case "b", "e": scenes.append((kind == "b", try #require(event["id"] as? Int), place))
            case "s": #expect(openFlows.insert(try #require(event["id"] as? Int)).inserted)
            case "f":
                #expect(openFlows.remove(try #require(event["id"] as? Int)) != nil)
                flows += 1
            default: Issue.record("an event of kind \(kind)")
            }
        }
        #expect(openFlows.isEmpty && open.values.allSatisfy(\.isEmpty), "what has begun has not ended")
        nest(whole)
    }

    /// Finds what each lies in. On each thread the inner ones end before the outer ones.
    private mutating func nest(_ whole: [(order: Int, span: Span)]) {
        let sorted = whole.sorted { one, other in
            (one.span.begin, -one.span.end, -one.order) < (other.span.begin, -other.span.end, -other.order)
        }
        var around: [Int: [Span]] = [:]
        for (_, span) in sorted {
            var outer = around[span.thread, default: []]
            while let last = outer.last, last.end - 0.0005 <= span.begin, last.end < span.end { outer.removeLast() }
            if let last = outer.last {
                #expect(span.end <= last.end + 0.0005, "\(span.name) ends after \(last.name), in which it has begun")
            }
            var span = span
            span.path = outer.map(\.name)
            spans.append(span)
            around[span.thread] = outer + [span]
        }
    }
}

extension Core {
    @Suite struct TraceTests {
        /// Runs a loop that is traced, and reads its trace.
        private func traced(
            _ configuration: Configuration = .unhurried, capacity: Int = 65_536,
            _ body: (ManualHost, GuestLoop) throws -> Void
        ) throws -> ReadTrace {
            let document = Document()
            var configuration = configuration
            configuration.trace = Trace(capacity: capacity) { document.add($0) }
            try withLoop(configuration: configuration, body)
            return try ReadTrace(document.all)
        }

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

        @Test func whatFindsTheBufferFullIsDroppedAndCountedAndNothingByHalves() throws {
            let (document, gate, log) = (Document(), DispatchSemaphore(value: 0), Log())
            let trace = Trace(capacity: 64) { bytes in
                gate.wait()
                gate.signal()
                document.add(bytes)
            }
            var configuration = Configuration.unhurried
            configuration.trace = trace
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
            #expect(ran.value == 500 && read.dropped == trace.dropped && !read.spans.isEmpty)
            #expect(log.lines.contains { $0.hasPrefix("the trace dropped \(trace.dropped) events") })
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
