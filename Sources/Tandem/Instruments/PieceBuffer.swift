// SPDX-License-Identifier: Apache-2.0
// PieceBuffer: the pieces of work that one loop's UI thread has run, until they are taken into the trace.
// Idea:   for a piece of work the UI thread takes no lock and reads no clock: it writes 32 bytes, with the processor's cycle counter at its beginning and
//         end, into a ring of its own. Whoever holds the trace's lock copies them into the trace: the UI thread, before each of its other events and when
//         the ring is full; and the trace's writer whenever it comes, so that a piece that hangs hides nothing that was before it. The first of what is
//         copied gets its time then, the others get theirs by the writer, from a line (`PieceClock`) that is copied before them.
// Owner:  the UI thread appends; the holder of the trace's lock takes.
// Breaks: if another event of the UI thread entered the trace before these, it would stand before what was over earlier.

import Synchronization
import TandemCLinux

/// A copy of this value is an address, as that of `TraceBuffer`.
struct PieceBuffer: Sendable {
    /// The UI thread's alone.
    private struct Own {
        var count = 0
        /// The count at which the ring is full, as far as this thread knows.
        var limit: Int
        /// Where the last piece ended, or the one that runs began. It never goes back while pieces follow each other, whatever the counter does.
        var boundary: UInt64
        /// The next piece begins when the counter is read: it does not follow at once.
        var isInterrupted = true
    }

    private struct Counts: ~Copyable {
        /// Stored by the UI thread after it has written a piece, read before that piece is taken.
        let written = Atomic<Int>(0)
        /// Stored by the lock's holder after it has taken a piece, read before another one is written in its place.
        let taken = Atomic<Int>(0)
    }

    /// Some that were taken: the first of them, and the others, which get their times along `line`; they lie in two parts where the ring begins anew.
    struct Batch {
        let first: TraceEvent
        let line: PieceLine
        let others: UnsafeBufferPointer<TraceEvent>
        let moreOthers: UnsafeBufferPointer<TraceEvent>
        var count: Int { 1 + others.count + moreOthers.count }
    }

    /// The UI thread, as the kernel numbers it.
    let thread = tandem_thread_id()
    private let key = tandem_thread_key()
    private let start: Int64
    private let mask: Int
    // Safe, all four: allocated in `init`, freed by the loop's trace once the trace has forgotten this. Apart, so that no thread touches what is another
    // one's. A piece is written before `written` says so, and read after that; its place is written again only after `taken` has said that it was read.
    private nonisolated(unsafe) let own: UnsafeMutablePointer<Own>
    private nonisolated(unsafe) let counts: UnsafeMutablePointer<Counts>
    private nonisolated(unsafe) let pieces: UnsafeMutablePointer<TraceEvent>
    /// Touched with the trace's lock held.
    private nonisolated(unsafe) let clock: UnsafeMutablePointer<PieceClock>

    /// UI thread. `start`: when the trace was made; `capacity`: a power of two.
    init(since start: Int64, capacity: Int) {
        self.start = start
        mask = capacity - 1
        let moment = TraceMoment.now(since: start)
        own = .allocate(capacity: 1)
        own.initialize(to: Own(limit: capacity, boundary: moment.cycles))
        counts = .allocate(capacity: 1)
        counts.initialize(to: Counts())
        pieces = .allocate(capacity: capacity)
        pieces.initialize(repeating: TraceEvent(thread: thread, phase: .piece, name: .job), count: capacity)
        clock = .allocate(capacity: 1)
        clock.initialize(to: PieceClock(at: moment))
    }

    func deallocate() {
        own.deallocate()
        counts.deinitialize(count: 1)
        counts.deallocate()
        pieces.deallocate()
        clock.deallocate()
    }

    // MARK: UI thread

    /// A piece begins: where the one before it has ended, if it follows at once.
    @inline(__always) func begin() -> UInt64 {
        if own.pointee.isInterrupted {
            own.pointee.isInterrupted = false
            own.pointee.boundary = max(own.pointee.boundary, tandem_cycles())
        }
        return own.pointee.boundary
    }

    /// The piece has ended. There is room for one. `true`: for no other one, until ``hasRoom()`` says so.
    @inline(__always) func end(_ activity: Activity, _ site: CallSite, began: UInt64) -> Bool {
        let ended = max(began, tandem_cycles())
        let count = own.pointee.count
        pieces[count & mask].setPiece(activity, site, began, ended)
        own.pointee.boundary = ended
        own.pointee.count = count &+ 1
        counts.pointee.written.store(count &+ 1, ordering: .releasing)
        return count &+ 1 == own.pointee.limit
    }

    /// Looks what was taken meanwhile.
    func hasRoom() -> Bool {
        own.pointee.limit = counts.pointee.taken.load(ordering: .acquiring) + mask + 1
        return own.pointee.count < own.pointee.limit
    }

    /// What comes next is no piece that follows at once.
    @inline(__always) func interrupt() { own.pointee.isInterrupted = true }

    // MARK: With the trace's lock held

    /// Whether the calling thread is the one that appends.
    @inline(__always) var isOfThisThread: Bool { key == tandem_thread_key() }

    func isSame(as other: PieceBuffer) -> Bool { own == other.own }

    /// The time at which the piece began that runs, once those before it were taken.
    var timeOfBoundary: Int64 { clock.pointee.base.time }

    /// On the UI thread, before an event of its own at `moment`: takes all pieces. Returns the event's time.
    func take(upTo moment: TraceMoment, _ put: (Batch) -> Void) -> Int64 {
        let line = take(own.pointee.count, upTo: moment, put)
        own.pointee.limit = own.pointee.count + mask + 1
        // After a reset of the counter, it is right again from here on.
        if own.pointee.isInterrupted { own.pointee.boundary = moment.cycles }
        return clock.pointee.advance(
            line, boundary: own.pointee.isInterrupted ? nil : own.pointee.boundary)
    }

    /// On any thread: takes all pieces that there are.
    func takeWritten(_ put: (Batch) -> Void) {
        // The clock is read after the count, so that no piece is later.
        let count = counts.pointee.written.load(ordering: .acquiring)
        guard count > counts.pointee.taken.load(ordering: .relaxed) else { return }
        let boundary = UInt64(bitPattern: pieces[(count - 1) & mask].value)
        let line = take(count, upTo: .now(since: start), put)
        clock.pointee.advance(line, lastEnded: boundary)
    }

    /// Returns the line along which what follows has its time.
    private func take(_ end: Int, upTo moment: TraceMoment, _ put: (Batch) -> Void) -> PieceLine {
        let line = clock.pointee.line(to: moment)
        let begin = counts.pointee.taken.load(ordering: .relaxed)
        guard begin < end else { return line }
        precondition(end - begin <= mask + 1, "the trace has lost pieces of work that were not taken")
        let first = pieces[begin & mask]
        let times = clock.pointee.first(
            UInt64(bitPattern: first.time), UInt64(bitPattern: first.value), along: line)
        let rest = PieceLine(
            from: TraceMoment(cycles: UInt64(bitPattern: first.value), time: times.ended), to: line.end)
        let next = (begin + 1) & mask
        let untilTurn = min(end - begin - 1, mask + 1 - next)
        put(
            Batch(
                first: first.complete(times.began, times.ended), line: rest,
                others: UnsafeBufferPointer(start: pieces + next, count: untilTurn),
                moreOthers: UnsafeBufferPointer(start: pieces, count: end - begin - 1 - untilTurn)))
        counts.pointee.taken.store(end, ordering: .releasing)
        return rest
    }
}
