// SPDX-License-Identifier: Apache-2.0
// Trace: what a loop does, written down for Perfetto and Chrome while it does it.
// Idea:   all threads put records into a buffer (`TraceBuffer`); a writer thread makes text of what it finds there. A file ends with the format's last
//         bracket at all times: also when the process is killed it can be opened.
// Owner:  the text and the file are the writer's.

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
    /// What the threads put events into.
    let events: TraceBuffer
    private let output: TraceOutput
    // Safe: the writer's.
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
    ///     half full. Each loop has a quarter as many places of 16 bytes more, at most 8,192, for what its UI thread has just run.
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
        require(capacity >= 64, "a trace's capacity was given as \(capacity); expected 64 or more")
        self.output = output
        events = TraceBuffer(capacity: capacity)
    }

    deinit { events.deallocate() }

    /// How many events found the buffer full. Any thread.
    public var dropped: Int { events.dropped }
    /// How many events were taken. Any thread.
    public var recorded: Int { events.recorded }

    /// Any thread: what was begun ends.
    func end(_ event: TraceEvent, after ring: ActivityRing? = nil) {
        if events.end(event, after: ring) { wakeWriter() }
    }

    /// Any thread: the buffer is half full.
    func wakeWriter() { wakes.signal() }

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
        events.loopBegins()
    }

    /// A loop has closed; the last one waits for the writer. Returns what the kernel said if the file could not be written.
    func detach() -> Errno? {
        attaching.lock()
        defer { attaching.unlock() }
        guard events.loops == 1, let thread = writer else {
            events.loopEnds()
            return nil
        }
        // Another thread may be in the middle of a post, which takes no longer than that.
        for _ in 0..<100 where events.owesEnds { usleep(1000) }
        events.loopEnds()
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
            let batch = events.swap()
            wasOver = batch.isLast
            for event in batch.events {
                text.add(event)
                // So much at once that it stays in the core's cache.
                if text.count > 65_536 { output.write(text.take(), dropped: batch.dropped, isLast: false) }
            }
            output.write(text.take(), dropped: batch.dropped, isLast: wasOver)
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
