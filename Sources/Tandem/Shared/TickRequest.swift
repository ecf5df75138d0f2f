// SPDX-License-Identifier: Apache-2.0
// TickRequest: one word in which every thread tells the UI thread why it should tick.
// Idea:   an idle tick reads this word and is done. A reason is written here before the host is asked for a tick, so that a request which the
//         host drops, or which a game takes out of the queue, costs time and never work.
// Owner:  bits are set on any thread and cleared on the UI thread; see `SharedState`.

struct TickRequest: OptionSet, Sendable {
    let rawValue: UInt32

    /// The host has been asked for a tick, and has not ticked since. At most one such request is under way.
    static let underWay = TickRequest(rawValue: 1)
    /// The inbox has something.
    static let inbox = TickRequest(rawValue: 2)
    /// The backend gave the turn back: the event buffer is the UI thread's.
    static let turn = TickRequest(rawValue: 4)
    /// The backend died; `SharedState.failure` says of what.
    static let failure = TickRequest(rawValue: 8)
    /// The UI thread's own queues have something, put there outside of a tick or left over by one.
    static let ready = TickRequest(rawValue: 16)
}
