// SPDX-License-Identifier: Apache-2.0
// Tolerance: what a sleeper's permission to be late is used for: fewer wake-ups. Pure.
// Idea:   of the instants that a sleeper allows the one is taken that is divisible by the largest power of two, since it is the likeliest to
//         be another's choice, too. Sleepers with tolerance meet there without knowing of each other.

extension Nanoseconds {
    /// An instant from this one to `tolerance` later, shared with as many others as may be. O(1).
    func coalesced(within tolerance: Duration?) -> Nanoseconds {
        guard let tolerance, tolerance > .zero, self > 0, self != .never else { return self }
        let latest = addingClamped(tolerance.nanosecondsRoundedUp)
        guard latest != .never else { return self }
        // The highest bit in which the instant before the first differs from the last: all below it can be zero.
        let shift = 63 - ((self - 1) ^ latest).leadingZeroBitCount
        return (latest >> shift) << shift
    }
}
