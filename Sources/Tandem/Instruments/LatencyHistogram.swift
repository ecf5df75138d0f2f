// SPDX-License-Identifier: Apache-2.0
// LatencyHistogram: percentiles in a fixed 2.5 KB.
// Idea:   eight buckets for each power of two, so that a value is right to an eighth at every scale. This is the
//         log-linear layout of Gil Tene's HdrHistogram, at its coarsest.
// Owner:  a value; whoever holds it.

/// A histogram of durations, in buckets that are an eighth of their value wide.
public struct LatencyHistogram: Sendable {
    private static let powers = 40
    private var buckets = InlineArray<320, UInt64>(repeating: 0)
    /// How many durations were recorded.
    public private(set) var count: UInt64 = 0
    /// The longest.
    public var max: Duration { Duration(exactly: longest) }

    /// An empty histogram.
    public init() {}

    /// Adds one or several durations, in nanoseconds. O(1), allocates nothing.
    mutating func record(_ nanoseconds: Int64, times: Int = 1) {
        let value = UInt64(Swift.max(0, nanoseconds))
        buckets[Self.index(of: value)] += UInt64(times)
        count += UInt64(times)
        if nanoseconds > longest { longest = nanoseconds }
    }

    private var longest: Int64 = 0

    /// The duration that `fraction` (0…1) of the recorded ones did not exceed; zero if none was recorded. At most an
    /// eighth too large.
    public func percentile(_ fraction: Double) -> Duration {
        guard count > 0 else { return .zero }
        let wanted = UInt64((Double(count) * fraction).rounded(.up))
        var seen: UInt64 = 0
        for index in 0..<(Self.powers * 8) {
            seen += buckets[index]
            if seen >= wanted { return Swift.min(.nanoseconds(Self.upperBound(of: index)), max) }
        }
        return max
    }

    /// The median.
    public var p50: Duration { percentile(0.5) }
    /// The duration that 99 of 100 did not exceed.
    public var p99: Duration { percentile(0.99) }

    static func index(of value: UInt64) -> Int {
        if value < 16 { return Int(value) }
        let power = 63 - value.leadingZeroBitCount
        let step = Int((value >> (power - 3)) & 7)
        return Swift.min((power - 2) * 8 + step, powers * 8 - 1)
    }

    static func upperBound(of index: Int) -> Int64 {
        if index < 16 { return Int64(index) }
        let power = index / 8 + 2
        return (Int64(index % 8 + 9) << (power - 3)) - 1
    }
}
