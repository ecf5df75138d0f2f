// SPDX-License-Identifier: Apache-2.0
// ManualHost: a host that does nothing by itself: it writes down what the loop asks of it, and ticks when it is told to.
// Owner:  requests come on any thread and stand under a semaphore and atomics; the rest is the UI thread's.

import Synchronization
public import Tandem

/// A host for tests: it records requests for ticks and ticks by hand, on the thread that made it.
///
/// ```swift
/// let host = ManualHost()
/// let loop = try host.makeLoop()
/// loop.callSoon { print("in the next tick") }
/// host.tick()
/// ```
public final class ManualHost: GuestHost, @unchecked Sendable {
    // Safe to send: `requestTick` touches only atomics and the semaphore; every other call checks the thread.

    private let requestCount = Atomic<Int>(0)
    private let isRequested = Atomic<Bool>(false)
    private let overlapCount = Atomic<Int>(0)
    private let isRefusing = Atomic<Bool>(false)
    private let arrivals = Semaphore()
    /// The loop that ``makeLoop(configuration:fileID:line:)`` made; traps before that.
    public var loop: GuestLoop { made! }
    private var made: GuestLoop?

    /// A host without a loop.
    public init() {}

    /// Makes the loop that this host ticks, on the calling thread. Once per host.
    public func makeLoop(
        configuration: Configuration = .init(), fileID: StaticString = #fileID, line: UInt = #line
    ) throws(GuestError) -> GuestLoop {
        require(made == nil, "ManualHost.makeLoop was called twice; a host has one loop")
        let loop = try GuestLoop(host: self, configuration: configuration, fileID: fileID, line: line)
        made = loop
        return loop
    }

    /// Requests that came, refused ones included.
    public var requests: Int { requestCount.load(ordering: .acquiring) }
    /// Requests that came while one was under way: only such as were on their way when a tick began.
    public var overlappingRequests: Int { overlapCount.load(ordering: .acquiring) }
    /// True from a request until the next ``tick(budget:)``.
    public var hasRequest: Bool { isRequested.load(ordering: .acquiring) }
    /// While set, requests are refused, as by a full event queue.
    public var refusesRequests: Bool {
        get { isRefusing.load(ordering: .acquiring) }
        set { isRefusing.store(newValue, ordering: .releasing) }
    }

    /// Called by the loop, on any thread.
    public func requestTick() -> Bool {
        requestCount.add(1, ordering: .acquiringAndReleasing)
        if isRefusing.load(ordering: .acquiring) { return false }
        if isRequested.exchange(true, ordering: .acquiringAndReleasing) {
            overlapCount.add(1, ordering: .acquiringAndReleasing)
        }
        arrivals.signal()
        return true
    }

    /// One tick. The loop traps if this is not the thread that made it.
    @discardableResult
    public func tick(budget: Duration? = nil) -> TickReport {
        isRequested.store(false, ordering: .releasing)
        return loop.tick(budget: budget)
    }

    /// Sleeps until a request arrives that no tick has answered; `false` if `limit` passed without one.
    public func waitForRequest(within limit: Duration = .seconds(20)) -> Bool {
        let end = ContinuousClock.now.advancedClamped(by: limit)
        while !hasRequest {
            let left = ContinuousClock.now.duration(to: end)
            // An older arrival may stand in the semaphore, answered already: look again after each.
            guard left > .zero, arrivals.wait(for: left) else { return hasRequest }
        }
        return true
    }

    /// A host at work: sleeps until asked, ticks, and again, until `condition` holds. `false` if `limit` passed first.
    public func run(within limit: Duration = .seconds(20), until condition: () -> Bool) -> Bool {
        let end = ContinuousClock.now.advancedClamped(by: limit)
        while !condition() {
            let left = ContinuousClock.now.duration(to: end)
            guard left > .zero else { return false }
            // Looked at before each sleep: a refused request leaves work without a wake.
            if loop.hasWork || waitForRequest(within: left) { tick() }
        }
        return true
    }
}
