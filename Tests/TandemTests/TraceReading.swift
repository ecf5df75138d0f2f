// SPDX-License-Identifier: Apache-2.0
// TraceReading: reads a trace strictly, for the tests of what it holds.

import Foundation
import TandemTesting
import Testing

@testable import Tandem

/// A trace's text, from whatever thread writes it.
final class Document: @unchecked Sendable {
    // Safe to send: touched with `lock` held.
    private let lock = NSLock()
    private var bytes: [UInt8] = []

    func add(_ new: [UInt8]) { lock.withLock { bytes += new } }
    var all: [UInt8] { lock.withLock { bytes } }
}

/// What has begun and ended on one thread.
struct Span {
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
struct ReadTrace {
    private(set) var spans: [Span] = []
    private(set) var instants: [String] = []
    private(set) var scenes: [(begins: Bool, track: Int, place: String?)] = []
    private(set) var flows = 0
    private(set) var counters: Set<String> = []
    /// All events, without the names of threads.
    private(set) var count = 0
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
            count += 1
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

/// Runs a loop that is traced, and reads its trace.
func traced(
    _ configuration: Configuration = .unhurried, capacity: Int = 65_536,
    _ body: (ManualHost, GuestLoop) throws -> Void
) throws -> ReadTrace {
    let document = Document()
    let trace = Trace(capacity: capacity) { document.add($0) }
    var configuration = configuration
    configuration.trace = trace
    try withLoop(configuration: configuration, body)
    let read = try ReadTrace(document.all)
    #expect(read.count == trace.recorded && read.dropped == trace.dropped)
    return read
}
