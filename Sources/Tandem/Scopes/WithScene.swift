// SPDX-License-Identifier: Apache-2.0
// WithScene: the part of a game that begins and ends as one.
// Idea:   whoever awaits `withScene` goes on only when all that was started in the scene has ended, so that no task, timer or watch of
//         one scene lives to see the next.
// Owner:  the UI thread.
// Breaks: a child that ignores its cancellation would hold the game for ever; the grace period ends that wait.

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
    /// A scene ends when its body does, when ``Scene/end()`` is called, when a child fails, when the task that awaits it is cancelled, or
    /// when the loop closes. Then its callbacks and watches are called off and its tasks cancelled, the youngest first and the
    /// body last, and awaited. What has not ended within the grace period is named in the log with the place where it was
    /// started, and given up: it goes on unsupervised, and its outcome is ignored. In virtual time the grace is virtual, too.
    ///
    /// A scene that was ended from inside is told from a cancelled caller by `catch is CancellationError where !Task.isCancelled`.
    ///
    /// Scenes nest: an outer one ends after the ones inside, and its grace period begins anew when one of them has ended.
    ///
    /// - Parameters:
    ///   - grace: How long cancelled tasks may take; `nil`: ``Configuration/sceneGrace``.
    ///   - fileID: The caller's file, for reports.
    ///   - line: The caller's line, for reports.
    ///   - body: Runs in the caller's isolation, as a task of its own, so that the scene can cancel it.
    /// - Returns: What the body returned, also if it did so after its cancellation.
    /// - Throws: The first error of a child that was started by ``Scene/task(fileID:line:_:)``; else what the body threw:
    ///   `CancellationError` as a rule, if the scene was ended from outside of it. `.abandoned` if the body did not end within the grace
    ///   period. At once: `.closed` or `.backendFailed` on such a loop, `CancellationError` in a cancelled task.
    public func withScene<Value: Sendable>(
        grace: Duration? = nil, fileID: StaticString = #fileID, line: UInt = #line,
        // Underscored, as in the standard library's `Task.init`: the body belongs to the caller's actor.
        @_inheritActorContext @_implicitSelfCapture _ body: @escaping @Sendable (Scene) async throws -> Value
    ) async throws -> Value {
        try Task.checkCancellation()
        try admission.admit("GuestLoop.withScene")
        let scene = Scene(
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

    /// Not to be ended by a cancellation: that ends the scene, which ends this.
    private func waitForEnd(of scene: Scene, isolation: isolated (any Actor)?) async {
        await withTaskCancellationHandler(
            operation: {
                _ = isolation
                // Safe without checks: a scene settles once, within its grace period or with its loop.
                await withUnsafeContinuation(isolation: isolation) { continuation in
                    scene.whenSettled { self.resuming(isolation) { continuation.resume() } }
                }
            }, onCancel: { scene.endFromAnyThread() }, isolation: isolation)
    }
}
