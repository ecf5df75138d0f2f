// SPDX-License-Identifier: Apache-2.0
// Recorder: writes a live run down.
// Idea:   it is the loop's time source: between the readings that it notes, time stands still for the program, so that a replay needs no more
//         than the readings. The backend and the host go on by the machine's clock.
// Owner:  the UI thread, but for `now`.

import Foundation
import Synchronization
public import Tandem

/// Records a live run to a file, for a ``Replayer``.
///
/// ```swift
/// let recorder = try Recorder(file: "run.tandem", notes: ["seed": "7"])
/// let guest = try SDLGuest(configuration: Configuration(budget: .milliseconds(4), timeSource: recorder))
/// recorder.begin(on: guest.loop)
/// // … the run: `FrameLoop` records its events and frames …
/// try recorder.finish()
/// ```
///
/// While it records, child tasks, detached tasks and `Task.sleep` of what runs on the loop stay on the loop's thread, as in a ``Simulation``.
public final class Recorder: RunTape, @unchecked Sendable {
    // Safe to send: other threads only read `now`, which is made of constants and atomics; everything else is the UI thread's.

    private let origin = ContinuousClock.now
    /// The last reading, since `origin`; -1 while the time is the machine's.
    private let reading = Atomic<Int64>(-1)
    private let file: FileHandle
    private let name: String
    private var buffer: [UInt8] = []
    private var last: Int64 = 0
    private var numbers: [RecordedWork: UInt64] = [:]
    private var failure: (any Error)?
    private var hasEnded = false
    private var isInFrame = false

    /// Creates the file, or empties it, and writes its beginning.
    ///
    /// - Parameters:
    ///   - file: Its path.
    ///   - notes: What a replay has to know: seed, options.
    /// - Throws: ``Recording/Failure`` if the file cannot be written.
    public init(file: String, notes: [String: String] = [:]) throws(Recording.Failure) {
        guard FileManager.default.createFile(atPath: file, contents: nil),
            let handle = FileHandle(forWritingAtPath: file)
        else {
            throw Recording.Failure(
                description: "cannot write the recording \(file); choose a folder that exists and is yours")
        }
        self.file = handle
        name = file
        buffer = Recording.magic + [Recording.version]
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        let bytes = [UInt8]((try? encoder.encode(notes)) ?? Data("{}".utf8))
        write(number: UInt64(bytes.count))
        buffer += bytes
    }

    /// UI thread: the run begins here; time stands still from here on but for the readings at frames and ticks.
    public func begin(on loop: GuestLoop) {
        require(
            loop.tape as? Recorder === self,
            "Recorder.begin(on:) needs a loop with the recorder as its configuration's timeSource")
        require(!isActive && !hasEnded, "Recorder.begin(on:) was called twice; a recorder records one run")
        last = elapsed
        reading.store(last, ordering: .releasing)
        loop.beginTape()
    }

    /// UI thread: ends the recording and closes its file. What comes later is not recorded. Idempotent.
    ///
    /// - Throws: ``Recording/Failure`` if the file could not be written.
    public func finish() throws(Recording.Failure) {
        guard !hasEnded else { return }
        loopCloses()
        if let failure {
            throw Recording.Failure(description: "the recording \(name) is not whole: \(failure.localizedDescription)")
        }
    }

    /// UI thread, for hosts without `FrameLoop`: an input that the program is about to be given.
    public func input(_ bytes: [UInt8]) { bytes.withUnsafeBytes { input($0) } }

    /// UI thread, for hosts without `FrameLoop`: runs a frame. Its inputs and its tick belong into `body`.
    public func frame<Value>(_ body: () throws -> Value) rethrows -> Value {
        if isActive { frameBegins() }
        defer { if isActive { frameEnds() } }
        return try body()
    }

    // MARK: - TimeSource

    /// The last reading; before the run has begun and after it has ended the machine's time. Any thread.
    public var now: ContinuousClock.Instant {
        let nanoseconds = reading.load(ordering: .acquiring)
        return nanoseconds < 0 ? ContinuousClock.now : origin.advanced(by: .nanoseconds(nanoseconds))
    }

    /// The machine's clock is not moved by hand.
    public var isVirtual: Bool { false }

    /// Does nothing.
    public func advance(to instant: ContinuousClock.Instant) {}

    private var elapsed: Int64 { origin.duration(to: ContinuousClock.now).nanosecondsRoundedUp }

    // MARK: - Writing

    private func read(_ code: Recording.Code) {
        let time = max(last, elapsed)
        write(code, UInt64(time - last))
        last = time
        reading.store(time, ordering: .releasing)
    }

    private func write(_ code: Recording.Code, _ number: UInt64) {
        buffer.append(code.rawValue)
        write(number: number)
    }

    private func write(number: UInt64) {
        var rest = number
        while rest >= 0x80 {
            buffer.append(UInt8(rest & 0x7f) | 0x80)
            rest >>= 7
        }
        buffer.append(UInt8(rest))
    }

    private func flush() {
        do { try file.write(contentsOf: buffer) } catch { failure = failure ?? error }
        buffer.removeAll(keepingCapacity: true)
    }
}

extension Recorder {
    package var isReplay: Bool { false }
    package var isActive: Bool { reading.load(ordering: .relaxed) >= 0 }
    package var isOver: Bool { false }
    package var hasTick: Bool? { nil }

    package func frameBegins() {
        if buffer.count > 1 << 16 { flush() }
        read(.frame)
        isInFrame = true
    }

    package func frameEnds() { isInFrame = false }

    package func tickBegins(hasWork: Bool) -> Bool {
        if hasWork {
            read(.tick)
        } else if isInFrame {
            buffer.append(Recording.Code.emptyTick.rawValue)
        }
        return hasWork
    }

    package func runs(_ work: RecordedWork) {
        if let number = numbers[work] { return write(.work, number) }
        let number = UInt64(numbers.count)
        numbers[work] = number
        let name = Array(work.name.utf8)
        write(.name, UInt64(name.count))
        buffer += name
        write(.work, number)
    }

    package func budgetEnds(_ isSpent: Bool, isLook: Bool) -> Bool {
        if isSpent { buffer.append((isLook ? Recording.Code.spentAtLook : .spent).rawValue) }
        return isSpent
    }

    package func sleeps(_ left: Int64) -> Int64 {
        write(.sleep, UInt64(max(0, left)))
        return max(0, left)
    }

    package func input(_ bytes: UnsafeRawBufferPointer) {
        guard isActive else { return }
        write(.input, UInt64(bytes.count))
        buffer.append(contentsOf: bytes)
    }

    package func nextInput() -> [UInt8]? { nil }

    package func loopCloses() {
        guard !hasEnded else { return }
        hasEnded = true
        reading.store(-1, ordering: .releasing)
        buffer.append(Recording.Code.end.rawValue)
        flush()
        do { try file.close() } catch { failure = failure ?? error }
    }
}
