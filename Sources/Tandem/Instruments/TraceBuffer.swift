// SPDX-License-Identifier: Apache-2.0
// TraceBuffer: a trace's events between the threads that put them in and the writer, which takes them out.
// Idea:   two pieces of memory of a fixed size, which the writer swaps. One that is full drops what comes, and counts it. What begins only does so if
//         there is room for its end as well, so that what has begun always ends.
//         What a UI thread does again and again comes by way of its `ActivityRing`, from which it is taken before each other event of that thread, so
//         that each thread's events stand in the order in which they were over.
//         A copy of this value is an address, which costs no reference count.
// Owner:  any thread puts events in; the writer swaps; the trace frees the memory.

import TandemCLinux

struct TraceBuffer: Sendable {
    private struct State {
        var room: Room
        var spare: UnsafeMutablePointer<TraceEvent>
        var loops = 0
        var lastFlow: Int64 = 0
        var isWriterAsked = false
        /// Of each loop that is traced, the newest last.
        var rings: [ActivityRing] = []
    }

    /// Where events are put.
    private struct Room {
        let capacity: Int
        // `count` events are initialised; they need no release.
        var events: UnsafeMutablePointer<TraceEvent>
        var count = 0
        /// Ends that are owed, by spans and flows.
        var owed = 0
        var dropped = 0
        var recorded = 0
        /// Without a loop nothing is taken.
        var isOpen = false

        /// `more`: how many more ends are owed with it. That of a span or a flow always finds room.
        @inline(__always) mutating func put(_ event: TraceEvent, owing more: Int) -> Bool {
            guard isOpen else {
                owed &+= min(0, more)
                return false
            }
            guard count &+ 1 &+ owed &+ more <= capacity else {
                dropped &+= 1
                return false
            }
            (events + count).initialize(to: event)
            count &+= 1
            owed &+= more
            recorded &+= 1
            return true
        }
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

    private static let fewRecords = 256

    private let start = tandem_trace_clock()
    // Safe, both: allocated in `init`, freed by the trace when nobody has them any more; the state is touched with the lock held.
    private nonisolated(unsafe) let lock: UnsafeMutablePointer<BriefLock>
    private nonisolated(unsafe) let state: UnsafeMutablePointer<State>

    init(capacity: Int) {
        lock = .allocate(capacity: 1)
        lock.initialize(to: BriefLock())
        state = .allocate(capacity: 1)
        state.initialize(
            to: State(
                room: Room(capacity: capacity, events: .allocate(capacity: capacity)),
                spare: .allocate(capacity: capacity)))
    }

