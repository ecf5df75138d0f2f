// SPDX-License-Identifier: Apache-2.0
// GameTimeline: the straight line that leads from the loop's time to a game clock's. Pure; tested alone.
// Idea:   a finite `Double` is a whole number times a power of two, so that a rate is exact as it stands, and both directions are
//         computed in whole numbers of 128 bits. Elapsed time has 64 more bits behind the nanosecond, which changes of the rate keep:
//         a game that changes it in every frame loses nothing, however slow it runs.
// Breaks: `time(of:)` has to be the first instant at which `elapsed(at:)` has reached its argument. One that lies a nanosecond earlier
//         makes a timer that is always due and never done.

struct GameTimeline {
    /// The last instant of a game; what is beyond counts as it. One short of `never`, which does not come.
    static let end: Nanoseconds = .never - 1

    /// The loop's time from which on the present rate holds, and what had elapsed then.
    private var anchor: Nanoseconds
    private var elapsedAtAnchor = Elapsed()
    /// Game seconds for each second; not negative, finite.
    private(set) var rate = 1.0
    /// The same, exactly: `significand * 2^exponent`.
    private var significand: UInt64 = 1
    private var exponent = 0
    var isPaused = false

    init(anchor: Nanoseconds) { self.anchor = anchor }

    /// Game time: whole nanoseconds, and 2^-64 of one.
    private struct Elapsed {
        var nanoseconds: Nanoseconds = 0
        var fraction: UInt64 = 0
    }

    /// What has elapsed at a time of the loop's; rounded down, so that no sleeper is early.
    func elapsed(at time: Nanoseconds) -> Nanoseconds { exactElapsed(at: time).nanoseconds }

    private func exactElapsed(at time: Nanoseconds) -> Elapsed {
        if isPaused || significand == 0 || time <= anchor { return elapsedAtAnchor }
        let end = Elapsed(nanoseconds: Self.end)
        let (passed, isLonger) = time.subtractingReportingOverflow(anchor)
        // 63 bits and 53 bits.
        let product = UInt128(isLonger ? .max : passed) * UInt128(significand)
        let shift = exponent + 64
        guard shift < product.leadingZeroBitCount else { return end }
        let (sum, overflow) = (shift < 0 ? product >> -shift : product << shift).addingReportingOverflow(
            UInt128(elapsedAtAnchor.fraction))
        let nanoseconds = elapsedAtAnchor.nanoseconds.addingClamped(Int64(clamping: sum >> 64))
        guard !overflow, nanoseconds < Self.end else { return end }
        return Elapsed(nanoseconds: nanoseconds, fraction: UInt64(truncatingIfNeeded: sum))
    }

    /// The first time of the loop's at which so much has elapsed; `never` if that does not come.
    func time(of elapsed: Nanoseconds) -> Nanoseconds {
        guard elapsed > elapsedAtAnchor.nanoseconds else { return anchor }
        guard elapsed <= Self.end, !isPaused, significand > 0 else { return .never }
        // In 2^-64 nanoseconds. Zero is within the range of the game's time, so that the difference of two of its instants fits.
        let left =
            UInt128(UInt64(bitPattern: elapsed &- elapsedAtAnchor.nanoseconds)) << 64
            - UInt128(elapsedAtAnchor.fraction)
        // Divided by `significand * 2^shift`, rounded up.
        let shift = exponent + 64
        let divisor = UInt128(significand)
        let passed: UInt128
        if shift < 0 {
            // What does not fit here is, divided by the 53 bits of a significand, still more than 64 bits hold.
            guard -shift < left.leadingZeroBitCount else { return .never }
            passed = Self.quotientRoundedUp(left << -shift, divisor)
        } else if shift < divisor.leadingZeroBitCount {
            passed = Self.quotientRoundedUp(left, divisor << shift)
        } else {
            // The divisor is greater than all that can be left.
            passed = 1
        }
        return anchor.addingClamped(Int64(clamping: passed))
    }

    private static func quotientRoundedUp(_ number: UInt128, _ divisor: UInt128) -> UInt128 {
        let (quotient, remainder) = number.quotientAndRemainder(dividingBy: divisor)
        return remainder == 0 ? quotient : quotient + 1
    }

    /// Lets what has elapsed stand, and changes what comes after `time`.
    mutating func moveAnchor(to time: Nanoseconds) {
        elapsedAtAnchor = exactElapsed(at: time)
        anchor = time
    }

    /// The pace from the anchor on; zero stands still.
    mutating func setRate(_ rate: Double) {
        self.rate = rate
        // Without the zeros at its end, so that ordinary rates have small numbers.
        let pattern = rate.significandBitPattern | (rate.isNormal ? 1 << Double.significandBitCount : 0)
        let zeros = pattern == 0 ? 0 : pattern.trailingZeroBitCount
        significand = pattern >> UInt64(zeros)
        // Those below the normal ones have the exponent of the least of these.
        let lowest = rate.isNormal ? Int(rate.exponent) : Int(Double.leastNormalMagnitude.exponent)
        exponent = lowest - Double.significandBitCount + zeros
    }

    /// Adds game time at the anchor.
    mutating func skip(_ duration: Nanoseconds) {
        elapsedAtAnchor.nanoseconds = min(elapsedAtAnchor.nanoseconds.addingClamped(duration), Self.end)
    }
}
