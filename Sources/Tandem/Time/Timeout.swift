// SPDX-License-Identifier: Apache-2.0
// Timeout: an operation with a time limit.
// Idea:   when the limit has passed, the operation is cancelled, and it decides what it returns. If it has already
//         taken something from the kernel when the cancellation arrives, that is in its value and must not be dropped.
//         Both child tasks run in their caller's isolation, if there is one, so that no wait of theirs goes through
//         Swift's pool of threads.
// Breaks: if the first child that ends decided, a connection or a message would be dropped whenever both end in one
//         tick.

/// Thrown when the operation was cancelled because its limit had passed.
public struct TimeoutError: Error, Sendable, CustomStringConvertible {
    /// How long the operation was allowed to take, at the time of the call.
    public let limit: Duration
    /// Where the limit was set.
    public let site: CallSite

    /// The limit and the place.
    public var description: String { "the operation did not end within \(limit), the limit set at \(site)" }
}

/// Runs `operation`, and cancels it when `limit` has passed on `clock`.
///
/// The operation is always awaited: when this returns, no part of it runs any more. A value that it returns is
/// returned, even if the limit had passed by then or the calling task was cancelled, so that nothing that it has read
/// or accepted is lost. It runs in its caller's isolation. For a loop's clock there is
/// ``GuestLoop/withTimeout(_:fileID:line:isolation:_:)``.
///
/// - Throws: `TimeoutError`, which says which limit and where, if the operation ended with `CancellationError` since
///   the limit had passed; any other error of the operation; `CancellationError` if the calling task is cancelled.
public func withTimeout<Value: Sendable, C: Clock>(
    _ limit: Duration, clock: C, fileID: StaticString = #fileID, line: UInt = #line,
    isolation: isolated (any Actor)? = #isolation,
    // An attribute with an underscore, as in the standard library's `Task.init`: the operation runs on the caller's
    // actor.
    @_inheritActorContext @_implicitSelfCapture _ operation: @escaping @Sendable () async throws -> Value
) async throws -> Value where C.Duration == Duration {
    try await race(
        operation, until: clock.now.advancedClamped(by: limit), clock, limit, CallSite(fileID: fileID, line: line),
        isolation: isolation)
}

/// Runs `operation`, and cancels it when `clock` reaches `deadline`. As
/// ``withTimeout(_:clock:fileID:line:isolation:_:)``.
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
    /// Runs `operation`, and cancels it when `limit` has passed on the loop's clock. As
    /// ``withTimeout(_:clock:fileID:line:isolation:_:)``.
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

    /// Runs `operation`, and cancels it when the loop's clock reaches `deadline`. As
    /// ``withTimeout(_:clock:fileID:line:isolation:_:)``.
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

/// A sleep that is given its caller's place for reports, if the clock is one of Tandem's.
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
    /// With an error, if the sleep was cancelled or its clock's loop has ended.
    case sleepEnded((any Error)?)
}

private func race<Value: Sendable, C: Clock>(
    _ operation: @escaping @Sendable () async throws -> Value, until deadline: C.Instant, _ clock: C, _ limit: Duration,
    _ site: CallSite, isolation: isolated (any Actor)?
) async throws -> Value where C.Duration == Duration {
    let result = await withTaskGroup(
        of: RaceStep<Value>.self, returning: Result<Value, any Error>.self, isolation: isolation
    ) { group in
        // A closure that mentions the isolation runs in it from its start.
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
