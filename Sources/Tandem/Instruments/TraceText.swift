// SPDX-License-Identifier: Apache-2.0
// TraceText: makes text of events, the JSON trace event format, which Perfetto and Chrome open: an object whose array "traceEvents" comes last but for one
//            entry.
// Idea:   events of one name, place and thread differ in two numbers. What stands around those is made once, and copied from then on: the fewer
//         instructions the writer needs, the less it keeps a core, or its caches, from the game.
// Owner:  the trace's writer thread.

import Glibc

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

    /// Of events of one shape, where in `parts` the text stands before the time, between time and value, and after the value.
    private struct Form {
        let shape: Shape
        var beforeTime = 0..<0
        var afterTime = 0..<0
        var afterValue = 0..<0
        var hasValue = false
    }

    /// More would be kept for nothing: a program has some hundred.
    private static let mostForms = 8192
    private let process = getpid()
    private var forms: [Shape: Form] = [:]
    private var parts: [UInt8] = []
    /// The forms that were used last, each at a place that follows from its shape: most events are found here, without a hash.
    private var recent = [Form?](repeating: nil, count: 256)
    private var namedThreads: Set<Int32> = []
    private var isFirst = true
    private var text = TextBytes()

    /// Of the text that is there.
    var count: Int { text.count }

    /// What stands behind the events at any time, so that the file is whole: the next events take its place.
    static func tail(dropped: Int) -> String {
        "\n],\"otherData\":{\"droppedEvents\":\"\(dropped)\"}}\n"
    }

    /// The next event is the first of a document.
    mutating func beginDocument() {
        isFirst = true
        // Each document names its threads, which is done when a form is made.
        namedThreads = []
        forgetForms()
    }

    private mutating func forgetForms() {
        forms.removeAll(keepingCapacity: true)
        parts.removeAll(keepingCapacity: true)
        recent = [Form?](repeating: nil, count: recent.count)
    }

    mutating func take() -> [UInt8] { text.take() }

    mutating func add(_ event: TraceEvent) {
        let form = form(of: event)
        beginEvent(form.beforeTime.count + form.afterTime.count + form.afterValue.count)
        // A reference of its own: the text is changed meanwhile.
        let parts = parts
        parts.withUnsafeBytes { parts in
            text.add(parts[form.beforeTime])
            text.addMicroseconds(event.time)
            text.add(parts[form.afterTime])
            if form.hasValue {
                if event.phase == .complete { text.addMicroseconds(event.value) } else { text.add(event.value) }
            }
            text.add(parts[form.afterValue])
        }
    }

    /// `length`: of the parts that follow.
    private mutating func beginEvent(_ length: Int) {
        text.makeRoom(for: length)
        if !isFirst {
            text.add(UInt8(ascii: ","))
            text.add(UInt8(ascii: "\n"))
        }
        isFirst = false
    }

    private mutating func form(of event: TraceEvent) -> Form {
        let shape = Shape(site: event.site, thread: event.thread, phase: event.phase, name: event.name)
        let bits = event.site.bits ^ UInt64(event.name.rawValue) << 56 ^ UInt64(event.phase.rawValue) << 48
        let place = Int((bits &* 0x9E37_79B9_7F4A_7C15) >> 56)
        if let form = recent[place], form.shape == shape { return form }
        let form = forms[shape] ?? makeForm(event, shape)
        recent[place] = form
        return form
    }

    private mutating func makeForm(_ event: TraceEvent, _ shape: Shape) -> Form {
        if namedThreads.insert(event.thread).inserted { nameThread(event.thread) }
        if forms.count >= Self.mostForms { forgetForms() }
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
            }
        var form = Form(shape: shape)
        let name = place.map { "\(event.name.title) \($0)" } ?? "\(event.name.title)"
        form.beforeTime = keep("{\"name\":\"\(name)\",\"ph\":\"\(kind)\",\"ts\":")
        let from = ",\"pid\":\(process),\"tid\":\(event.thread)"
        form.hasValue = true
        switch event.phase {
        case .complete: (form.afterTime, form.afterValue) = (keep(",\"dur\":"), keep(from + arguments + "}"))
        case .counter: (form.afterTime, form.afterValue) = (keep(from + ",\"args\":{\"value\":"), keep("}}"))
        case .asyncBegin, .asyncEnd, .flowBegin, .flowEnd:
            (form.afterTime, form.afterValue) = (keep(from + ",\"id\":"), keep(arguments + "}"))
        case .begin, .end, .instant:
            form.hasValue = false
            form.afterTime = keep(from + arguments + "}")
        }
        forms[shape] = form
        return form
    }

    private mutating func keep(_ text: String) -> Range<Int> {
        let start = parts.count
        parts.append(contentsOf: text.utf8)
        return start..<parts.count
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
        let line =
            "{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":\(process),\"tid\":\(thread),\"args\":{\"name\":\"\(Self.escaped(name))\"}}"
        beginEvent(line.utf8.count)
        for byte in line.utf8 { text.add(byte) }
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
}

/// Bytes that grow. Room is made first.
private struct TextBytes {
    /// For two numbers, and what is between events.
    private static let longestNumbers = 64

    /// The first `count` are text.
    private var bytes = [UInt8](repeating: 0, count: 4096)
    private(set) var count = 0

    mutating func take() -> [UInt8] {
        defer { count = 0 }
        return Array(bytes[..<count])
    }

    mutating func makeRoom(for length: Int) {
        let missing = count + length + Self.longestNumbers - bytes.count
        if missing > 0 { bytes.append(contentsOf: repeatElement(0, count: max(missing, bytes.count))) }
    }

    @inline(__always) mutating func add(_ byte: UInt8) {
        bytes[count] = byte
        count &+= 1
    }

    @inline(__always) mutating func add(_ part: Slice<UnsafeRawBufferPointer>) {
        let (part, start) = (UnsafeRawBufferPointer(rebasing: part), count)
        bytes.withUnsafeMutableBytes { UnsafeMutableRawBufferPointer(rebasing: $0[start...]).copyMemory(from: part) }
        count &+= part.count
    }

    /// Nanoseconds, as microseconds with three digits behind the point.
    mutating func addMicroseconds(_ time: Int64) {
        add(time / 1000)
        add(UInt8(ascii: "."))
        let digits = UInt16(time % 1000)
        add(UInt8(ascii: "0") + UInt8(digits / 100))
        add(UInt8(ascii: "0") + UInt8(digits / 10 % 10))
        add(UInt8(ascii: "0") + UInt8(digits % 10))
    }

    mutating func add(_ number: Int64) {
        if number < 0 { add(UInt8(ascii: "-")) }
        var left = number.magnitude
        var (length, limit) = (1, UInt64(10))
        while left >= limit { (length, limit) = (length + 1, limit * 10) }
        for place in stride(from: count + length - 1, through: count, by: -1) {
            bytes[place] = UInt8(ascii: "0") + UInt8(left % 10)
            left /= 10
        }
        count += length
    }
}
