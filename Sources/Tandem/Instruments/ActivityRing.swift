// SPDX-License-Identifier: Apache-2.0
// ActivityRing: what one loop's UI thread has done, until it is taken into the trace.
// Idea:   for a tick, a pass, a piece of work or a figure the UI thread takes no lock and reads no clock: it writes 16 bytes, with the processor's cycle
//         counter, into a ring of its own. Whoever holds the trace's lock takes them from there and gives them their times: the trace's writer whenever it
//         comes, so that a piece that hangs hides nothing that was before it; and the UI thread before an event that needs the clock or the lock (a post, a
//         scene), and when the ring is full since the writer has not come.
// Owner:  the UI thread appends; the holder of the trace's lock takes.
// Breaks: if another event of the UI thread entered the trace before these, it would stand before what was over earlier.

import Synchronization
import TandemCLinux

/// What the UI thread writes down at once, a quarter of a cache line.
struct TraceRecord {
    enum Kind: UInt8 {
        /// A piece of work is over. It began when the record before this one was written, points in time left out.
        case piece
        /// The piece of work that is next begins here.
        case pieceBegins
        case begin, end, instant, figure
    }

    /// So many of the counter's bits are kept: 34 days at 6 GHz. A count that begins anew leads no time back (`TraceLine`).
    static let cycleMask: UInt64 = (1 << 54) - 1

    /// The cycles, above three bits for the kind and seven for the activity.
    private let stamp: UInt64
    /// The place, if there is one, or the bits of the figure.
    let content: CallSite

    @inline(__always) init(_ kind: Kind, _ activity: Activity, _ content: CallSite, at cycles: UInt64) {
        stamp = cycles << 10 | UInt64(kind.rawValue) << 7 | UInt64(activity.rawValue)
        self.content = content
    }

    var cycles: UInt64 { stamp >> 10 }
    // Safe, both: `init` has put in the number of a case.
    var kind: Kind { unsafeBitCast(UInt8(truncatingIfNeeded: stamp >> 7) & 7, to: Kind.self) }
    var activity: Activity { unsafeBitCast(UInt8(truncatingIfNeeded: stamp) & 127, to: Activity.self) }
}

/// A copy of this value is an address, as that of `TraceBuffer`.
struct ActivityRing: Sendable {
    private struct Appended: ~Copyable {
        let records: UnsafeMutablePointer<TraceRecord>
        let mask: Int
        /// Stored by the UI thread after it has written a record, read before that record is taken.
        let count = Atomic<Int>(0)
        /// The UI thread's alone: the count at which it looks what was taken meanwhile.
        var limit: Int
    }

    /// Touched with the trace's lock held.
    private struct Taker {
        var clock: TraceClock
        /// The time at which a piece of work begins that follows at once upon what was taken last.
        var nextPiece: Int64 = 0
        /// Of each activity that has begun and not ended, whether there was room for it.
        var begun: [Bool] = []
    }

    /// The UI thread, as the kernel numbers it.
    let thread = tandem_thread_id()
    private let key = tandem_thread_key()
    private let start: Int64
    // Safe, these three: allocated in `init`, freed by the loop's trace once the trace has forgotten this. Apart, so that no thread changes what is another
    // one's. A record is written before `appended` counts it, and read after that; its place is written again only after `taken` has counted it.
    private nonisolated(unsafe) let appended: UnsafeMutablePointer<Appended>
    private nonisolated(unsafe) let taken: UnsafeMutablePointer<Atomic<Int>>
    private nonisolated(unsafe) let taker: UnsafeMutablePointer<Taker>

    /// UI thread. `start`: when the trace was made; `capacity`: a power of two.
    init(since start: Int64, capacity: Int) {
        self.start = start
        let records = UnsafeMutablePointer<TraceRecord>.allocate(capacity: capacity)
        records.initialize(repeating: TraceRecord(.pieceBegins, .pass, .unknown, at: 0), count: capacity)
        appended = .allocate(capacity: 1)
        appended.initialize(to: Appended(records: records, mask: capacity - 1, limit: capacity / 2))
        taken = .allocate(capacity: 1)
        taken.initialize(to: Atomic(0))
        taker = .allocate(capacity: 1)
        taker.initialize(to: Taker(clock: TraceClock(at: .now(since: start))))
    }

    func deallocate() {
        appended.pointee.records.deallocate()
        appended.deinitialize(count: 1)
        appended.deallocate()
        taken.deinitialize(count: 1)
        taken.deallocate()
        taker.deinitialize(count: 1)
        taker.deallocate()
    }

    // MARK: UI thread

