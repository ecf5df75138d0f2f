// SPDX-License-Identifier: Apache-2.0
// Generator: the arena's chance, reproducible from its seed. SplitMix64 (Steele, Lea and Flood, 2014).

/// A generator of random numbers with 64 bits of state.
package struct Generator: RandomNumberGenerator, Sendable, Hashable {
    private(set) var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// Evenly spread over 0 to 1, 1 excluded.
    package mutating func fraction() -> Double { Double(next() >> 11) * 0x1p-53 }

    package mutating func value(in range: ClosedRange<Double>) -> Double {
        range.lowerBound + fraction() * (range.upperBound - range.lowerBound)
    }
}
