// SPDX-License-Identifier: Apache-2.0
// GuestClock: the loop's time as a Swift `Clock`.
// Owner:  any thread. A sleep that starts on the UI thread stays on it.

/// The loop's clock: its sleeps are timers on the loop.
///
/// ```swift
/// try await loop.clock.sleep(for: .seconds(1))
/// try await Task.sleep(for: .seconds(1), clock: loop.clock)
/// ```
public struct GuestClock: Clock {
    /// The instants of `ContinuousClock`, also where the loop's time is virtual.
    public typealias Instant = ContinuousClock.Instant

    let loop: GuestLoop

    /// The loop's present time. Any thread.
    public var now: Instant { loop.now }

    /// One nanosecond, the unit of the kernel's timeouts.
    public var minimumResolution: Duration { .nanoseconds(1) }

    /// Suspends until `deadline`; never returns earlier. With a tolerance it may return later, by at most the
    /// tolerance, together with other sleepers that have one, so that an idle game wakes less often.
    ///
    /// On the UI thread the sleep sets a timer and does nothing else. Generic code of the standard library may call on
    /// another thread; the sleep is then sent to the UI thread through the inbox.
    ///
    /// - Throws: `CancellationError` at once when the task is cancelled; `.closed` when the loop ends.
    @_disfavoredOverload
    public func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        // Generic code calls this overload, without a place for reports. A call by name uses the other overload, which
        // has one.
        try await sleep(until: deadline, tolerance, .unknown)
    }

    /// As ``sleep(until:tolerance:)``, with the caller's place for reports.
    public func sleep(
        until deadline: Instant, tolerance: Duration? = nil, fileID: StaticString = #fileID, line: UInt = #line
    ) async throws {
        try await sleep(until: deadline, tolerance, CallSite(fileID: fileID, line: line))
    }

    func sleep(until deadline: Instant, _ tolerance: Duration?, _ site: CallSite) async throws {
        let loop = loop
        let deadline = loop.time.nanoseconds(at: deadline).coalesced(within: tolerance)
        try await loop.waitFromAnywhere { waiter in
            .timer(loop.arm(.resume(waiter), deadline, site))
        }
    }

    /// As ``sleep(until:tolerance:)``, counted from now.
    public func sleep(
        for duration: Duration, tolerance: Duration? = nil, fileID: StaticString = #fileID, line: UInt = #line
    ) async throws {
        try await sleep(until: now.advancedClamped(by: duration), tolerance, CallSite(fileID: fileID, line: line))
    }
}

extension GuestLoop {
    /// The loop's time as a Swift `Clock`. Any thread.
    public var clock: GuestClock { GuestClock(loop: self) }
}
