// SPDX-License-Identifier: Apache-2.0
// IntendedDelay: what a `Task.sleep` that a simulation takes over was asked for. Pure.
// Idea:   the standard library turns the duration into an instant of the machine's clock before an executor sees it, and some time has
//         passed since. Of the durations from what is left to a hundredth more, the one with the fewest digits is what a person
//         wrote: `Task.sleep(for: .milliseconds(250))` is 250 ms at each run.
// Breaks: a duration of more than two digits is only right to a hundredth (the same one at each run), and one whose task waited
//         for its turn longer than that hundredth is not found. The loop's own clocks are exact; simulated code should sleep on them.

enum IntendedDelay {
    private static let leastSlack: Int64 = 20_000

    /// The roundest number of nanoseconds that `left` may have been counted down from.
    static func nanoseconds(left: Int64) -> Int64 {
        guard left > 0 else { return 0 }
        let most = left.addingClamped(max(left / 100, leastSlack))
        var unit: Int64 = 1_000_000_000_000_000_000
        while unit > 1 {
            let candidate = left / unit * unit
            if candidate == left { return left }
            if most - candidate >= unit { return candidate + unit }
            unit /= 10
        }
        return left
    }
}
