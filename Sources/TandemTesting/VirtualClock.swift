// SPDX-License-Identifier: Apache-2.0
// VirtualClock: time that stands still until it is moved.
// Owner:  any thread may read; whoever drives the loop moves it.

import CTandemTesting
import Synchronization
public import Tandem

/// A source of time that moves only when told to, so that ten minutes of timers take as long as their callbacks.
///
/// Give it to a loop in its configuration's `timeSource`, and tick the loop after each ``advance(by:)``.
public final class VirtualClock: TimeSource {
    // A fixed origin would tie instants of two clocks together; any real instant will do.
    private let origin = ContinuousClock.now
    private let elapsedNanoseconds = Atomic<Int64>(0)
    /// After 292 years its time ends, and stands still.
    static let end = Duration.nanoseconds(Int64.max)

    /// A clock at its origin.
    public init() {}

    /// The present of this clock.
    public var now: ContinuousClock.Instant { origin.advanced(by: elapsed) }

    /// How far it has been moved since it was made.
    public var elapsed: Duration { .nanoseconds(elapsedNanoseconds.load(ordering: .acquiring)) }

    /// Moves the present forward. A negative duration traps: time never goes backwards.
    public func advance(by duration: Duration) {
        require(duration >= .zero, "VirtualClock.advance(by:) was given \(duration); time only goes forward")
        var before = elapsedNanoseconds.load(ordering: .acquiring)
        while true {
            let (sum, overflow) = before.addingReportingOverflow(duration.nanosecondsRoundedUp)
            let (isSet, found) = elapsedNanoseconds.compareExchange(
                expected: before, desired: overflow ? .max : sum, ordering: .acquiringAndReleasing)
            if isSet { break }
            before = found
        }
        if tandem_virtual_time_is_shown() { show() }
    }

    /// While simulated code runs the calling thread sees this clock wherever it asks for the time: `ContinuousClock.now`, `Date()`, the
    /// beginning of a `Task.sleep`.
    func show() {
        tandem_virtual_time_show(
            ContinuousClock().systemEpoch.duration(to: now).nanosecondsRoundedUp, elapsed.nanosecondsRoundedUp)
    }

    /// The calling thread sees the machine's clocks again.
    func hide() { tandem_virtual_time_hide() }

    /// The calling thread sees the machine's clocks in `body`, and afterwards what it saw before.
    func whileHidden(_ body: () -> Void) {
        let wasShown = tandem_virtual_time_is_shown()
        hide()
        body()
        if wasShown { show() }
    }

    /// Moves the present to `instant` if that lies ahead.
    public func advance(to instant: ContinuousClock.Instant) {
        let difference = now.durationClamped(to: instant)
        if difference > .zero { advance(by: difference) }
    }
}
