// SPDX-License-Identifier: Apache-2.0
// TraceBuffer: a trace's events between the threads that put them in and the writer, which takes them out.
// Idea:   two pieces of memory of a fixed size, which the writer swaps. One that is full drops what comes, and counts it. What begins only does so if
//         there is room for its end as well, so that what has begun always ends.
//         A UI thread's pieces of work come by way of a `PieceBuffer`, from which they are taken before each other event of that thread, so that each
//         thread's events stand in the order in which they were over.
//         A copy of this value is an address, which costs no reference count.
// Owner:  any thread puts events in; the writer swaps; the trace frees the memory.

import TandemCLinux

struct TraceBuffer: Sendable {
    private struct State {
        let capacity: Int
        // `count` events of the first are initialised; they need no release.
        var events: UnsafeMutablePointer<TraceEvent>
        var spare: UnsafeMutablePointer<TraceEvent>
        var count = 0
        /// Ends that are owed, by spans and flows.
        var owed = 0
        var dropped = 0
        var recorded = 0
        var loops = 0
        var lastFlow: Int64 = 0
        var isWriterAsked = false
        /// Of each loop that is traced, the newest last.
        var pieceBuffers: [PieceBuffer] = []
    }

    /// What the writer takes out.
    struct Batch {
        /// The writer's until the next swap.
        let events: UnsafeBufferPointer<TraceEvent>
        /// Since the beginning.
        let dropped: Int
        /// Nothing will come any more.
        let isLast: Bool
    }

    private let start = tandem_trace_clock()
    // Safe, both: allocated in `init`, freed by the trace when nobody has them any more; the state is touched with the lock held.
    private nonisolated(unsafe) let lock: UnsafeMutablePointer<BriefLock>
    private nonisolated(unsafe) let state: UnsafeMutablePointer<State>

    init(capacity: Int) {
        lock = .allocate(capacity: 1)
        lock.initialize(to: BriefLock())
        state = .allocate(capacity: 1)
        state.initialize(
            to: State(capacity: capacity, events: .allocate(capacity: capacity), spare: .allocate(capacity: capacity)))
    }

    func deallocate() {
        state.pointee.events.deallocate()
        state.pointee.spare.deallocate()
        state.deinitialize(count: 1)
        state.deallocate()
        lock.deinitialize(count: 1)
        lock.deallocate()
    }

    @inline(__always) private func locked<Value>(_ body: (inout State) -> Value) -> Value {
        lock.pointee.lock()
        defer { lock.pointee.unlock() }
        return body(&state.pointee)
    }

    // MARK: Any thread

    /// Nanoseconds since the trace was made.
    private var now: Int64 { tandem_trace_clock() - start }

    /// Calls `body` with the lock held, and with the time of an event of the calling thread's, before which the thread's pieces of work are taken.
    /// `pieces`: of a loop that says so, on its UI thread, or wherever it ends.
    @inline(__always) private func atPresent<Value>(
        _ pieces: PieceBuffer?, _ body: (inout State, Int64) -> Value
    ) -> Value {
        let moment = TraceMoment.now(since: start)
        return locked { state in
            var time = moment.time
            // The newest of this thread: one may be left of a loop that is closed elsewhere.
            if let pieces = pieces ?? state.pieceBuffers.last(where: \.isOfThisThread) {
                time = pieces.take(upTo: moment) { Self.put($0, &state) }
            }
            return body(&state, time)
        }
    }

    /// Takes what begins, if there is room for its end, too. `false`: it was dropped, and its end must not come.
    func begin(_ event: TraceEvent, after pieces: PieceBuffer? = nil) -> Bool {
        atPresent(pieces) { Self.put(event.at($1), owing: 1, &$0) }
    }

    /// What was begun ends. There is room for it. `true`: the writer has to be woken.
    func end(_ event: TraceEvent, after pieces: PieceBuffer? = nil) -> Bool {
        atPresent(pieces) {
            $0.owed &-= 1
            return Self.put(event.at($1), owing: 0, &$0) && Self.asksWriter(&$0)
        }
    }

    /// What has begun at this time ends, and is put in as one, if there is room for it. `true`: the writer has to be woken.
    func add(_ event: TraceEvent, since began: Int64, after pieces: PieceBuffer) -> Bool {
        atPresent(pieces) {
            let whole = TraceEvent(
                time: began, value: max(0, $1 - began), site: event.site, thread: event.thread, phase: .complete,
                name: event.name)
            return Self.put(whole, owing: 0, &$0) && Self.asksWriter(&$0)
        }
    }

    /// What neither begins nor ends.
    func mark(_ event: TraceEvent, after pieces: PieceBuffer? = nil) {
        atPresent(pieces) { _ = Self.put(event.at($1), owing: 0, &$0) }
    }

    /// Figures that have changed. A counter keeps its figure until the next one.
    func count(_ new: TickFigures, since old: TickFigures?, after pieces: PieceBuffer) {
        atPresent(pieces) { state, time in
            func count(_ counter: Activity, _ new: Int, _ old: Int?) {
                guard new != old else { return }
                let event = TraceEvent(
                    time: time, value: Int64(new), thread: pieces.thread, phase: .counter, name: counter)
                _ = Self.put(event, owing: 0, &state)
            }
            count(.carriedOver, new.carriedOver, old?.carriedOver)
            count(.timers, new.timers, old?.timers)
            count(.descriptors, new.descriptors, old?.descriptors)
            count(.reports, new.reports, old?.reports)
            count(.budgetLeft, new.budgetLeft, old?.budgetLeft)
        }
    }

