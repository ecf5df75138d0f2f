// SPDX-License-Identifier: Apache-2.0
// WaitPolicy: when a tick waits for a moment instead of ending, and when a thread stays awake instead of sleeping. Pure: what was measured goes
//             in, a decision comes out. What each of these brings stands in the article *Heuristics and what they bring*.
// Owner:  the UI thread.

enum WaitPolicy {
    /// About what it takes to fall asleep and to be woken, in nanoseconds.
    static let wakeLatency: Nanoseconds = 20_000
}

/// Whether a tick pauses at its end, so that the posts of other threads gather; a network card does so with its interrupts.
///
/// A thread that posts one thing after the other finds the UI thread, which is quicker, asleep each time. Waking it costs both threads a thousand
/// times what the post costs. So a tick whose posts began to come moments after the end of the tick before it pauses before it ends,
/// for as long as pauses bring much.
struct PostCoalescing {
    static let pause: Nanoseconds = 50_000
    /// Two threads that answer each other bring one piece of work in a pause, and lose time by it.
    private static let worthwhileBatch = 8

    private var isFollowed = false
    private var backOff = BackOff(longest: 256)

    /// A tick's first look into the inbox found so many posts, which began to come `delay` after the end of the last tick.
    mutating func tickFound(_ count: Int, after delay: Nanoseconds) {
        isFollowed = count > 0 && delay < WaitPolicy.wakeLatency
    }

    /// The tick has run all that there was: shall it pause, and look again?
    mutating func wantsPause() -> Bool { isFollowed && backOff.isWorthATry() }

    mutating func pauseBrought(_ count: Int) {
        if count < Self.worthwhileBatch { isFollowed = false }
        backOff.note(wasRight: count >= Self.worthwhileBatch)
    }
}

/// Whether a thread looks for work for up to 100 µs before it sleeps. It does while the last such looks found some.
///
/// Two threads that answer each other, as a task does that goes to and fro between the pool and the main actor, would each sleep and be woken for
/// every answer, which takes longer than most answers.
struct AdaptiveSpin {
    /// A few wake-ups of a thread whose core has gone to sleep.
    static let longest: Nanoseconds = 100_000

    private var isAnswered = false
    private var backOff = BackOff(longest: 64)

    /// A tick's first look into the inbox found something that began to come `delay` after the end of the last tick.
    mutating func noteArrival(after delay: Nanoseconds) { isAnswered = delay < Self.longest }

    /// Shall the thread stay awake before it sleeps?
    mutating func isWorthIt() -> Bool { isAnswered && backOff.isWorthATry() }

    mutating func note(wasAnswered: Bool) { backOff.note(wasRight: wasAnswered) }
}

/// Something that is tried less often the longer it has been in vain: after 4, 8, 16 … occasions, up to a limit.
struct BackOff {
    private static let shortest = 4

    private let longest: Int
    /// Occasions to let pass, and how many of them the next try in vain adds.
    private var left = 0
    private var penalty = shortest

    init(longest: Int) { self.longest = longest }

    mutating func isWorthATry() -> Bool {
        if left == 0 { return true }
        left -= 1
        return false
    }

    mutating func note(wasRight: Bool) {
        if wasRight {
            penalty = Self.shortest
        } else {
            left = penalty
            penalty = min(2 * penalty, longest)
        }
    }
}
