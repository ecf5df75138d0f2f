// SPDX-License-Identifier: Apache-2.0
// Trace: what a loop does, written down for Perfetto and Chrome while it does it.
// Idea:   all threads put records of 32 bytes into one of two buffers of a fixed size; a writer thread swaps them and makes text of what it finds. A
//         buffer that is full drops what comes, and counts it. What begins only does so if there is room for its end as well, so that what has begun
//         always ends. A file ends with the format's last bracket at all times: also when the process is killed it can be opened.
// Owner:  any thread puts events in, with the lock held; the text and the file are the writer's.

import Glibc
import Logging
import SystemPackage
import TandemCLinux

/// Writes down what a loop does, in the trace event format that Perfetto (ui.perfetto.dev) and Chrome (chrome://tracing) open.
///
/// ```swift
/// var configuration = Configuration()
/// configuration.trace = try Trace(file: "run.json")
/// ```
///
/// Or, without a line of code, by the environment: `TANDEM_TRACE=run.json`. A trace shows frames, phases, ticks and passes; each callback, timer, job,
/// handler and post with the place where it was scheduled; an arrow from the thread that posts to the run; who has the turn, and how the two
/// threads sleep; scenes; and figures at the end of each tick.
///
/// Its memory is allocated once. When its buffer is full, events are dropped and counted (``dropped``), never half: what has begun, ends.
/// One trace may serve several loops, at the same time or one after the other.
public final class Trace: Sendable {
    private struct Buffer {
        // Safe: allocated in `init`, freed in `deinit`; `count` events are initialised, and need no release.
        let events: UnsafeMutablePointer<TraceEvent>
        var count = 0
    }

    private struct State {
        var current: Buffer
        /// Ends that are owed, by spans and flows.
        var owed = 0
        var dropped = 0
        var recorded = 0
        var loops = 0
        var lastFlow: Int64 = 0
        /// Who has a loop's turn, by the track that shows it.
        var turns: [Int32: Activity] = [:]
        var isAsked = false
    }

    private let capacity: Int
    private let output: TraceOutput
    private let start = tandem_trace_clock()
    private let lock = BriefLock()
    // Safe: touched with `lock` held.
    @exclusivity(unchecked) private nonisolated(unsafe) var state: State
    // Safe, both: the writer's, which swaps the buffer with the current one under `lock`.
    @exclusivity(unchecked) private nonisolated(unsafe) var spare: Buffer
    @exclusivity(unchecked) private nonisolated(unsafe) var text = TraceText()
    private let wakes = Semaphore()
    private let attaching = Lock()
    // Safe: touched with `attaching` held.
    private nonisolated(unsafe) var writer: pthread_t?

