// SPDX-License-Identifier: Apache-2.0
// FrameAwaiting: how async code waits for frames.
// Owner:  the UI thread. Frames run on the UI thread, and a call on another thread traps.

extension GuestLoop {
    /// Suspends until the next time that a frame reaches `phase`. The task runs on within that phase.
    ///
    /// A task that waits in a loop is resumed once in each frame, or, in the fixed update, once for each step. Tasks
    /// that wait for the same phase are resumed in the order in which they began to wait. The wait allocates nothing.
    /// UI thread: `@MainActor` code, or a task of ``run(fileID:line:_:onDone:)``.
    ///
    /// - Throws: `CancellationError` at once if the task is cancelled; `.closed` or `.backendFailed` when the loop
    ///   ends.
    @discardableResult
    public func nextFrame(
        in phase: FramePhase = .update, fileID: StaticString = #fileID, line: UInt = #line
    ) async throws -> Frame {
        try await frame(phase, nil, CallSite(fileID: fileID, line: line))
    }

    /// Suspends for `count` frames, and returns the last of them. With 0 it returns at once. Traps on a negative count.
    @discardableResult
    public func waitForFrames(
        _ count: Int, in phase: FramePhase = .update, fileID: StaticString = #fileID, line: UInt = #line
    ) async throws -> Frame? {
        require(
            count >= 0, "GuestLoop.waitForFrames(_:) was given \(count) frames at \(fileID):\(line); expected 0 or more"
        )
        var last: Frame?
        for _ in 0..<count { last = try await nextFrame(in: phase, fileID: fileID, line: line) }
        return last
    }

    /// Suspends until `condition` returns true. It is called at once, and then once in each frame, in `phase`.
    ///
    /// - Throws: as ``nextFrame(in:fileID:line:)``.
    public func waitUntil(
        in phase: FramePhase = .update, fileID: StaticString = #fileID, line: UInt = #line,
        _ condition: @escaping () -> Bool
    ) async throws {
        if condition() { return await cooperate(isolation: #isolation) }
        _ = try await frame(phase, condition, CallSite(fileID: fileID, line: line))
    }

    /// The frames, one after the other, each in its update phase. See ``frames(in:fileID:line:)``.
    public var frames: Frames { Frames(loop: self, phase: .update, site: .unknown) }

    /// The frames, one after the other, each in `phase`.
    ///
    /// No frame is missed if the consumer's work fits between two frames; the frames' numbers show whether it did. The
    /// sequence ends when the task is cancelled or the loop ends. In an `async` main without a frame loop, where the
    /// waiting tasks themselves cause the frames to run, it also ends when the player closes the window.
    public func frames(in phase: FramePhase, fileID: StaticString = #fileID, line: UInt = #line) -> Frames {
        Frames(loop: self, phase: phase, site: CallSite(fileID: fileID, line: line))
    }

    /// One wait for a frame. All the functions above use it.
    @inline(__always)
    fileprivate func frame(
        _ phase: FramePhase, _ condition: (() -> Bool)?, _ site: CallSite, isOfSequence: Bool = false
    ) async throws -> Frame {
        try Task.checkCancellation()
        try admission.admit("GuestLoop.nextFrame")
        if isOfSequence, members.framesHaveEnded { throw CancellationError() }
        let waiter = members.frameQueues(of: self).waiter()
        waiter.prepare(phase, condition, site, isOfSequence: isOfSequence, #isolation)
        // Safe without checks: `FrameWaiter` resumes its continuation at most once, and the end of the loop ends every
        // wait.
        await waiter.suspend { waiter.begin($0) }
        return try waiter.finish()
    }
}

/// The frames of a loop's host, as a sequence. It ends when its task is cancelled or its loop ends.
public struct Frames: AsyncSequence, Sendable {
    let loop: GuestLoop
    let phase: FramePhase
    let site: CallSite

    /// Waits for frame after frame.
    public struct Iterator: AsyncIteratorProtocol {
        let frames: Frames

        /// The next frame; `nil` when the task is cancelled or the loop ends.
        public mutating func next(isolation: isolated (any Actor)?) async -> Frame? {
            try? await frames.loop.frame(frames.phase, nil, frames.site, isOfSequence: true)
        }

        /// The next frame; `nil` when the task is cancelled or the loop ends.
        public mutating func next() async -> Frame? {
            try? await frames.loop.frame(frames.phase, nil, frames.site, isOfSequence: true)
        }
    }

    /// Begins with the next frame.
    public func makeAsyncIterator() -> Iterator { Iterator(frames: self) }
}
