// SPDX-License-Identifier: Apache-2.0
// Scenes: the loop's scenes, for code on the main actor.
// Owner:  the main thread.

public import Tandem

extension SDLGuest {
    /// Runs `body` with a scene on the main actor, and returns when the body and everything that was started in the scene have ended. See
    /// `GuestLoop.withScene`.
    public func withScene<Value: Sendable>(
        grace: Duration? = nil, fileID: StaticString = #fileID, line: UInt = #line,
        @_implicitSelfCapture _ body: @escaping @MainActor (GuestScene) async throws -> Value
    ) async throws -> Value {
        try await loop.withScene(grace: grace, fileID: fileID, line: line, body)
    }
}