    /// A trace that goes to a file, which is made anew.
    ///
    /// - Parameters:
    ///   - file: Its name; JSON by content.
    ///   - capacity: How many events of 32 bytes each of the two buffers holds; at least 64. The writer empties one ten times a second, or when it is
    ///     half full.
    /// - Throws: `.startFailed` with the kernel's error if the file cannot be made.
    public convenience init(file: String, capacity: Int = 65_536) throws(GuestError) {
        let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw GuestError(
                .startFailed, errno: Errno(rawValue: errno),
                "the trace's file \(file) cannot be made; choose a folder that exists and is yours")
        }
        self.init(capacity: capacity, output: TraceOutput(descriptor))
    }

    /// A trace that goes wherever `write` brings it. Called on a thread of the trace's, one call after the other; all the bytes together are the
    /// document, which is complete when the last loop has closed.
    public convenience init(capacity: Int = 65_536, write: @escaping @Sendable (_ bytes: [UInt8]) -> Void) {
        self.init(capacity: capacity, output: TraceOutput(write))
    }

    private init(capacity: Int, output: TraceOutput) {
        precondition(capacity >= 64, "a trace's capacity was given as \(capacity); expected 64 or more")
        self.capacity = capacity
        self.output = output
        state = State(current: Buffer(events: .allocate(capacity: capacity)))
        spare = Buffer(events: .allocate(capacity: capacity))
    }

    deinit {
        state.current.events.deallocate()
        spare.events.deallocate()
    }

    /// How many events found the buffer full. Any thread.
    public var dropped: Int { locked { $0.dropped } }
    /// How many events were taken. Any thread.
    public var recorded: Int { locked { $0.recorded } }

    @inline(__always) private func locked<Value>(_ body: (inout State) -> Value) -> Value {
        lock.lock()
        defer { lock.unlock() }
        return body(&state)
    }

    // MARK: Events; any thread

    /// Nanoseconds since the trace was made.
    @inline(__always) var now: Int64 { tandem_trace_clock() - start }

    /// Takes what begins, if there is room for its end, too. `false`: it was dropped, and its end must not come.
    func begin(_ event: TraceEvent) -> Bool {
        locked { put(event, owing: 1, &$0) }
    }

    /// What was begun ends. There is room for it.
    func end(_ event: TraceEvent) {
        let isHalfFull = locked {
            $0.owed -= 1
            return put(event, owing: 0, &$0) && asks(&$0)
        }
        if isHalfFull { wakes.signal() }
    }

    /// What neither begins nor ends.
    func mark(_ event: TraceEvent) { locked { _ = put(event, owing: 0, &$0) } }

    /// A flow's number, if its beginning was taken.
    func beginFlow(on thread: Int32) -> Int64? {
        locked { state in
            state.lastFlow += 1
            let event = TraceEvent(time: now, value: state.lastFlow, thread: thread, phase: .flowBegin, name: .flow)
            return put(event, owing: 1, &state) ? state.lastFlow : nil
        }
    }

    /// Both threads: who has the turn from here on. The clock is read with the lock held, since the two write to one track.
    func turnGoes(to holder: Activity?, on track: Int32) {
        locked { state in
            let last = state.turns[track]
            guard last != holder else { return }
            if let last {
                state.owed -= 1
                _ = put(TraceEvent(time: now, thread: track, phase: .end, name: last), owing: 0, &state)
            }
            state.turns[track] = nil
            guard let holder else { return }
            let event = TraceEvent(time: now, thread: track, phase: .begin, name: holder)
            if put(event, owing: 1, &state) { state.turns[track] = holder }
        }
    }

    @inline(__always) private func put(_ event: TraceEvent, owing more: Int, _ state: inout State) -> Bool {
        guard state.loops > 0 else { return false }
        guard state.current.count + 1 + state.owed + more <= capacity else {
            state.dropped += 1
            return false
        }
        (state.current.events + state.current.count).initialize(to: event)
        state.current.count += 1
        state.owed += more
        state.recorded += 1
        return true
    }

    /// Half of the buffer is used: the writer is to come, once.
    @inline(__always) private func asks(_ state: inout State) -> Bool {
        guard state.current.count > capacity / 2, !state.isAsked else { return false }
        state.isAsked = true
        return true
    }

    // MARK: Loops

    /// UI thread: a loop begins to be traced; the first one starts the writer.
    func attach() throws(GuestError) {
        attaching.lock()
        defer { attaching.unlock() }
        if writer == nil {
            var thread = pthread_t()
            let argument = Unmanaged.passRetained(self)  // Safe: balanced in the thread's body, or just below.
            let failure = tandem_thread_start(
                &thread, "tandem-trace",
                { argument in
                    // Safe: takes over the reference that was retained for this thread.
                    Unmanaged<Trace>.fromOpaque(argument!).takeRetainedValue().write()
                    return nil
                }, argument.toOpaque())
            guard failure == 0 else {
                argument.release()
                throw GuestError(
                    .startFailed, errno: Errno(rawValue: failure), "the trace's writer thread could not be started")
            }
            writer = thread
        }
        locked { $0.loops += 1 }
    }

    /// A loop has closed; the last one waits for the writer. Returns what the kernel said if the file could not be written.
    func detach() -> Errno? {
        attaching.lock()
        defer { attaching.unlock() }
        let isLast = locked { $0.loops == 1 }
        guard isLast, let thread = writer else {
            locked { $0.loops -= 1 }
            return nil
        }
        // Another thread may be in the middle of a post, which takes no longer than that.
        for _ in 0..<100 where locked({ $0.owed > 0 }) { usleep(1000) }
        locked { $0.loops = 0 }
        wakes.signal()
        pthread_join(thread, nil)
        writer = nil
        return output.failure
    }

    // MARK: The writer thread

    private func write() {
        var wasOver = false
        while !wasOver {
            _ = wakes.wait(for: .milliseconds(100))
            var dropped = 0
            lock.lock()
            // Looked at before the last swap: nothing is put in once it holds.
            wasOver = state.loops == 0
            swap(&state.current, &spare)
            dropped = state.dropped
            state.isAsked = false
            lock.unlock()
            for index in 0..<spare.count { text.add(spare.events[index]) }
            spare.count = 0
            output.write(text.take(), dropped: dropped, isLast: wasOver)
            if wasOver, output.isSink { text.beginDocument() }
        }
    }
}

/// Where a trace's text goes. The writer's alone, but for `failure` once the writer has ended.
private final class TraceOutput: @unchecked Sendable {
    // Safe to send: see above.
    private let descriptor: Int32
    private let sink: (@Sendable ([UInt8]) -> Void)?
    private var position = 0
    private var hasBegun = false
    private(set) var failure: Errno?

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        sink = nil
    }

    init(_ sink: @escaping @Sendable ([UInt8]) -> Void) {
        descriptor = -1
        self.sink = sink
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    var isSink: Bool { sink != nil }

    /// Adds events, and behind them what makes the document whole.
    func write(_ events: [UInt8], dropped: Int, isLast: Bool) {
        var bytes = hasBegun ? events : Array(TraceText.head.utf8) + events
        hasBegun = true
        let tail = TraceText.tail(dropped: dropped).utf8
        if let sink {
            if isLast {
                bytes += tail
                hasBegun = false
            }
            if !bytes.isEmpty { sink(bytes) }
            return
        }
        let count = bytes.count
        bytes += tail
        guard failure == nil, !events.isEmpty || isLast || position == 0 else { return }
        var done = 0
        while done < bytes.count {
            let written = bytes.withUnsafeBytes {
                pwrite(descriptor, $0.baseAddress! + done, $0.count - done, position + done)
            }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else {
                failure = Errno(rawValue: errno)
                return
            }
            done += written
        }
        position += count
    }
}

extension Trace {
    /// What the environment asks for, once for the process; all its loops share it.
    static let ofEnvironment: Result<Trace, GuestError>? = {
        guard let file = getenv("TANDEM_TRACE"), file.pointee != 0 else { return nil }
        do throws(GuestError) { return .success(try Trace(file: String(cString: file))) } catch {
            return .failure(error)
        }
    }()
}
