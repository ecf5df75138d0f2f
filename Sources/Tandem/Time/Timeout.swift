// SPDX-License-Identifier: Apache-2.0
// Timeout: a race of an operation with a clock, whose loser is cancelled and awaited.

/// Thrown when the clock won.
public struct TimeoutError: Error, Sendable, CustomStringConvertible {
    /// How long the operation was given, at the time of the call.
    public let limit: Duration
    /// Where the deadline was set.
    public let site: CallSite

    /// The limit and the place.
    public var description: String { "the operation did not end within \(limit), the limit set at \(site)" }
}

/// Runs `operation`, and cancels it when `limit` has passed on `clock`.
///
/// Whoever loses is cancelled and awaited: when this returns, neither runs any more. An operation that ends in spite of its cancellation
/// has won if its value came first.
///
/// - Throws: `TimeoutError`, which says which limit and where; what the operation throws; `CancellationError` if the calling task is cancelled.
public func withTimeout<Value: Sendable, C: Clock>(
    _ limit: Duration, clock: C, fileID: StaticString = #fileID, line: UInt = #line,
    isolation: isolated (any Actor)? = #isolation,
    _ operation: @escaping @Sendable () async throws -> Value
) async throws -> Value where C.Duration == Duration {
    try await race(
        operation, until: clock.now.advanced(by: limit), clock, limit, CallSite(fileID: fileID, line: line),
        isolation: isolation)
}

/// Runs `operation`, and cancels it when `clock` reaches `deadline`. As ``withTimeout(_:clock:fileID:line:isolation:_:)``.
public func withDeadline<Value: Sendable, C: Clock>(
    _ deadline: C.Instant, clock: C, fileID: StaticString = #fileID, line: UInt = #line,
    isolation: isolated (any Actor)? = #isolation,
    _ operation: @escaping @Sendable () async throws -> Value
) async throws -> Value where C.Duration == Duration {
    try await race(
        operation, until: deadline, clock, clock.now.duration(to: deadline), CallSite(fileID: fileID, line: line),
        isolation: isolation)
}

private func race<Value: Sendable, C: Clock>(
    _ operation: @escaping @Sendable () async throws -> Value, until deadline: C.Instant, _ clock: C, _ limit: Duration,
    _ site: CallSite, isolation: isolated (any Actor)?
) async throws -> Value where C.Duration == Duration {
    try await withThrowingTaskGroup(of: Value?.self, isolation: isolation) { group in
        group.addTask { try await operation() }
        group.addTask {
            try await clock.sleep(until: deadline, tolerance: nil)
            return nil
        }
        // The group awaits the loser before it returns.
        defer { group.cancelAll() }
        guard let first = try await group.next(), let value = first else {
            throw TimeoutError(limit: limit, site: site)
        }
        return value
    }
}
