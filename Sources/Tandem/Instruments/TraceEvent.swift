// SPDX-License-Identifier: Apache-2.0
// TraceEvent: one event of a trace, in 32 bytes; and how it is written in the format that Perfetto and Chrome open.
// Owner:  a record; its text is made by the trace's writer thread.

import Glibc

struct TraceEvent {
    enum Phase: UInt8 {
        case begin, end, instant, counter
        /// Beginning and end at once, put in at the end.
        case complete
        /// Of what begins on one thread's time and may overlap: scenes.
        case asyncBegin, asyncEnd
        case flowBegin, flowEnd
        /// For the writer, which makes complete events of them (`PieceTimes`): a piece of work, whose time and value are the counts of cycles at its
        /// beginning and end; and the two moments of the line along which the pieces that follow have their times, with the count as value.
        case piece, lineStart, lineEnd
    }

    /// Nanoseconds since the trace was made; given when it is put in.
    private(set) var time: Int64
    /// A counter's figure; the number of what has one; how many nanoseconds a complete event lasted.
    private(set) var value: Int64
    private(set) var site: CallSite
    let thread: Int32
    private(set) var phase: Phase
    private(set) var name: Activity

    @inline(__always) init(
        time: Int64 = 0, value: Int64 = 0, site: CallSite = .unknown, thread: Int32, phase: Phase,
        name: Activity
    ) {
        (self.time, self.value, self.site) = (time, value, site)
        (self.thread, self.phase, self.name) = (thread, phase, name)
    }

    @inline(__always) func at(_ time: Int64) -> TraceEvent {
        var event = self
        event.time = time
        return event
    }

    /// Makes another piece of this one, of the same thread.
    @inline(__always) mutating func setPiece(_ activity: Activity, _ site: CallSite, _ began: UInt64, _ ended: UInt64) {
        (time, value) = (Int64(bitPattern: began), Int64(bitPattern: ended))
        (self.site, name) = (site, activity)
    }

    init(_ phase: Phase, of moment: TraceMoment, _ thread: Int32) {
        self.init(
            time: moment.time, value: Int64(bitPattern: moment.cycles), thread: thread, phase: phase, name: .pass)
    }

    /// A piece whose times are known.
    func complete(_ began: Int64, _ ended: Int64) -> TraceEvent {
        var event = self
        (event.time, event.value, event.phase) = (began, ended - began, .complete)
        return event
    }
}

/// Gives pieces of work their times, which the writer does to keep it from the UI thread.
struct PieceTimes {
    private var start = TraceMoment(cycles: 0, time: 0)
    private var line: PieceLine?

    /// The event as it is to be written; `nil`: it only says when others were.
    mutating func timed(_ event: TraceEvent) -> TraceEvent? {
        switch event.phase {
        case .piece:
            guard let line else { return nil }
            return event.complete(
                line.time(at: UInt64(bitPattern: event.time)), line.time(at: UInt64(bitPattern: event.value)))
        case .lineStart: start = event.moment
        case .lineEnd: line = PieceLine(from: start, to: event.moment)
        default: return event
        }
        return nil
    }
}

extension TraceEvent {
    fileprivate var moment: TraceMoment { TraceMoment(cycles: UInt64(bitPattern: value), time: time) }
}

/// Makes text of events: the JSON trace event format, an object whose array "traceEvents" comes last but for one entry.
///
/// Events of one name, place and thread differ in two numbers. What stands around those is made once.
struct TraceText {
    /// No thread has a number from here on: tracks that show who has a loop's turn.
    static let firstTurnTrack: Int32 = 1 << 24
    static let head = "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n"

    private struct Shape: Hashable {
        let site: CallSite
        let thread: Int32
        let phase: TraceEvent.Phase
        let name: Activity
    }

    /// The text before the time, between time and value, and after the value.
    private struct Form {
        var beforeTime: [UInt8] = []
        var afterTime: [UInt8] = []
        var afterValue: [UInt8] = []
        var hasValue = false
    }

    /// More would be kept for nothing: a program has some hundred.
    private static let mostForms = 8192

    private let process = getpid()
    private var forms: [Shape: Form] = [:]
    private var namedThreads: Set<Int32> = []
    private var isFirst = true
    private(set) var bytes: [UInt8] = []

    /// What stands behind the events at any time, so that the file is whole: the next events take its place.
    static func tail(dropped: Int) -> String {
        "\n],\"otherData\":{\"droppedEvents\":\"\(dropped)\"}}\n"
    }

