// SPDX-License-Identifier: Apache-2.0
// OwnFrames: which ticks of a game with a loop of its own are frames for the tasks that wait for one.
// Idea:   the game draws after a tick, so each tick is a frame. But many a game sleeps in `waitEvent` until its next frame's instant, ticks whenever
//         work wakes it before, draws nothing then, and waits for the same instant again. It is known by that second wait, whose end has not moved.
//         From then on, a tick that work has woken before the instant is no frame. A game whose waits do not come back to the same instant draws
//         after each of them, and keeps a frame for each tick.
// Owner:  the main thread.
// Breaks: if a tick without drawing were a frame, animations in tasks would run through frames that nobody sees, and each wake would cost as much.

import Tandem

struct OwnFrames {
    // Times in the nanoseconds of the loop's `hostTime`.
    /// Who sleeps longer than this waits for something to happen, and not for a frame.
    private static let longestPeriod: Int64 = 100_000_000
    /// Two waits that end so close to each other end at the same instant. The game has computed its timeouts from it, each a moment before the call.
    private static let sameInstant: Int64 = 100_000
    /// The game's own clock says that the instant has come so much earlier than the end of its last wait does, for the same reason.
    private static let alreadyCome: Int64 = 20_000
    private static let longestDelta: Int64 = 100_000_000

    private var number = 0
    /// When the last frame came. Not Swift's instant, whose size is known at run time only: each use of a value that contains
    /// one goes through its type's metadata.
    private var last: Int64?
    /// The end of the last short wait, if no frame has come since.
    private var instant: Int64?
    /// A tick has come after that wait and before its end.
    private var hasTickedBefore = false
    /// The game waits for one instant, also after a tick that comes before it.
    private var waitsForInstant = false

    /// The game begins to wait, until `end` at the longest (`.max`: without an end).
    mutating func waits(from now: Int64, until end: Int64) {
        let short = end.subtractingClamped(now) <= Self.longestPeriod ? end : nil
        if hasTickedBefore {
            waitsForInstant = Self.isSame(instant, short)
            hasTickedBefore = false
        }
        instant = short
    }

    private static func isSame(_ one: Int64?, _ other: Int64?) -> Bool {
        guard let one, let other else { return false }
        return abs(one - other) < sameInstant
    }

    /// A tick has run. Returns whether it is a frame for those who wait for one; `false` also where nobody does.
    ///
    /// - Parameter isAfterWait: The game has waited since the tick before. If it has not, it draws, whatever the time.
    @MainActor mutating func isFrame(_ loop: GuestLoop, isAfterWait: Bool) -> Bool {
        guard loop.hasFrameWaiters else {
            number += 1
            return false
        }
        if isAfterWait, let instant, loop.hostTime.addingClamped(Self.alreadyCome) < instant {
            hasTickedBefore = true
            if waitsForInstant { return false }
        } else {
            instant = nil
            hasTickedBefore = false
        }
        return true
    }

    /// That frame.
    @MainActor mutating func next(_ loop: GuestLoop) -> Frame {
        // Each tick has a number, also those in which nobody waited for a frame.
        number += loop.takeTicksLeftOut()
        defer { number += 1 }
        let now = loop.loopTime
        var delta = Duration.zero
        if let last { delta = .nanoseconds(min(now.subtractingClamped(last), Self.longestDelta)) }
        last = now
        return Frame(number: number, time: loop.instant(at: now), delta: delta)
    }
}