    func deallocate() {
        state.pointee.room.events.deallocate()
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

    /// Calls `body` with the lock held, and with the time of an event of the calling thread's, before which the thread's ring is taken.
    /// `ring`: of a loop that says so, on its UI thread, or wherever it ends.
    @inline(__always) private func atPresent<Value>(
        _ ring: ActivityRing?, _ body: (inout State, Int64) -> Value
    ) -> Value {
        let moment = TraceMoment.now(since: start)
        return locked { state in
            var time = moment.time
            // The newest of this thread: one may be left of a loop that is closed elsewhere.
            if let ring = ring ?? state.rings.last(where: \.isOfThisThread) {
                time = Self.taking(into: &state) { room in ring.take(upTo: moment) { room.put($0, owing: $1) } }
            }
            return body(&state, time)
        }
    }

    /// Takes what begins, if there is room for its end, too. `false`: it was dropped, and its end must not come.
    func begin(_ event: TraceEvent, after ring: ActivityRing? = nil) -> Bool {
        atPresent(ring) { $0.room.put(event.at($1), owing: 1) }
    }

    /// What was begun ends. There is room for it. `true`: the writer has to be woken.
    func end(_ event: TraceEvent, after ring: ActivityRing? = nil) -> Bool {
        atPresent(ring) { $0.room.put(event.at($1), owing: -1) && Self.asksWriter(&$0) }
    }

    /// What has begun at this time ends, and is put in as one, if there is room for it. `true`: the writer has to be woken.
    func add(_ event: TraceEvent, since began: Int64, after ring: ActivityRing) -> Bool {
        atPresent(ring) { $0.room.put(event.at($1).since(began), owing: 0) && Self.asksWriter(&$0) }
    }

    /// What neither begins nor ends.
    func mark(_ event: TraceEvent) {
        atPresent(nil) { _ = $0.room.put(event.at($1), owing: 0) }
    }

    /// A post begins: the time that it takes its thread, and its flow to its run. Of each, whether it was taken; the flow's number.
    func beginPost(_ event: TraceEvent) -> (isTaken: Bool, flow: Int64?) {
        atPresent(nil) { state, time in
            let isTaken = state.room.put(event.at(time), owing: 1)
            let number = state.lastFlow + 1
            state.lastFlow = number
            let flow = TraceEvent(time: time, value: number, thread: event.thread, phase: .flowBegin, name: .flow)
            return (isTaken, state.room.put(flow, owing: 1) ? number : nil)
        }
    }

    /// The UI thread or the backend: who has the turn from here on. The clock is read with the lock held, since both write to one track.
    func turnGoes(to holder: Activity?, on track: TurnTrack) {
        locked { state in
            let last = track.holder
            guard last != holder else { return }
            let time = now
            if let last {
                _ = state.room.put(TraceEvent(time: time, thread: track.number, phase: .end, name: last), owing: -1)
            }
            track.holder = nil
            guard let holder else { return }
            let event = TraceEvent(time: time, thread: track.number, phase: .begin, name: holder)
            if state.room.put(event, owing: 1) { track.holder = holder }
        }
    }

    /// Half of the buffer is used: the writer is to come, once.
    @inline(__always) private static func asksWriter(_ state: inout State) -> Bool {
        guard state.room.count > state.room.capacity / 2, !state.isWriterAsked else { return false }
        state.isWriterAsked = true
        return true
    }

    /// How many events found the buffer full.
    var dropped: Int { withAllTaken { $0.room.dropped } }
    /// How many events were taken.
    var recorded: Int { withAllTaken { $0.room.recorded } }
    /// Something has begun that has not ended.
    var owesEnds: Bool { locked { $0.room.owed > 0 } }
    /// How many loops are traced. Without one, nothing is taken.
    var loops: Int { locked { $0.loops } }

    func loopBegins() { addLoops(1) }
    func loopEnds() { addLoops(-1) }

    private func addLoops(_ more: Int) {
        locked { state in
            state.loops += more
            state.room.isOpen = state.loops > 0
        }
    }

    /// Calls `body` with the lock held, once all rings were taken.
    private func withAllTaken<Value>(_ body: (inout State) -> Value) -> Value {
        locked { state in
            for ring in state.rings { Self.take(ring, &state) }
            return body(&state)
        }
    }

    @discardableResult private static func take(
        _ ring: ActivityRing, atMost most: Int = .max, _ state: inout State
    ) -> Int {
        taking(into: &state) { room in ring.takeWritten(atMost: most) { room.put($0, owing: $1) } }
    }

    /// Calls `body` with a copy of the room, which stays in the processor's registers while a ring is emptied into it.
    @inline(__always) private static func taking<Value>(into state: inout State, _ body: (inout Room) -> Value) -> Value
    {
        var room = state.room
        defer { state.room = room }
        return body(&room)
    }

    // MARK: Rings

    /// UI thread: where it writes what its loop does. For a small buffer it is small, so that it does not hold more than that.
    func makeRing() -> ActivityRing {
        let capacity = min(8192, locked { $0.room.capacity } / 4)
        let ring = ActivityRing(since: start, capacity: 1 << (Int.bitWidth - 1 - capacity.leadingZeroBitCount))
        locked { $0.rings.append(ring) }
        return ring
    }

    /// The loop has ended. On the last thread that has it.
    func forget(_ ring: ActivityRing) {
        locked { state in
            Self.take(ring, &state)
            state.rings.removeAll { $0.isSame(as: ring) }
        }
    }

    /// UI thread: takes what is there. `true`: the writer has to be woken.
    func take(_ ring: ActivityRing) -> Bool { atPresent(ring) { state, _ in Self.asksWriter(&state) } }

    /// UI thread: the time at which the piece began that runs.
    func timeOfPresentPiece(_ ring: ActivityRing) -> Int64 { atPresent(ring) { _, _ in ring.timeOfPresentPiece } }

    // MARK: The writer

    /// Takes out what is there.
    func swap() -> Batch {
        // Few records at a time at first: who waits for the lock waits awake.
        var number = 0
        while let count = locked({ state in
            number < state.rings.count ? Self.take(state.rings[number], atMost: Self.fewRecords, &state) : nil
        }) {
            if count < Self.fewRecords { number += 1 }
        }
        return withAllTaken { state in
            (state.room.events, state.spare) = (state.spare, state.room.events)
            // Nothing is put in once there is no loop.
            let batch = Batch(
                events: UnsafeBufferPointer(start: state.spare, count: state.room.count), dropped: state.room.dropped,
                isLast: state.loops == 0)
            state.room.count = 0
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
