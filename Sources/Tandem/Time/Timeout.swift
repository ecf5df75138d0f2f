// SPDX-License-Identifier: Apache-2.0
// Timeout: an operation with a limit of time.
// Idea:   the limit only cancels; the operation decides what comes of that. What it has taken from the kernel when its cancellation
//         arrives is in its value, and would be lost with it. Both children are their caller's actor's, where there is one: no wait of
//         theirs goes by way of the pool.
// Breaks: who takes the first child that ends drops a connection or a message whenever both end in one tick.

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
/// The operation is always awaited: when this returns, nothing of it runs any more. A value that it returns is returned, also if the limit
/// had passed by then or the calling task was cancelled: what it has read or accepted is not lost. It runs in its caller's isolation. For the
/// clock of a loop there is ``GuestLoop/withTimeout(_:fileID:line:isolation:_:)``.
///
/// - Throws: `TimeoutError`, which says which limit and where, if the operation ended with `CancellationError` since the limit had passed;
///   any other error of the operation; `CancellationError` if the calling task is cancelled.
public func withTimeout<Value: Sendable, C: Clock>(
    _ limit: Duration, clock: C, fileID: StaticString = #fileID, line: UInt = #line,
    isolation: isolated (any Actor)? = #isolation,
    // Underscored, as in the standard library's `Task.init`: the operation belongs to the caller's actor.
    @_inheritActorContext @_implicitSelfCapture _ operation: @escaping @Sendable () async throws -> Value
) async throws -> Value where C.Duration == Duration {
    try await race(
        operation, until: clock.now.advancedClamped(by: limit), clock, limit, CallSite(fileID: fileID, line: line),
        isolation: isolation)
}

/// Runs `operation`, and cancels it when `clock` reaches `deadline`. As ``withTimeout(_:clock:fileID:line:isolation:_:)``.
public func withDeadline<Value: Sendable, C: Clock>(
    _ deadline: C.Instant, clock: C, fileID: StaticString = #fileID, line: UInt = #line,
    isolation: isolated (any Actor)? = #isolation,
    @_inheritActorContext @_implicitSelfCapture _ operation: @escaping @Sendable () async throws -> Value
) async throws -> Value where C.Duration == Duration {
    try await race(
        operation, until: deadline, clock, clock.now.durationClamped(to: deadline),
        CallSite(fileID: fileID, line: line),
        isolation: isolation)
}

extension GuestLoop {
    /// Runs `operation`, and cancels it when `limit` has passed on the loop's clock. As ``withTimeout(_:clock:fileID:line:isolation:_:)``.
    ///
    /// ```swift
    /// let line = try await loop.withTimeout(.seconds(3)) { try await stream.readLine() }
    /// ```
    public func withTimeout<Value: Sendable>(
        _ limit: Duration, fileID: StaticString = #fileID, line: UInt = #line,
        isolation: isolated (any Actor)? = #isolation,
        @_inheritActorContext @_implicitSelfCapture _ operation: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await race(
            operation, until: now.advancedClamped(by: limit), clock, limit,
            CallSite(fileID: fileID, line: line), isolation: isolation)
    }

    /// Runs `operation`, and cancels it when the loop's clock reaches `deadline`. As ``withTimeout(_:clock:fileID:line:isolation:_:)``.
    public func withDeadline<Value: Sendable>(
        _ deadline: ContinuousClock.Instant, fileID: StaticString = #fileID, line: UInt = #line,
        isolation: isolated (any Actor)? = #isolation,
        @_inheritActorContext @_implicitSelfCapture _ operation: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await race(
            operation, until: deadline, clock, now.duration(to: deadline), CallSite(fileID: fileID, line: line),
            isolation: isolation)
    }
}

/// A sleep with its caller's place, where the clock is one of ours.
private func sleep<C: Clock>(
    on clock: C, until deadline: C.Instant, _ site: CallSite, isolation: isolated (any Actor)?
) async throws {
    if let clock = clock as? GuestClock, let deadline = deadline as? GuestClock.Instant {
        try await clock.sleep(until: deadline, nil, site)
    } else if let clock = clock as? GameClock, let deadline = deadline as? GameClock.Instant {
        try await clock.sleep(until: deadline, nil, site)
    } else {
        try await clock.sleep(until: deadline, tolerance: nil)
    }
}

private enum RaceStep<Value: Sendable>: Sendable {
    case operationEnded(Result<Value, any Error>)
    /// With an error: the sleep was cancelled, or its clock has ended.
    case sleepEnded((any Error)?)
}

private func race<Value: Sendable, C: Clock>(
    _ operation: @escaping @Sendable () async throws -> Value, until deadline: C.Instant, _ clock: C, _ limit: Duration,
    _ site: CallSite, isolation: isolated (any Actor)?
) async throws -> Value where C.Duration == Duration {
    let result = await withTaskGroup(
        of: RaceStep<Value>.self, returning: Result<Value, any Error>.self, isolation: isolation
    ) { group in
        // Who names the isolation belongs to it, and starts there.
        group.addTask {
            _ = isolation
            do { return .operationEnded(.success(try await operation())) } catch {
                return .operationEnded(.failure(error))
            }
        }
        group.addTask {
            do {
                try await sleep(on: clock, until: deadline, site, isolation: isolation)
                return .sleepEnded(nil)
            } catch {
                return .sleepEnded(error)
            }
        }
        // The group awaits the sleep before it returns.
        defer { group.cancelAll() }
        var endOfSleep: (any Error)?
        while let step = await group.next(isolation: isolation) {
            switch step {
            case .sleepEnded(let error):
                endOfSleep = error ?? TimeoutError(limit: limit, site: site)
                group.cancelAll()
            case .operationEnded(.failure(is CancellationError)):
                return .failure(endOfSleep ?? CancellationError())
            case .operationEnded(let result):
                return result
            }
        }
        fatalError("the task group of a limit of time ended without its operation, which is one of its two children")
    }
    return try result.get()
}
