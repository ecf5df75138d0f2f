// SPDX-License-Identifier: Apache-2.0
// Timeouts: limits of time on the guest's clock, for code on the main actor.
// Owner:  the main thread.

extension SDLGuest {
    /// Runs `operation` on the main actor, and cancels it when `limit` has passed on the loop's clock. See `GuestLoop.withTimeout`.
    public func withTimeout<Value: Sendable>(
        _ limit: Duration, fileID: StaticString = #fileID, line: UInt = #line,
        @_implicitSelfCapture _ operation: @escaping @MainActor () async throws -> Value
    ) async throws -> Value {
        try await loop.withTimeout(limit, fileID: fileID, line: line, operation)
    }

    /// Runs `operation` on the main actor, and cancels it when the loop's clock reaches `deadline`. See `GuestLoop.withDeadline`.
    public func withDeadline<Value: Sendable>(
        _ deadline: ContinuousClock.Instant, fileID: StaticString = #fileID, line: UInt = #line,
        @_implicitSelfCapture _ operation: @escaping @MainActor () async throws -> Value
    ) async throws -> Value {
        try await loop.withDeadline(deadline, fileID: fileID, line: line, operation)
    }
}
