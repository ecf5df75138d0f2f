// SPDX-License-Identifier: Apache-2.0
// Moderation: how often another thread's posts wake the UI thread.
// Idea:   a thread that posts one thing after the other finds the UI thread, which is quicker, asleep each time. Waking it costs both
//         a thousand times what the post costs, and where the kernel wakes it on the same core the posts come one by one for
//         milliseconds. As a network driver does with interrupts, a tick whose posts came moments after the end of the last one
//         naps before it ends, for as long as naps bring much. Swift jobs do not count: somebody waits for them.
// Owner:  the UI thread.

struct Moderation {
    /// About what it takes to go to sleep and be woken.
    private static let moments: Nanoseconds = 20_000
    static let nap: Nanoseconds = 50_000
    /// Two threads that answer each other bring one post in a nap, and lose time by it.
    private static let much = 8
    private static let mostRefused = 256

    private var isFollowed = false
    /// Naps to leave out, and how many of them the next one in vain adds.
    private var refused = 0
    private var penalty = 4

    /// A tick's first look into the inbox found so many posts, which began to come `delay` after the end of the last tick.
    mutating func tickFound(_ count: Int, after delay: Nanoseconds) {
        isFollowed = count > 0 && delay < Self.moments
    }

    /// The tick has run all that there was: shall it nap, and look again?
    mutating func wantsNap() -> Bool {
        guard isFollowed else { return false }
        if refused == 0 { return true }
        refused -= 1
        return false
    }

    mutating func napBrought(_ count: Int) {
        if count >= Self.much {
            penalty = 4
        } else {
            isFollowed = false
            refused = penalty
            penalty = min(2 * penalty, Self.mostRefused)
        }
    }
}
