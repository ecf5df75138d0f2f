// SPDX-License-Identifier: Apache-2.0
// GameTimeline: the linear function from the loop's time to the time of a game clock. Pure; tested alone.
// Idea:   a finite `Double` is a whole number times a power of two, so that the rate is exact, and both directions are
//         computed in whole numbers of 128 bits. Elapsed time has 64 more bits below the nanosecond, which are kept
//         when the rate changes: a game that changes its rate in every frame loses no time, however slowly it runs.
// Breaks: `time(of:)` has to return the first instant at which `elapsed(at:)` has reached its argument. If it returned
//         one that is a nanosecond earlier, the timer would be due again and again, and its sleeper would never wake.

struct GameTimeline {
    /// The last instant of a game; later ones count as this one. It is one less than `never`, which no clock reaches.
    static let end: Nanoseconds = .never - 1

    /// The time of the loop since which the present rate holds, and the game time that had elapsed then.
    private var anchor: Nanoseconds
    private var elapsedAtAnchor = Elapsed()
    /// Game seconds for each second of the loop's time; not negative, finite.
    private(set) var rate = 1.0
    /// The same rate, exactly: `significand * 2^exponent`.
    private var significand: UInt64 = 1
    private var exponent = 0
    var isPaused = false

    init(anchor: Nanoseconds) { self.anchor = anchor }

    /// Game time, in whole nanoseconds, and a fraction in units of 2^-64 nanoseconds.
    private struct Elapsed {
        var nanoseconds: Nanoseconds = 0
        var fraction: UInt64 = 0
    }

    /// The game time that has elapsed at a time of the loop. Rounded down, so that no sleeper wakes early.
    func elapsed(at time: Nanoseconds) -> Nanoseconds { exactElapsed(at: time).nanoseconds }

    private func exactElapsed(at time: Nanoseconds) -> Elapsed {
        if isPaused || significand == 0 || time <= anchor { return elapsedAtAnchor }
        let end = Elapsed(nanoseconds: Self.end)
        let (passed, isLonger) = time.subtractingReportingOverflow(anchor)
        // The factors have 63 and 53 bits.
        let product = UInt128(isLonger ? .max : passed) * UInt128(significand)
        let shift = exponent + 64
        guard shift < product.leadingZeroBitCount else { return end }
        let (sum, overflow) = (shift < 0 ? product >> -shift : product << shift).addingReportingOverflow(
            UInt128(elapsedAtAnchor.fraction))
        let nanoseconds = elapsedAtAnchor.nanoseconds.addingClamped(Int64(clamping: sum >> 64))
        guard !overflow, nanoseconds < Self.end else { return end }
        return Elapsed(nanoseconds: nanoseconds, fraction: UInt64(truncatingIfNeeded: sum))
    }

    /// The first time of the loop at which `elapsed` has passed; `never` if that does not happen.
    func time(of elapsed: Nanoseconds) -> Nanoseconds {
        guard elapsed > elapsedAtAnchor.nanoseconds else { return anchor }
        guard elapsed <= Self.end, !isPaused, significand > 0 else { return .never }
        // In units of 2^-64 nanoseconds. The difference fits, because the range of game time includes zero.
        let left =
            UInt128(UInt64(bitPattern: elapsed &- elapsedAtAnchor.nanoseconds)) << 64
            - UInt128(elapsedAtAnchor.fraction)
        // Divided by `significand * 2^shift`, rounded up.
        let shift = exponent + 64
        let divisor = UInt128(significand)
        let passed: UInt128
        if shift < 0 {
            // A number that does not fit here has more than 64 bits even after the division by the 53 bits of a
            // significand.
            guard -shift < left.leadingZeroBitCount else { return .never }
            passed = Self.quotientRoundedUp(left << -shift, divisor)
        } else if shift < divisor.leadingZeroBitCount {
            passed = Self.quotientRoundedUp(left, divisor << shift)
        } else {
            // The divisor is greater than the largest possible rest, so that the quotient, rounded up, is 1.
            passed = 1
        }
        return anchor.addingClamped(Int64(clamping: passed))
    }

    private static func quotientRoundedUp(_ number: UInt128, _ divisor: UInt128) -> UInt128 {
        let (quotient, remainder) = number.quotientAndRemainder(dividingBy: divisor)
        return remainder == 0 ? quotient : quotient + 1
    }

    /// Keeps what has elapsed until `time`; later changes have effect from `time` on.
    mutating func moveAnchor(to time: Nanoseconds) {
        elapsedAtAnchor = exactElapsed(at: time)
        anchor = time
    }

    /// Sets the rate from the anchor on. With 0 game time does not move.
    mutating func setRate(_ rate: Double) {
        self.rate = rate
        // Without the zero bits at its end, so that ordinary rates have small numbers.
        let pattern = rate.significandBitPattern | (rate.isNormal ? 1 << Double.significandBitCount : 0)
        let zeros = pattern == 0 ? 0 : pattern.trailingZeroBitCount
        significand = pattern >> UInt64(zeros)
        // Subnormal numbers have the exponent of the least normal number.
        let lowest = rate.isNormal ? Int(rate.exponent) : Int(Double.leastNormalMagnitude.exponent)
        exponent = lowest - Double.significandBitCount + zeros
    }

    /// Adds game time at the anchor.
    mutating func skip(_ duration: Nanoseconds) {
        elapsedAtAnchor.nanoseconds = min(elapsedAtAnchor.nanoseconds.addingClamped(duration), Self.end)
    }
}
