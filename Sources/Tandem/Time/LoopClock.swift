// SPDX-License-Identifier: Apache-2.0
// LoopClock: the loop's time as plain nanoseconds, and the way to and from Swift's instants.
// Idea:   the heap, the backend and the kernel count in Int64 nanoseconds; only the public interface speaks of instants.
// Owner:  immutable; any thread.

import TandemCLinux

/// A point in the loop's time, in nanoseconds. `Int64.max` is never.
typealias Nanoseconds = Int64

extension Nanoseconds {
    static let never = Int64.max
}

/// A class, so that a look at the time does not copy the source.
final class LoopClock: Sendable {
    private let source: (any TimeSource)?
    private let epoch: ContinuousClock.Instant
    private let epochNanoseconds: Nanoseconds
    let isVirtual: Bool
    let hasSource: Bool

    init(source: (any TimeSource)?) {
        self.source = source
        // The instant is read first: the pair can only be off in the direction that makes a timer late, never early.
        isVirtual = source?.isVirtual ?? false
        hasSource = source != nil
        epoch = isVirtual ? source!.now : ContinuousClock.now
        epochNanoseconds = isVirtual ? 0 : tandem_clock_nanoseconds()
    }

    /// The time as the backend and hosts see it: the machine's, unless the loop's is virtual. A recorded time stands still between its
    /// readings.
    var live: Nanoseconds { isVirtual ? now : tandem_clock_nanoseconds() }

    /// The loop's time. A source that has come to the end of what 64 bits hold stands still just before `never`, which is no time that comes.
    var now: Nanoseconds {
        hasSource ? min(nanoseconds(at: source!.now), .never - 1) : tandem_clock_nanoseconds()
    }

    /// The machine's time, which measures budgets and latencies also when the loop's is virtual.
    static var machine: Nanoseconds { tandem_clock_nanoseconds() }

    func instant(at time: Nanoseconds) -> ContinuousClock.Instant {
        epoch.advanced(by: Duration(exactly: time.subtractingClamped(epochNanoseconds)))
    }

    /// Instants that 64 bits do not hold are the nearest ends of the range.
    func nanoseconds(at instant: ContinuousClock.Instant) -> Nanoseconds {
        epochNanoseconds.addingClamped(epoch.durationClamped(to: instant).nanosecondsRoundedUp)
    }
}

extension Nanoseconds {
    /// The sum, or the nearest end of the range where it does not fit.
    func addingClamped(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other > 0 ? .max : .min) : sum
    }

    /// The difference, or the nearest end of the range where it does not fit.
    func subtractingClamped(_ other: Int64) -> Int64 {
        let (difference, overflow) = subtractingReportingOverflow(other)
        return overflow ? (other < 0 ? .max : .min) : difference
    }
}

extension Duration {
    /// Whole nanoseconds, rounded up so that no deadline is early; clamped to what 64 bits hold (292 years).
    package var nanosecondsRoundedUp: Int64 {
        guard attoseconds >= 0, attoseconds < Int128(Int64.max) * 1_000_000_000 else {
            // Rounding towards zero is rounding up here.
            return attoseconds > 0 ? .max : Int64(clamping: attoseconds / 1_000_000_000)
        }
        // 128 bits are divided by a function. With 10^9 = 2^9 * 5^9 what is left has 85 bits, two digits of 32 and more: divided on paper,
        // each digit costs a multiplication.
        let (left, divisor) = (attoseconds >> 9, UInt64(1_953_125))
        let high = UInt64(truncatingIfNeeded: left >> 32).quotientAndRemainder(dividingBy: divisor)
        let low = (high.remainder << 32 | UInt64(truncatingIfNeeded: left) & 0xFFFF_FFFF).quotientAndRemainder(
            dividingBy: divisor)
        let isExact = low.remainder == 0 && attoseconds & 511 == 0
        return Int64(high.quotient << 32 | low.quotient) + (isExact ? 0 : 1)
    }

    /// So many nanoseconds; the standard library's way takes a call and a check for overflow, which cannot happen.
    @inline(__always) init(exactly nanoseconds: Int64) {
        self.init(attoseconds: Int128(nanoseconds) &* 1_000_000_000)
    }
}

// A duration has 128 bits of attoseconds, 5.4 * 10^12 years, and the standard library traps where a sum needs more. What users give us is
// bounded first, by far more than the 292 years that a deadline can lie ahead.

extension Duration {
    /// 10,000 years, and as many before.
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
