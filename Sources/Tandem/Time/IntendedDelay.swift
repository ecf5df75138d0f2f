// SPDX-License-Identifier: Apache-2.0
// IntendedDelay: what a `Task.sleep` that a simulation takes over was asked for. Pure.
// Idea:   the standard library turns the duration into an instant of the machine's clock, and an executor is told a microsecond later.
//         Whole milliseconds, rounded up, take the microsecond out again: 250 ms are 250 ms at each run. A thread that lost the processor
//         in it lost milliseconds: then what is left lies anywhere between two whole milliseconds, while what was left when that piece
//         of work began lies just above one.
// Breaks: a duration that is no whole number of milliseconds is rounded up to one. The loop's own clocks are exact to the nanosecond.

enum IntendedDelay {
    static let grain: Int64 = 1_000_000
    /// What passes between the standard library's reading of the clock and the executor's, without mishap.
    private static let usual: Int64 = 20_000
    /// What a short piece of work takes before it sleeps.
    private static let short: Int64 = 200_000

    /// Whole milliseconds, one at least.
    ///
    /// - Parameters:
    ///   - left: What was left of the duration when the executor was told.
    ///   - most: What was left when the piece of work began that sleeps: the duration was no longer.
    static func nanoseconds(left: Int64, most: Int64) -> Int64 {
        let (low, high) = (roundedUp(left), most / grain * grain)
        if low >= high || low - left <= usual { return low }
        return most - high <= short ? high : low
    }

    private static func roundedUp(_ time: Int64) -> Int64 {
        guard time > grain else { return grain }
        let rest = time % grain
        return rest == 0 ? time : time.addingClamped(grain - rest)
    }
}
