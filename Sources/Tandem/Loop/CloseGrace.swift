// SPDX-License-Identifier: Apache-2.0
// CloseGrace: how long a closing loop, or a scene that ends, goes on.
// Idea:   the grace period is for waiting. Work that is ready does not wait, and how fast it runs is the machine's affair:
//         one that stops the program for longer than the grace period must not decide whether an accepted callback runs.
//         So work that is ready has some more passes after the period.
// Breaks: callbacks that schedule callbacks for ever would keep the close from ending; so the passes are counted.
// Owner:  the UI thread, for the time of one close.

struct CloseGrace {
    private let end: Nanoseconds
    /// Passes after the period. More than a chain of callbacks has that ends by itself.
    private var passesLeft = 32

    init(until end: Nanoseconds) { self.end = end }

    /// The time that may still be waited; 0 when the period is over.
    func rest(at now: Nanoseconds) -> Nanoseconds { now < end ? end - now : 0 }

    /// Whether a pass may run what is ready.
    mutating func takePass(at now: Nanoseconds) -> Bool {
        if now < end { return true }
        guard passesLeft > 0 else { return false }
        passesLeft -= 1
        return true
    }
}
