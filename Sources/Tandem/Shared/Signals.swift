// SPDX-License-Identifier: Apache-2.0
// Signals: one word in which the other threads tell the UI thread what there is to look at.
// Idea:   an idle tick reads this word and is done. Work is announced here before the host is asked for a tick, so that a
//         request which the host drops or a game swallows costs time, never work.
// Owner:  set on any thread, cleared on the UI thread.

import Synchronization

struct Signals: OptionSet, Sendable {
    let rawValue: UInt32

    /// A request for a tick is under way in the host.
    static let hint = Signals(rawValue: 1)
    /// The inbox has something.
    static let inbox = Signals(rawValue: 2)
    /// The backend gave the turn back: the event buffer is the UI thread's.
    static let turn = Signals(rawValue: 4)
    /// The UI thread's own queues have something, put there outside of a tick or left over by one.
    static let ready = Signals(rawValue: 16)
    /// The backend died; `Backstage.failure` says of what.
    static let failure = Signals(rawValue: 8)
}
