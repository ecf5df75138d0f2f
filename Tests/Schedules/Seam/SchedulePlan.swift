// SPDX-License-Identifier: Apache-2.0
// SchedulePlan: at which steps a schedule pre-empts the thread that runs. All of it comes from the seed.
// Owner:  a value.

/// A seeded generator (SplitMix64): the same numbers on every machine.
package struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    package init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 0x1234_5678_9ABC_DEF1 }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `bound` - 1. The bounds are small, so that the remainder favours nobody by much.
    package mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}

package struct SchedulePlan {
    /// A schedule with more steps is taken for one that never ends.
    package let mostSteps: Int
    /// How long reading the clock takes.
    private(set) var clockStep: Int64 = 1
    private var preemptions: [Int] = []
    /// Not 0: one step in so many is a pre-emption.
    private var walk = 0

    /// Always at random.
    private let walks: Bool

    package init(walks: Bool = false, mostSteps: Int = 8_000) {
        self.walks = walks
        self.mostSteps = mostSteps
    }

    /// Three of four schedules have up to four pre-emptions, sooner or later in the run; the others walk at random.
    func chosen(by random: inout SeededGenerator) -> SchedulePlan {
        var plan = self
        plan.clockStep = [1, 1, 100, 2_000][random.below(4)]
        if walks || random.below(4) == 0 {
            plan.walk = 2 << random.below(6)
        } else {
            for _ in 0..<random.below(5) { plan.preemptions.append(1 + random.below(16 << random.below(6))) }
        }
        return plan
    }

    func switches(at step: Int, _ random: inout SeededGenerator) -> Bool {
        walk > 0 ? random.below(walk) == 0 : preemptions.contains(step)
    }
}
