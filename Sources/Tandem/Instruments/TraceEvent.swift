// SPDX-License-Identifier: Apache-2.0
// TraceEvent: one event of a trace, in 32 bytes.
// Owner:  a record; its text is made by the trace's writer thread (`TraceText`).

struct TraceEvent {
    enum Phase: UInt8 {
        case begin, end, instant, counter
        /// Beginning and end at once, put in at the end.
        case complete
        /// Of what begins on one thread's time and may overlap: scenes.
        case asyncBegin, asyncEnd
        case flowBegin, flowEnd
    }

    /// Nanoseconds since the trace was made; given when it is put in.
    private(set) var time: Int64
    /// A counter's figure; the number of what has one; how many nanoseconds a complete event lasted.
    let value: Int64
    let site: CallSite
    let thread: Int32
    let phase: Phase
    let name: Activity

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

    /// What has begun at `began`, and is over at this event's time, as one event.
    @inline(__always) func since(_ began: Int64) -> TraceEvent {
        TraceEvent(
            time: began, value: max(0, time - began), site: site, thread: thread, phase: .complete, name: name)
    }
}
