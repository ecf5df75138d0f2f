// SPDX-License-Identifier: Apache-2.0
// WaitPolicy: decides when a tick pauses instead of ending, and when a thread stays awake instead of sleeping. Pure:
//             measurements go in, a decision comes out. What each decision brings is in the article *Heuristics and
//             what they bring*.
// Owner:  the UI thread.

enum WaitPolicy {
    /// About how long it takes a thread to fall asleep and be woken, in nanoseconds.
    static let wakeLatency: Nanoseconds = 20_000

    /// Whether a thread that has to act at `deadline` looks at the clock until then instead of sleeping: a sleep would
    /// take longer.
    static func isTooNearToSleep(_ deadline: Nanoseconds, now: Nanoseconds) -> Bool {
        deadline < now.addingClamped(wakeLatency)
    }
}

/// Decides whether a tick pauses at its end, so that posts of other threads collect. Network cards do the same with
/// interrupts (interrupt coalescing).
///
/// If another thread posts one piece of work after the other, the UI thread is quicker and falls asleep after each.
/// Waking it costs both threads a thousand times what a post costs. So if a tick finds posts that began to arrive less
/// than 20 µs after the tick before it, it pauses for 50 µs before it ends, as long as such pauses bring eight posts or
/// more.
struct PostCoalescing {
    static let pause: Nanoseconds = 50_000
    /// In a pause of two threads that answer each other, one piece of work arrives; they would only lose time.
    private static let worthwhileBatch = 8

    private var isFollowed = false
    private var backOff = BackOff(longest: 256)

    /// A tick's first look into the inbox has found `count` posts, of which the first arrived `delay` after the end of
    /// the tick before.
    mutating func tickFound(_ count: Int, after delay: Nanoseconds) {
        isFollowed = count > 0 && delay < WaitPolicy.wakeLatency
    }

    /// The tick has run everything. Returns whether it should pause and look again.
    mutating func wantsPause() -> Bool { isFollowed && backOff.countOccasion() }

    mutating func pauseBrought(_ count: Int) {
        if count < Self.worthwhileBatch { isFollowed = false }
        backOff.note(wasRight: count >= Self.worthwhileBatch)
    }
}

/// Decides whether a thread looks for work for up to 100 µs before it sleeps. It does so as long as such looks find
/// some.
///
/// If two threads answer each other (a task that alternates between the pool and the main actor), each would sleep and
/// be woken for every answer, which takes longer than most answers.
struct AdaptiveSpin {
    /// About as long as a few wake-ups of a thread whose core has gone to sleep.
    static let longest: Nanoseconds = 100_000

    private var isAnswered = false
    private var backOff = BackOff(longest: 64)

    /// A tick's first look into the inbox has found work that arrived `delay` after the end of the tick before.
    mutating func noteArrival(after delay: Nanoseconds) { isAnswered = delay < Self.longest }

    /// Whether the thread should look for work before it sleeps.
    mutating func wantsToSpin() -> Bool { isAnswered && backOff.countOccasion() }

    mutating func note(wasAnswered: Bool) { backOff.note(wasRight: wasAnswered) }
}

/// An attempt that is made less often the more often it has failed: after 4, 8, 16 … occasions, up to a limit.
struct BackOff {
    private static let shortest = 4

    private let longest: Int
    /// How many occasions to skip, and how many the next failure adds.
    private var left = 0
    private var penalty = shortest

    init(longest: Int) { self.longest = longest }

    /// Counts an occasion. Returns whether to make the attempt.
    mutating func countOccasion() -> Bool {
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
