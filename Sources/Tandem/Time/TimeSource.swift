// SPDX-License-Identifier: Apache-2.0
// TimeSource: where a loop's time comes from when it is not the machine's clock.

/// A source of time for a loop. `TandemTesting` has a virtual one that jumps.
///
/// A loop on such a source never lets the backend sleep until a deadline, since a deadline in virtual time says nothing about the
/// kernel's; whoever moves the time ticks the loop.
public protocol TimeSource: Sendable {
    /// The present. Never goes backwards.
    var now: ContinuousClock.Instant { get }
}
