// SPDX-License-Identifier: Apache-2.0
// GuestClock: the loop's time as a Swift `Clock`.
// Owner:  any thread; a sleep that starts on the UI thread stays on it.

/// The loop's clock: its sleeps are timers on the loop.
///
/// ```swift
/// try await loop.clock.sleep(for: .seconds(1))
/// try await Task.sleep(for: .seconds(1), clock: loop.clock)
/// ```
public struct GuestClock: Clock {
    /// Instants are the continuous clock's, also where the loop's time is virtual.
    public typealias Instant = ContinuousClock.Instant

    let loop: GuestLoop

    /// The loop's present.
    public var now: Instant { loop.now }

    /// One nanosecond: what the kernel's timeouts count in.
    public var minimumResolution: Duration { .nanoseconds(1) }

    /// Suspends until `deadline`, never less; a tolerance is permission to be late, which the loop does not need.
    ///
    /// From the UI thread the sleep is a timer and nothing else. Generic code of the standard library may call from another
    /// thread; then it goes through the inbox.
    ///
    /// - Throws: `CancellationError` at once when the task is cancelled; `.closed` when the loop ends.
    public func sleep(until deadline: Instant, tolerance: Duration? = nil) async throws {
        let loop = loop
        let site = CallSite()
        try await loop.waitFromAnywhere(isolation: #isolation) { waiter in
            let handle = loop.arm(.resume(waiter), loop.time.nanoseconds(at: deadline), true, site)
            return { handle.cancel() }
        }
    }

    /// As ``sleep(until:tolerance:)``, counted from now.
    public func sleep(for duration: Duration, tolerance: Duration? = nil) async throws {
        try await sleep(until: now.advanced(by: duration), tolerance: tolerance)
    }
}

extension GuestLoop {
    /// The loop's time as a Swift `Clock`. Any thread.
    public var clock: GuestClock { GuestClock(loop: self) }
}