    /// There is room for one. `true`: for no other one, until ``hasRoom()`` says so.
    ///
    /// Two cache lines ahead the ring is fetched for writing. The writer's core has read it, and has to be told; without this the next atomic
    /// instruction, of which a system call has several, would wait for that.
    @inline(__always) func add(
        _ kind: TraceRecord.Kind, _ activity: Activity, _ content: CallSite = .unknown, at cycles: UInt64
    ) -> Bool {
        let count = appended.pointee.count.load(ordering: .relaxed)
        let place = appended.pointee.records + (count & appended.pointee.mask)
        tandem_fetch_for_writing(place + 8)
        place.initialize(to: TraceRecord(kind, activity, content, at: cycles))
        appended.pointee.count.store(count &+ 1, ordering: .releasing)
        return count &+ 1 == appended.pointee.limit
    }

    /// Looks what was taken meanwhile, and when to look again. `false`: these records have to be taken first.
    func hasRoom() -> Bool {
        let count = appended.pointee.count.load(ordering: .relaxed)
        let end = taken.pointee.load(ordering: .acquiring) + appended.pointee.mask + 1
        let half = end - (appended.pointee.mask + 1) / 2
        appended.pointee.limit = count < half ? half : end
        return count < end
    }

    /// Whether half of the ring is used, as far as this thread knows: the writer is to come.
    var isHalfFull: Bool {
        appended.pointee.count.load(ordering: .relaxed) - taken.pointee.load(ordering: .relaxed)
            > appended.pointee.mask / 2
    }

    /// Whether after one more ``hasRoom()`` has to be asked.
    @inline(__always) var isAtLimit: Bool {
        appended.pointee.count.load(ordering: .relaxed) &+ 1 == appended.pointee.limit
    }

    // MARK: With the trace's lock held

    /// Whether the calling thread is the one that appends.
    @inline(__always) var isOfThisThread: Bool { key == tandem_thread_key() }

    func isSame(as other: ActivityRing) -> Bool { appended == other.appended }

    /// The time at which the piece began that runs, once the records before it were taken.
    var timeOfPresentPiece: Int64 { taker.pointee.nextPiece }

    /// On the UI thread, before an event of its own at `moment`: takes all records. Returns the event's time.
    func take(upTo moment: TraceMoment, _ put: (TraceEvent, Int) -> Bool) -> Int64 {
        take(appended.pointee.count.load(ordering: .relaxed), moment, put)
        return taker.pointee.clock.pass(moment)
    }

    /// On any thread: takes the records that there are, or the first of them. Returns how many.
    @discardableResult func takeWritten(atMost most: Int = .max, _ put: (TraceEvent, Int) -> Bool) -> Int {
        // The clock is read after the count, so that no record is later.
        let left = appended.pointee.count.load(ordering: .acquiring) - taken.pointee.load(ordering: .relaxed)
        guard left > 0 else { return 0 }
        take(taken.pointee.load(ordering: .relaxed) + min(left, most), .now(since: start), put)
        return min(left, most)
    }

    /// `put` takes an event, and how many more ends are owed with it.
    private func take(_ end: Int, _ moment: TraceMoment, _ put: (TraceEvent, Int) -> Bool) {
        let begin = taken.pointee.load(ordering: .relaxed)
        guard begin < end else { return }
        precondition(end - begin <= appended.pointee.mask + 1, "the trace has lost records that were not taken")
        var (clock, nextPiece) = (taker.pointee.clock, taker.pointee.nextPiece)
        let line = clock.line(to: moment)
        for number in begin..<end {
            let record = appended.pointee.records[number & appended.pointee.mask]
            // Some processors count in steps of 10 ns, in which a short piece of work begins and ends. Each takes 1 ns at
            // least: of two that begin at the same time, a reader could not tell which one was first, or lies in the other.
            let earliest = record.kind == .piece ? nextPiece + 1 : .min
            let time = clock.take(record.cycles, along: line, notBefore: earliest)
            switch record.kind {
            case .pieceBegins: break
            case .piece: _ = put(event(.complete, record, nextPiece, time - nextPiece), 0)
            case .begin: taker.pointee.begun.append(put(event(.begin, record, time), 1))
            case .end: if taker.pointee.begun.popLast() == true { _ = put(event(.end, record, time), -1) }
            case .instant: _ = put(event(.instant, record, time), 0)
            case .figure: _ = put(event(.counter, record, time, Int64(bitPattern: record.content.bits)), 0)
            }
            // A point in time lies inside of the piece that runs.
            if record.kind != .instant { nextPiece = time }
        }
        (taker.pointee.clock, taker.pointee.nextPiece) = (clock, nextPiece)
        taken.pointee.store(end, ordering: .releasing)
    }

    @inline(__always) private func event(
        _ phase: TraceEvent.Phase, _ record: TraceRecord, _ time: Int64, _ value: Int64 = 0
    ) -> TraceEvent {
        TraceEvent(
            time: time, value: value, site: phase == .counter ? .unknown : record.content, thread: thread,
            phase: phase, name: record.activity)
    }
}
