// SPDX-License-Identifier: Apache-2.0
// Moderation: how often another thread's work wakes the UI thread, where that sleeps by itself.
// Owner:  the UI thread.

/// Posts in a flood.
///
/// A thread that posts one thing after the other finds the UI thread, which is quicker, asleep each time. Waking it costs both a thousand
/// times what the post costs, and where the kernel wakes it on the same core the posts come one by one for milliseconds. As a network
/// driver does with interrupts, a tick whose posts came moments after the end of the last one naps before it ends, for as long as naps
/// bring much.
struct Moderation {
    /// About what it takes to go to sleep and be woken.
    private static let moments: Nanoseconds = 20_000
    static let nap: Nanoseconds = 50_000
    /// Two threads that answer each other bring one piece of work in a nap, and lose time by it.
    private static let much = 8

    private var isFollowed = false
    private var guess = Guess(mostRefused: 256)

    /// A tick's first look into the inbox found so many posts, which began to come `delay` after the end of the last tick.
    mutating func tickFound(_ count: Int, after delay: Nanoseconds) {
        isFollowed = count > 0 && delay < Self.moments
    }

    /// The tick has run all that there was: shall it nap, and look again?
    mutating func wantsNap() -> Bool { isFollowed && guess.isWorthIt() }

    mutating func napBrought(_ count: Int) {
        if count < Self.much { isFollowed = false }
        guess.note(wasRight: count >= Self.much)
    }
}

/// Two threads that answer each other, as a task does that goes to and fro between the pool and the main actor.
///
/// Waking a thread takes longer than most answers. A UI thread that was answered at once waits awake for the next answer, for a moment,
/// before it goes to sleep, for as long as answers come.
struct Patience {
    /// A few wake-ups of a thread whose core has gone to sleep.
    static let longest: Nanoseconds = 100_000

    private var isAnswered = false
    private var guess = Guess(mostRefused: 64)

    /// A tick's first look into the inbox found something that began to come `delay` after the end of the last tick.
    mutating func noteArrival(after delay: Nanoseconds) { isAnswered = delay < Self.longest }

    /// Shall the thread wait awake before it sleeps?
    mutating func isWorthIt() -> Bool { isAnswered && guess.isWorthIt() }

    mutating func note(wasAnswered: Bool) { guess.note(wasRight: wasAnswered) }
}

/// A guess that is made less often the longer it has been wrong.
struct Guess {
    private let mostRefused: Int
    /// Occasions to let pass, and how many of them the next wrong one adds.
    private var refused = 0
    private var penalty = 4

    init(mostRefused: Int) { self.mostRefused = mostRefused }

    mutating func isWorthIt() -> Bool {
        if refused == 0 { return true }
        refused -= 1
        return false
    }

    mutating func note(wasRight: Bool) {
        if wasRight {
            penalty = 4
        } else {
            refused = penalty
            penalty = min(2 * penalty, mostRefused)
        }
    }
}
