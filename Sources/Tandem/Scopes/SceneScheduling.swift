// SPDX-License-Identifier: Apache-2.0
// SceneScheduling: starts tasks, callbacks and watches in a scene, as a loop does; the end of the scene cancels them.
// Owner:  the UI thread.

import Logging
public import SystemPackage

extension GuestScene {
    /// Starts a child task in the caller's isolation. The end of the scene cancels and awaits it. No code of it runs
    /// before this returns.
    ///
    /// An error that it throws ends the scene, and `withScene` throws it; of several errors the first. A
    /// `CancellationError` does not end the scene: that child has merely ended. An error that comes when the scene is
    /// ending anyway goes to the loop's error handler. To handle errors where they arise, catch them inside, or use
    /// ``run(fileID:line:_:onDone:)``.
    @discardableResult
    public func task(
        fileID: StaticString = #fileID, line: UInt = #line,
        // An attribute with an underscore, as in the standard library's `Task.init`: the child runs on the caller's
        // actor.
        @_inheritActorContext @_implicitSelfCapture _ operation: @escaping @Sendable () async throws -> Void
    ) -> GuestRun<Void> {
        run(fileID: fileID, line: line, operation) { [self] result in
            guard case .failure(let error) = result else { return }
            let site = CallSite(fileID: fileID, line: line)
            if error is CancellationError {
                // When the scene is ending, the child was asked to end in this way.
                if !isEnding { loop.configuration.logger.debug("the task started at \(site) was cancelled") }
                return
            }
            if fail(error) { return }
            let ends: [GuestError.Code] = [.closed, .abandoned, .backendFailed, .sceneEnded]
            if let error = error as? GuestError, ends.contains(error.code) { return }
            loop.report(error, .task, site)
        }
    }

    /// Starts a child task. The end of the scene cancels it. Its outcome, errors included, is passed to `onDone` and
    /// does not end the scene. Otherwise as ``GuestLoop/run(fileID:line:_:onDone:)``; the outcome is `.abandoned` if it
    /// did not end within the scene's grace period.
    @discardableResult
    public func run<Value: Sendable>(
        fileID: StaticString = #fileID, line: UInt = #line,
        @_inheritActorContext @_implicitSelfCapture _ operation: @escaping @Sendable () async throws -> Value,
        @_implicitSelfCapture onDone: @escaping (Result<Value, any Error>) -> Void
    ) -> GuestRun<Value> {
        let site = CallSite(fileID: fileID, line: line)
        guard admit("GuestScene.task or run", site) else {
            let run = GuestRun<Value>(site: site, began: LoopClock.machine, onDone: onDone)
            run.abandon(hasEnded)
            return run
        }
        return start(fileID, line, operation, onDone)
    }

    /// As ``GuestLoop/callSoon(fileID:line:_:)``; the end of the scene cancels it.
    @discardableResult
    public func callSoon(
        fileID: StaticString = #fileID, line: UInt = #line, _ body: @escaping () throws -> Void
    ) -> CallbackHandle {
        let site = CallSite(fileID: fileID, line: line)
        guard admit("GuestScene.callSoon", site) else { return .done }
        return callbacks.keep(loop.callSoon(fileID: fileID, line: line, body))
    }

    /// As ``GuestLoop/callLater(_:fileID:line:_:)``; the end of the scene cancels it. The delay is in the loop's time;
    /// for the scene's time sleep on ``clock``.
    @discardableResult
    public func callLater(
        _ delay: Duration, fileID: StaticString = #fileID, line: UInt = #line, _ body: @escaping () throws -> Void
    ) -> CallbackHandle {
        let site = CallSite(fileID: fileID, line: line)
        guard admit("GuestScene.callLater", site) else { return .done }
        return callbacks.keep(loop.callLater(delay, fileID: fileID, line: line, body))
    }

    /// As ``GuestLoop/callAt(_:fileID:line:_:)``; the end of the scene cancels it.
    @discardableResult
    public func callAt(
        _ deadline: ContinuousClock.Instant, fileID: StaticString = #fileID, line: UInt = #line,
        _ body: @escaping () throws -> Void
    ) -> CallbackHandle {
        let site = CallSite(fileID: fileID, line: line)
        guard admit("GuestScene.callAt", site) else { return .done }
        return callbacks.keep(loop.callAt(deadline, fileID: fileID, line: line, body))
    }

    /// As ``GuestLoop/whenReadable(_:fileID:line:_:)``; the end of the scene cancels it.
    ///
    /// - Throws: `.sceneEnded`, and as there.
    @discardableResult
    public func whenReadable(
        _ fd: FileDescriptor, fileID: StaticString = #fileID, line: UInt = #line, _ body: @escaping () throws -> Void
    ) throws(GuestError) -> IOHandle {
        guard admit("GuestScene.whenReadable", CallSite(fileID: fileID, line: line)) else { throw hasEnded }
        return watches.keep(try loop.whenReadable(fd, fileID: fileID, line: line, body))
    }

    /// As ``GuestLoop/whenWritable(_:fileID:line:_:)``; the end of the scene cancels it.
    ///
    /// - Throws: `.sceneEnded`, and as there.
    @discardableResult
    public func whenWritable(
        _ fd: FileDescriptor, fileID: StaticString = #fileID, line: UInt = #line, _ body: @escaping () throws -> Void
    ) throws(GuestError) -> IOHandle {
        guard admit("GuestScene.whenWritable", CallSite(fileID: fileID, line: line)) else { throw hasEnded }
        return watches.keep(try loop.whenWritable(fd, fileID: fileID, line: line, body))
    }

    /// As ``GuestSocket/whenReadable(fileID:line:_:)``; the end of the scene cancels it.
    ///
    /// - Throws: `.sceneEnded`, and as there.
    @discardableResult
    public func whenReadable(
        _ socket: GuestSocket, fileID: StaticString = #fileID, line: UInt = #line, _ body: @escaping () throws -> Void
    ) throws(GuestError) -> IOHandle {
        guard admit("GuestScene.whenReadable", CallSite(fileID: fileID, line: line)) else { throw hasEnded }
        return watches.keep(try socket.whenReadable(fileID: fileID, line: line, body))
    }

    /// As ``GuestSocket/whenWritable(fileID:line:_:)``; the end of the scene cancels it.
    ///
    /// - Throws: `.sceneEnded`, and as there.
    @discardableResult
    public func whenWritable(
        _ socket: GuestSocket, fileID: StaticString = #fileID, line: UInt = #line, _ body: @escaping () throws -> Void
    ) throws(GuestError) -> IOHandle {
        guard admit("GuestScene.whenWritable", CallSite(fileID: fileID, line: line)) else { throw hasEnded }
        return watches.keep(try socket.whenWritable(fileID: fileID, line: line, body))
    }

    private var hasEnded: GuestError {
        GuestError(.sceneEnded, "the scene begun at \(site) is ending or has ended; start it in a scene that goes on")
    }

    /// Traps on the wrong thread. `false` in a scene that is ending or has ended; that is logged. A closed loop has
    /// ended its scenes.
    private func admit(_ call: StaticString, _ callSite: CallSite) -> Bool {
        let isClosed = loop.admission.isClosed
        if !isClosed {
            loop.thread.check(call)
            if !isEnding { return true }
        }
        loop.configuration.logger.warning(
            "\(call) at \(callSite) came after the end of the scene begun at \(site) had begun; it starts nothing")
        return false
    }
}
