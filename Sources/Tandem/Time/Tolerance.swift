// SPDX-License-Identifier: Apache-2.0
// Tolerance: moves the deadlines of sleepers that may be late to shared instants, so that the process wakes less often.
//            Pure.
// Idea:   of all instants that a sleeper allows, the one is chosen that is divisible by the largest power of two. Other
//         sleepers with a tolerance choose the same instant without knowing of each other.

extension Nanoseconds {
    /// An instant between this one and `tolerance` later, chosen so that other sleepers are likely to choose it, too.
    /// O(1).
    func coalesced(within tolerance: Duration?) -> Nanoseconds {
        guard let tolerance, tolerance > .zero, self > 0, self != .never else { return self }
        let latest = addingClamped(tolerance.nanosecondsRoundedUp)
        guard latest != .never else { return self }
        // The highest bit in which the last allowed instant differs from the one just before the first: all bits below
        // it can be zero.
        let shift = 63 - ((self - 1) ^ latest).leadingZeroBitCount
        return (latest >> shift) << shift
    }
}
