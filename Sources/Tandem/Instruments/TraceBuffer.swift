// SPDX-License-Identifier: Apache-2.0
// TraceBuffer: a trace's events between the threads that put them in and the writer, which takes them out.
// Idea:   two pieces of memory of a fixed size, which the writer swaps. One that is full drops what comes, and counts it. What begins only does so if
//         there is room for its end as well, so that what has begun always ends.
//         A copy of this value is an address, which costs no reference count: a piece of work is one event, put in at its end.
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
    @inline(__always) var now: Int64 { tandem_trace_clock() - start }

    /// Takes what begins, if there is room for its end, too. `false`: it was dropped, and its end must not come.
    @inline(__always) func begin(_ event: TraceEvent) -> Bool {
        locked { Self.put(event, owing: 1, &$0) }
    }

    /// What was begun ends. There is room for it. `true`: the writer has to be woken.
    @inline(__always) func end(_ event: TraceEvent) -> Bool {
        locked {
            $0.owed &-= 1
            return Self.put(event, owing: 0, &$0) && Self.asksWriter(&$0)
        }
    }

    /// What has begun and ended is put in as one, if there is room for it. `true`: the writer has to be woken.
    @inline(__always) func add(_ event: TraceEvent) -> Bool {
        locked { Self.put(event, owing: 0, &$0) && Self.asksWriter(&$0) }
    }

    /// What neither begins nor ends.
    func mark(_ event: TraceEvent) { locked { _ = Self.put(event, owing: 0, &$0) } }

    /// A flow's number, if its beginning was taken.
    func beginFlow(on thread: Int32) -> Int64? {
        locked { state in
            state.lastFlow += 1
            let event = TraceEvent(time: now, value: state.lastFlow, thread: thread, phase: .flowBegin, name: .flow)
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

    /// Half of the buffer is used: the writer is to come, once.
    @inline(__always) private static func asksWriter(_ state: inout State) -> Bool {
        guard state.count > state.capacity / 2, !state.isWriterAsked else { return false }
        state.isWriterAsked = true
        return true
    }

    /// How many events found the buffer full.
    var dropped: Int { locked { $0.dropped } }
    /// How many events were taken.
    var recorded: Int { locked { $0.recorded } }
    /// Something has begun that has not ended.
    var owesEnds: Bool { locked { $0.owed > 0 } }
    /// How many loops are traced. Without one, nothing is taken.
    var loops: Int { locked { $0.loops } }

    func loopBegins() { locked { $0.loops += 1 } }
    func loopEnds() { locked { $0.loops -= 1 } }

    // MARK: The writer

    /// Takes out what is there.
    func swap() -> Batch {
        locked { state in
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
