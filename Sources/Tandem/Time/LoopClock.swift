// SPDX-License-Identifier: Apache-2.0
// LoopClock: the loop's time as plain nanoseconds, and the way to and from Swift's instants.
// Idea:   the heap, the backend and the kernel count in Int64 nanoseconds; only the public interface speaks of instants.
// Owner:  immutable; any thread.

import CLinux

/// A point in the loop's time, in nanoseconds. `Int64.max` is never.
typealias Nanoseconds = Int64

extension Nanoseconds {
    static let never = Int64.max
}

struct LoopClock: Sendable {
    private let source: (any TimeSource)?
    private let epoch: ContinuousClock.Instant
    private let epochNanoseconds: Nanoseconds

    init(source: (any TimeSource)?) {
        self.source = source
        // The instant is read first: the pair can only be off in the direction that makes a timer late, never early.
        epoch = source?.now ?? ContinuousClock.now
        epochNanoseconds = source == nil ? tandem_clock_nanoseconds() : 0
    }

    var isVirtual: Bool { source != nil }

    /// The loop's time.
    var now: Nanoseconds {
        guard let source else { return tandem_clock_nanoseconds() }
        return nanoseconds(at: source.now)
    }

    /// The machine's time, which measures budgets and latencies also when the loop's is virtual.
    static var machine: Nanoseconds { tandem_clock_nanoseconds() }

    func instant(at time: Nanoseconds) -> ContinuousClock.Instant {
        epoch.advanced(by: .nanoseconds(time - epochNanoseconds))
    }

    func nanoseconds(at instant: ContinuousClock.Instant) -> Nanoseconds {
        epochNanoseconds.addingClamped(epoch.duration(to: instant).nanosecondsRoundedUp)
    }
}

extension Nanoseconds {
    /// The sum, or the nearest end of the range where it does not fit.
    func addingClamped(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other > 0 ? .max : .min) : sum
    }
}

extension Duration {
    /// Whole nanoseconds, rounded up so that no deadline is early; clamped to what 64 bits hold (292 years).
    package var nanosecondsRoundedUp: Int64 {
        let (seconds, attoseconds) = components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds > 0 ? .max : .min }
        let part = attoseconds / 1_000_000_000
        return whole.addingClamped(part + (attoseconds > part * 1_000_000_000 ? 1 : 0))
    }
}
