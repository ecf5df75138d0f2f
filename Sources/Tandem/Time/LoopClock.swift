// SPDX-License-Identifier: Apache-2.0
// LoopClock: the loop's time as plain nanoseconds, and the conversion to and from Swift's instants.
// Idea:   the timer heap, the backend and the kernel count in Int64 nanoseconds. Only the public interface uses Swift's
//         instants.
// Owner:  immutable; any thread.

import TandemCLinux

/// A point in the loop's time, in nanoseconds. `Int64.max` is never.
typealias Nanoseconds = Int64

extension Nanoseconds {
    static let never = Int64.max
}

/// A class, so that reading the time does not copy the source.
final class LoopClock: Sendable {
    // These two first: the size of an instant is known at run time only, and with it the places of what comes behind one.
    let isVirtual: Bool
    let hasSource: Bool
    private let source: KeptTimeSource?
    private let epoch: ContinuousClock.Instant
    private let epochNanoseconds: Nanoseconds

    init(source kept: KeptTimeSource?) {
        source = kept
        // The instant is read before the nanoseconds, so that a delay between the two makes timers late and never
        // early.
        isVirtual = kept?.source.isVirtual ?? false
        hasSource = kept != nil
        epoch = isVirtual ? kept!.source.now : ContinuousClock.now
        epochNanoseconds = isVirtual ? 0 : tandem_clock_nanoseconds()
    }

    /// The time that the backend and the hosts use: the machine's clock, unless the loop's time is virtual. While a run
    /// is recorded, `now` stands still between two readings; this does not.
    @inline(__always) var live: Nanoseconds { isVirtual ? ofSource : tandem_clock_nanoseconds() }

    /// The loop's time. It stops just before `never` when a source has reached the end of what 64 bits hold.
    @inline(__always) var now: Nanoseconds { hasSource ? ofSource : tandem_clock_nanoseconds() }

    // Apart, so that the machine's time, which each timer needs, saves no registers for it.
    @inline(never) private var ofSource: Nanoseconds { min(nanoseconds(at: source!.source.now), .never - 1) }

    /// The machine's clock. Budgets and latencies are measured by it also when the loop's time is virtual.
    static var machine: Nanoseconds { tandem_clock_nanoseconds() }

    func instant(at time: Nanoseconds) -> ContinuousClock.Instant {
        epoch.advanced(by: Duration(exactly: time.subtractingClamped(epochNanoseconds)))
    }

    /// An instant that 64 bits cannot hold becomes the first or the last one of the range.
    func nanoseconds(at instant: ContinuousClock.Instant) -> Nanoseconds {
        // The machine's clock counts from the start of the machine, so neither of two later instants is negative, and
        // their distance fits into 128 bits. To limit it costs 330 instructions, a third of what a timer costs.
        let isLater = !isVirtual && !(instant < epoch)
        let distance = isLater ? epoch.duration(to: instant) : epoch.durationClamped(to: instant)
        return epochNanoseconds.addingClamped(distance.nanosecondsRoundedUp)
    }
}

extension Nanoseconds {
    /// The sum, or the nearest end of the range where it does not fit.
    package func addingClamped(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other > 0 ? .max : .min) : sum
    }

    /// The difference, or the nearest end of the range where it does not fit.
    package func subtractingClamped(_ other: Int64) -> Int64 {
        let (difference, overflow) = subtractingReportingOverflow(other)
        return overflow ? (other < 0 ? .max : .min) : difference
    }
}

extension Duration {
    /// Whole nanoseconds, rounded up so that no deadline is early; clamped to what 64 bits hold (292 years).
    package var nanosecondsRoundedUp: Int64 {
        // Up to 18 seconds, as most durations of a game are, 64 bits hold it. One multiplication and a shift.
        if let short = UInt64(exactly: attoseconds) {
            let (quotient, remainder) = short.quotientAndRemainder(dividingBy: 1_000_000_000)
            return Int64(quotient) + (remainder == 0 ? 0 : 1)
        }
        guard attoseconds >= 0, attoseconds < Int128(Int64.max) * 1_000_000_000 else {
            // Rounding towards zero is rounding up here.
            return attoseconds > 0 ? .max : Int64(clamping: attoseconds / 1_000_000_000)
        }
        // The division of 128-bit numbers is a call of a library function. With 10^9 = 2^9 * 5^9 the shifted number has
        // 85 bits, so it is divided in two steps, like a division on paper, with digits of 32 bits; the compiler makes
        // a multiplication of each step.
        let (left, divisor) = (attoseconds >> 9, UInt64(1_953_125))
        let high = UInt64(truncatingIfNeeded: left >> 32).quotientAndRemainder(dividingBy: divisor)
        let low = (high.remainder << 32 | UInt64(truncatingIfNeeded: left) & 0xFFFF_FFFF).quotientAndRemainder(
            dividingBy: divisor)
        let isExact = low.remainder == 0 && attoseconds & 511 == 0
        return Int64(high.quotient << 32 | low.quotient) + (isExact ? 0 : 1)
    }

    /// A duration of `nanoseconds`. The standard library's initialiser takes a call and a check for overflow, which
    /// cannot happen here.
    @inline(__always) init(exactly nanoseconds: Int64) {
        self.init(attoseconds: Int128(nanoseconds) &* 1_000_000_000)
    }
}

// A duration has 128 bits of attoseconds, which is 5.4 * 10^12 years, and the standard library traps if a sum does not
// fit. So a duration from a user is limited first, to far more than the 292 years that a deadline can lie ahead.

extension Duration {
    /// 10,000 years, the limit in both directions.
    fileprivate static var longest: Duration { Duration(attoseconds: 315_576_000_000 * 1_000_000_000_000_000_000) }

    /// The nearest duration of at most 10,000 years in either direction.
    package var clamped: Duration { Swift.min(Swift.max(self, .zero - Self.longest), Self.longest) }

    /// The sum, or the nearest end of the range where it does not fit.
    package func addingClamped(_ other: Duration) -> Duration {
        let (sum, overflow) = attoseconds.addingReportingOverflow(other.attoseconds)
        return Duration(attoseconds: overflow ? (other > .zero ? .max : .min) : sum)
    }

    /// The difference, or the nearest end of the range where it does not fit.
    package func subtractingClamped(_ other: Duration) -> Duration {
        let (difference, overflow) = attoseconds.subtractingReportingOverflow(other.attoseconds)
        return Duration(attoseconds: overflow ? (other < .zero ? .max : .min) : difference)
    }
}

extension InstantProtocol where Duration == Swift.Duration {
    /// As `advanced(by:)`, by at most 10,000 years.
    package func advancedClamped(by duration: Duration) -> Self { advanced(by: duration.clamped) }

    /// As `duration(to:)`, at most 10,000 years in either direction.
    package func durationClamped(to other: Self) -> Duration {
        let longest = Duration.longest
        if other >= advanced(by: longest) { return longest }
        if other <= advanced(by: .zero - longest) { return .zero - longest }
        return duration(to: other)
    }
}
