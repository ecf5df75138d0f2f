// SPDX-License-Identifier: Apache-2.0
// TickRequest: one atomic word in which every thread tells the UI thread why it should tick.
// Idea:   an idle tick reads this word and returns. A reason is stored here before the host is asked for a tick. So if
//         the host drops the request, or the game takes the event out of SDL's queue, the work is late but not lost.
// Owner:  bits are set on any thread and cleared on the UI thread; see `SharedState`.

struct TickRequest: OptionSet, Sendable {
    let rawValue: UInt32

    /// The host has been asked for a tick, and has not ticked since. At most one such request is under way.
    static let underWay = TickRequest(rawValue: 1)
    /// There is work in the inbox.
    static let inbox = TickRequest(rawValue: 2)
    /// The backend has given the turn back: the UI thread may read the event buffer.
    static let turn = TickRequest(rawValue: 4)
    /// The backend has ended with an error, `SharedState.failure`.
    static let failure = TickRequest(rawValue: 8)
    /// There is work in the UI thread's own queues that was put there outside a tick, or that a tick has left.
    static let ready = TickRequest(rawValue: 16)
}
