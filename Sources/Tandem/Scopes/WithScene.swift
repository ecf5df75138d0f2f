// SPDX-License-Identifier: Apache-2.0
// WithScene: runs a part of a game whose tasks, callbacks and watches all end together.
// Idea:   `withScene` returns only when everything that was started in the scene has ended, so that no task, timer or
//         watch of one scene is left when the next begins.
// Owner:  the UI thread.
// Breaks: a child that ignores its cancellation would stop the game for ever. So the wait for it ends after the grace
//         period.

extension GuestLoop {
    /// Runs `body` with a scene, and returns when the body and everything that was started in the scene have ended.
    ///
    /// ```swift
    /// let score = try await loop.withScene { scene in
    ///     scene.task { try await spawnDrones(scene.clock) }    // cancelled and awaited with the scene
    ///     scene.callLater(.seconds(60)) { scene.end() }
    ///     return try await play()
    /// }
    /// ```
    ///
    /// A scene ends when its body does, when ``GuestScene/end()`` is called, when a child throws an error, when the
    /// task that awaits it is cancelled, or when the loop closes. Then its callbacks and watches are cancelled, and its
    /// tasks are cancelled, the youngest first and the body last, and awaited. A task that has not ended within the
    /// grace period is named in the log, with the place where it was started, and given up: it goes on unsupervised,
    /// and its outcome is ignored. In virtual time the grace period is virtual, too.
    ///
    /// To tell a scene that was ended from inside from a cancelled caller, write `catch is CancellationError where
    /// !Task.isCancelled`.
    ///
    /// Scenes can be nested: an outer one ends after the inner ones, and its grace period begins anew when one of them
    /// has ended.
    ///
    /// - Parameters:
    ///   - grace: How long cancelled tasks may take; `nil`: ``Configuration/sceneGrace``.
    ///   - fileID: The caller's file, for reports.
    ///   - line: The caller's line, for reports.
    ///   - body: Runs in the caller's isolation, as a task of its own, so that the scene can cancel it.
    /// - Returns: What the body returned, even if it was cancelled before.
    /// - Throws: The first error of a child that was started by ``GuestScene/task(fileID:line:_:)``; otherwise what the
    ///   body threw, usually `CancellationError` if the scene was not ended by the body itself. `.abandoned` if the
    ///   body did not end within the grace period. At once: `.closed` or `.backendFailed` if the loop is in that state,
    ///   `CancellationError` in a cancelled task.
    public func withScene<Value: Sendable>(
        grace: Duration? = nil, fileID: StaticString = #fileID, line: UInt = #line,
        // An attribute with an underscore, as in the standard library's `Task.init`: the body runs on the caller's
        // actor.
        @_inheritActorContext @_implicitSelfCapture _ body: @escaping @Sendable (GuestScene) async throws -> Value
    ) async throws -> Value {
        try Task.checkCancellation()
        try admission.admit("GuestLoop.withScene")
        let scene = GuestScene(
            loop: self, grace: grace ?? configuration.sceneGrace, site: CallSite(fileID: fileID, line: line))
        var outcome: Result<Value, any Error>?
        _ = scene.start(fileID, line, { try await body(scene) }) { result in
            outcome = result
            scene.end()
        }
        await waitForEnd(of: scene, isolation: #isolation)
        if let error = scene.error { throw error }
        return try outcome!.get()
    }

    /// A cancellation does not end this wait: it ends the scene, and the end of the scene ends this.
    private func waitForEnd(of scene: GuestScene, isolation: isolated (any Actor)?) async {
        await withTaskCancellationHandler(
            operation: {
                _ = isolation
                // Safe without checks: a scene has one outcome, within its grace period or at its loop's end, and
                // resumes the continuation then.
                await withUnsafeContinuation(isolation: isolation) { continuation in
                    scene.whenEnded { self.resuming(isolation) { continuation.resume() } }
                }
            }, onCancel: { scene.endFromAnyThread() }, isolation: isolation)
    }
}
