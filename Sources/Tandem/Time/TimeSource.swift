// SPDX-License-Identifier: Apache-2.0
// TimeSource: where a loop's time comes from when it is not the machine's clock.

/// A source of time for a loop. `TandemTesting` has a virtual one that jumps.
///
/// A loop on such a source never lets the backend sleep until a deadline, since a deadline in virtual time says nothing about the
/// kernel's; whoever moves the time ticks the loop.
public protocol TimeSource: Sendable {
    /// The present. Never goes backwards.
    var now: ContinuousClock.Instant { get }

    /// Whether the time is moved by hand. `false` for a source that passes on the machine's clock. By default `true`.
    var isVirtual: Bool { get }

    /// Moves the present to `instant`, if that lies ahead. Called on the UI thread by a host that would otherwise sleep until then.
    func advance(to instant: ContinuousClock.Instant)
}

extension TimeSource {
    /// Moved by hand.
    public var isVirtual: Bool { true }
}

extension GuestLoop {
    /// What the loop was made with; for those who drive it.
    package var configurationTimeSource: (any TimeSource)? { configuration.timeSource }

    /// UI thread: where time is virtual, a wait until `end` (`nil`: for ever) is a jump to the nearest deadline or to the end, whichever comes
    /// first. `false` where time is the machine's, or where there is work or nothing to jump to.
    package func skipsTime(until end: ContinuousClock.Instant?) -> Bool {
        guard let source = configuration.timeSource, source.isVirtual, !hasWork else { return false }
        guard let target = [end, nextDeadline].compactMap({ $0 }).min() else { return false }
        source.advance(to: target)
        return true
    }
}
