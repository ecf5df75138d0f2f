// SPDX-License-Identifier: Apache-2.0
// TraceEvent: one event of a trace, in 32 bytes; and how it is written in the format that Perfetto and Chrome open.
// Owner:  a record; its text is made by the trace's writer thread.

import Glibc

struct TraceEvent {
    enum Phase: UInt8 {
        case begin, end, instant, counter
        /// Of what begins on one thread's time and may overlap: scenes.
        case asyncBegin, asyncEnd
        case flowBegin, flowEnd
    }

    /// Nanoseconds since the trace was made.
    let time: Int64
    /// A counter's figure; the number of what has one.
    let value: Int64
    let site: CallSite
    let thread: Int32
    let phase: Phase
    let name: Activity

    @inline(__always) init(
        time: Int64, value: Int64 = 0, site: CallSite = .unknown, thread: Int32, phase: Phase, name: Activity
    ) {
        (self.time, self.value, self.site) = (time, value, site)
        (self.thread, self.phase, self.name) = (thread, phase, name)
    }
}

/// Makes text of events: the JSON trace event format, an object whose array "traceEvents" comes last but for one entry.
struct TraceText {
    /// No thread has a number from here on: tracks that show who has a loop's turn.
    static let firstTurnTrack: Int32 = 1 << 24
    static let head = "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n"

    private let process = getpid()
    private var places: [CallSite: String] = [:]
    private var namedThreads: Set<Int32> = []
    private var isFirst = true
    private(set) var bytes: [UInt8] = []

    /// What stands behind the events at any time, so that the file is whole: the next events take its place.
    static func tail(dropped: Int) -> String { "\n],\"otherData\":{\"droppedEvents\":\"\(dropped)\"}}\n" }

    /// The next event is the first of a document.
    mutating func beginDocument() {
        isFirst = true
        namedThreads = []
    }

    mutating func take() -> [UInt8] {
        defer { bytes.removeAll(keepingCapacity: true) }
        return bytes
    }

    mutating func add(_ event: TraceEvent) {
        if namedThreads.insert(event.thread).inserted { nameThread(event.thread) }
        begin(event.name.title)
        let place = place(of: event)
        if let place {
            add(" ")
            addEscaped(place)
        }
        add("\",\"ph\":\"")
        switch event.phase {
        case .begin: add("B")
        case .end: add("E")
        case .instant: add("i\",\"s\":\"t")
        case .counter: add("C")
        case .asyncBegin: add("b\",\"cat\":\"scene")
        case .asyncEnd: add("e\",\"cat\":\"scene")
        case .flowBegin: add("s\",\"cat\":\"post")
        case .flowEnd: add("f\",\"bp\":\"e\",\"cat\":\"post")
        }
        add("\",\"ts\":")
        add(event.time / 1000)
        add(".")
        let rest = event.time % 1000
        if rest < 100 { add("0") }
        if rest < 10 { add("0") }
        add(rest)
        add(",\"pid\":")
        add(Int64(process))
        add(",\"tid\":")
        add(Int64(event.thread))
        switch event.phase {
        case .counter:
            add(",\"args\":{\"value\":")
            add(event.value)
            add("}")
        case .asyncBegin, .asyncEnd, .flowBegin, .flowEnd:
            add(",\"id\":")
            add(event.value)
            if let place { addPlace(place) }
        default: if let place { addPlace(place) }
        }
        add("}")
    }

    private mutating func begin(_ name: StaticString) {
        add(isFirst ? "{\"name\":\"" : ",\n{\"name\":\"")
        isFirst = false
        bytes.append(contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
    }

    private mutating func nameThread(_ thread: Int32) {
        let name: String
        if thread >= Self.firstTurnTrack {
            name = "who has the turn"
        } else if let file = fopen("/proc/self/task/\(thread)/comm", "re") {
            var buffer = [CChar](repeating: 0, count: 32)
            let line = fgets(&buffer, 32, file) != nil
            fclose(file)
            let text = buffer.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }
            name = line ? String(decoding: text, as: UTF8.self) : "thread \(thread)"
        } else {
            name = "thread \(thread)"
        }
        begin("thread_name")
        add("\",\"ph\":\"M\",\"pid\":")
        add(Int64(process))
        add(",\"tid\":")
        add(Int64(thread))
        add(",\"args\":{\"name\":\"")
        addEscaped(name)
        add("\"}}")
    }

    /// `nil` where nobody has told it, or where it would say nothing.
    private mutating func place(of event: TraceEvent) -> String? {
        // The two ends of a flow find each other by their name, too.
        guard event.phase != .end, event.name != .flow, let site = event.site.known else { return nil }
        if let known = places[site] { return known }
        let place = site.description
        places[site] = place
        return place
    }

    private mutating func addPlace(_ place: String) {
        add(",\"args\":{\"place\":\"")
        addEscaped(place)
        add("\"}")
    }

    private mutating func addEscaped(_ text: String) {
        for byte in text.utf8 {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { bytes.append(UInt8(ascii: "\\")) }
            bytes.append(byte < 32 ? UInt8(ascii: " ") : byte)
        }
    }

    private mutating func add(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    private mutating func add(_ number: Int64) {
        if number < 0 { add("-") }
        var left = number.magnitude
        let start = bytes.count
        repeat {
            bytes.append(UInt8(ascii: "0") + UInt8(left % 10))
            left /= 10
        } while left > 0
        bytes[start...].reverse()
    }
}