    /// A flow's number, if its beginning was taken.
    func beginFlow(on thread: Int32) -> Int64? {
        atPresent(nil) { state, time in
            state.lastFlow += 1
            let event = TraceEvent(time: time, value: state.lastFlow, thread: thread, phase: .flowBegin, name: .flow)
            return Self.put(event, owing: 1, &state) ? state.lastFlow : nil
        }
    }

    /// The UI thread or the backend: who has the turn from here on. The clock is read with the lock held, since both write to one track.
    func turnGoes(to holder: Activity?, on track: TurnTrack) {
        locked { state in
            let last = track.holder
            guard last != holder else { return }
            let time = now
            if let last {
                state.owed -= 1
                _ = Self.put(TraceEvent(time: time, thread: track.number, phase: .end, name: last), owing: 0, &state)
            }
            track.holder = nil
            guard let holder else { return }
            let event = TraceEvent(time: time, thread: track.number, phase: .begin, name: holder)
            if Self.put(event, owing: 1, &state) { track.holder = holder }
        }
    }

    @inline(__always) private static func put(_ event: TraceEvent, owing more: Int, _ state: inout State) -> Bool {
        guard state.loops > 0 else { return false }
        guard state.count &+ 1 &+ state.owed &+ more <= state.capacity else {
            state.dropped += 1
            return false
        }
        (state.events + state.count).initialize(to: event)
        state.count &+= 1
        state.owed &+= more
        state.recorded &+= 1
        return true
    }

    /// Pieces of work, as far as there is room.
    private static func put(_ batch: PieceBuffer.Batch, _ state: inout State) {
        guard state.loops > 0 else { return }
        let thread = batch.first.thread
        let others = batch.count - 1
        guard put(batch.first, owing: 0, &state) else { return state.dropped += others }
        guard others > 0 else { return }
        // Two more tell their times.
        let room = state.capacity - state.count - state.owed - 2
        let taken = max(0, min(others, room))
        state.dropped += others - taken
        guard taken > 0 else { return }
        let place = state.events + state.count
        place.initialize(to: TraceEvent(.lineStart, of: batch.line.start, thread))
        (place + 1).initialize(to: TraceEvent(.lineEnd, of: batch.line.end, thread))
        let untilTurn = min(taken, batch.others.count)
        (place + 2).initialize(from: batch.others.baseAddress!, count: untilTurn)
        if taken > untilTurn {
            (place + 2 + untilTurn).initialize(from: batch.moreOthers.baseAddress!, count: taken - untilTurn)
        }
        state.count += 2 + taken
        state.recorded += taken
    }

    /// Half of the buffer is used: the writer is to come, once.
    @inline(__always) private static func asksWriter(_ state: inout State) -> Bool {
        guard state.count > state.capacity / 2, !state.isWriterAsked else { return false }
        state.isWriterAsked = true
        return true
    }

    /// How many events found the buffer full.
    var dropped: Int { withAllTaken { $0.dropped } }
    /// How many events were taken.
    var recorded: Int { withAllTaken { $0.recorded } }
    /// Something has begun that has not ended.
    var owesEnds: Bool { locked { $0.owed > 0 } }
    /// How many loops are traced. Without one, nothing is taken.
    var loops: Int { locked { $0.loops } }

    func loopBegins() { locked { $0.loops += 1 } }
    func loopEnds() { locked { $0.loops -= 1 } }

    /// Calls `body` with the lock held, once the pieces of work of all loops are here.
    private func withAllTaken<Value>(_ body: (inout State) -> Value) -> Value {
        locked { state in
            for pieces in state.pieceBuffers { pieces.takeWritten { Self.put($0, &state) } }
            return body(&state)
        }
    }

    // MARK: Pieces of work

    /// UI thread: where a loop's pieces of work go. For a small buffer it is small, so that the writer comes before that is full.
    func makePieceBuffer() -> PieceBuffer {
        let capacity = min(256, locked { $0.capacity } / 4)
        let pieces = PieceBuffer(since: start, capacity: 1 << (Int.bitWidth - 1 - capacity.leadingZeroBitCount))
        locked { $0.pieceBuffers.append(pieces) }
        return pieces
    }

    /// The loop has ended. On the last thread that has it.
    func forget(_ pieces: PieceBuffer) {
        locked { state in
            pieces.takeWritten { Self.put($0, &state) }
            state.pieceBuffers.removeAll { $0.isSame(as: pieces) }
        }
    }

    /// UI thread: takes them. `true`: the writer has to be woken.
    func take(_ pieces: PieceBuffer) -> Bool { atPresent(pieces) { state, _ in Self.asksWriter(&state) } }

    /// UI thread: the time at which the piece began that runs.
    func timeOfPresentPiece(_ pieces: PieceBuffer) -> Int64 { atPresent(pieces) { _, _ in pieces.timeOfBoundary } }

    // MARK: The writer

    /// Takes out what is there.
    func swap() -> Batch {
        withAllTaken { state in
            (state.events, state.spare) = (state.spare, state.events)
            // Nothing is put in once there is no loop.
            let batch = Batch(
                events: UnsafeBufferPointer(start: state.spare, count: state.count), dropped: state.dropped,
                isLast: state.loops == 0)
            state.count = 0
            state.isWriterAsked = false
            return batch
        }
    }
}

/// The track that shows who has a loop's turn.
final class TurnTrack: Sendable {
    let number: Int32
    // Safe: touched with the buffer's lock held.
    @exclusivity(unchecked) fileprivate(set) nonisolated(unsafe) var holder: Activity?

    init(ofLoopOn thread: Int32) { number = TraceText.firstTurnTrack + thread }
}