    /// The next event is the first of a document.
    mutating func beginDocument() {
        isFirst = true
        // Each document names its threads, which is done when a form is made.
        namedThreads = []
        forms = [:]
    }

    mutating func take() -> [UInt8] {
        defer { bytes.removeAll(keepingCapacity: true) }
        return bytes
    }

    mutating func add(_ event: TraceEvent) {
        let form = form(of: event)
        beginEvent()
        bytes += form.beforeTime
        add(event.time / 1000, fraction: event.time % 1000)
        bytes += form.afterTime
        if event.phase == .complete {
            add(event.value / 1000, fraction: event.value % 1000)
        } else if form.hasValue {
            add(event.value)
        }
        bytes += form.afterValue
    }

    private mutating func form(of event: TraceEvent) -> Form {
        let shape = Shape(site: event.site, thread: event.thread, phase: event.phase, name: event.name)
        if let form = forms[shape] { return form }
        if namedThreads.insert(event.thread).inserted { nameThread(event.thread) }
        if forms.count >= Self.mostForms { forms.removeAll(keepingCapacity: true) }
        let form = makeForm(event)
        forms[shape] = form
        return form
    }

    private func makeForm(_ event: TraceEvent) -> Form {
        // The two ends of a flow find each other by their name, too.
        let isPlaced = event.phase != .end && event.name != .flow
        let place = isPlaced ? event.site.known.map { Self.escaped($0.description) } : nil
        let arguments = place.map { ",\"args\":{\"place\":\"\($0)\"}" } ?? ""
        let kind =
            switch event.phase {
            case .begin: "B"
            case .complete: "X"
            case .end: "E"
            case .instant: "i\",\"s\":\"t"
            case .counter: "C"
            case .asyncBegin: "b\",\"cat\":\"scene"
            case .asyncEnd: "e\",\"cat\":\"scene"
            case .flowBegin: "s\",\"cat\":\"post"
            case .flowEnd: "f\",\"bp\":\"e\",\"cat\":\"post"
            case .piece, .lineStart, .lineEnd: preconditionFailure("an event without a time; see PieceTimes")
            }
        var form = Form()
        let name = place.map { "\(event.name.title) \($0)" } ?? "\(event.name.title)"
        form.beforeTime = Array("{\"name\":\"\(name)\",\"ph\":\"\(kind)\",\"ts\":".utf8)
        let from = ",\"pid\":\(process),\"tid\":\(event.thread)"
        switch event.phase {
        case .complete:
            (form.afterTime, form.afterValue) = (Array(",\"dur\":".utf8), Array((from + arguments + "}").utf8))
        case .counter:
            form.hasValue = true
            (form.afterTime, form.afterValue) = (
                Array((from + ",\"args\":{\"value\":").utf8), Array("}}".utf8)
            )
        case .asyncBegin, .asyncEnd, .flowBegin, .flowEnd:
            form.hasValue = true
            (form.afterTime, form.afterValue) = (
                Array((from + ",\"id\":").utf8), Array((arguments + "}").utf8)
            )
        default: form.afterTime = Array((from + arguments + "}").utf8)
        }
        return form
    }

    private mutating func beginEvent() {
        if !isFirst {
            bytes.append(UInt8(ascii: ","))
            bytes.append(UInt8(ascii: "\n"))
        }
        isFirst = false
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
        beginEvent()
        bytes += Array(
            "{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":\(process),\"tid\":\(thread),\"args\":{\"name\":\"\(Self.escaped(name))\"}}"
                .utf8)
    }

    private static func escaped(_ text: String) -> String {
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
                bytes.append(UInt8(ascii: "\\"))
            }
            bytes.append(byte < 32 ? UInt8(ascii: " ") : byte)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A number, and three digits behind a point.
    private mutating func add(_ number: Int64, fraction: Int64) {
        add(number)
        bytes.append(UInt8(ascii: "."))
        let digits = UInt16(fraction)
        bytes.append(UInt8(ascii: "0") + UInt8(digits / 100))
        bytes.append(UInt8(ascii: "0") + UInt8(digits / 10 % 10))
        bytes.append(UInt8(ascii: "0") + UInt8(digits % 10))
    }

    private mutating func add(_ number: Int64) {
        if number < 0 { bytes.append(UInt8(ascii: "-")) }
        var left = number.magnitude
        let start = bytes.count
        repeat {
            bytes.append(UInt8(ascii: "0") + UInt8(left % 10))
            left /= 10
        } while left > 0
        bytes[start...].reverse()
    }
}
