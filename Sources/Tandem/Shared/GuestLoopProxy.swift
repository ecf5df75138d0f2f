// SPDX-License-Identifier: Apache-2.0
// GuestLoopProxy: what other threads may do with a loop, and nothing else, as winit's proxy and Trio's token.
// Idea:   a loop itself can be sent to another thread, since actors may live on it, but nearly all of its calls trap there. A proxy has only those
//         that are right on every thread, so that wrong ones do not compile.
// Owner:  any thread. It refers to what the threads share and not to the loop, so that it does not keep the loop alive.

/// A loop as other threads see it: hand one to a worker, an audio thread or a detached task instead of the loop.
///
/// ```swift
/// let proxy = loop.proxy
/// Thread.detachNewThread {
///     let bytes = [UInt8](repeating: 1, count: 4096)  // what takes long to make
///     try? proxy.postToMainActor { world.take(bytes) }
/// }
/// ```
///
/// It does not keep its loop alive. When the loop has closed, posts throw `.closed`.
public struct GuestLoopProxy: Sendable {
    private let shared: SharedState
    private let admission: Admission

    init(_ loop: GuestLoop) {
        shared = loop.shared
        admission = loop.admission
    }

    /// Runs `body` on the loop's thread, in the next tick; see ``GuestLoop/post(fileID:line:_:)``. Any thread. O(1), a lock.
    ///
    /// - Throws: `.closed` when it is too late, `.forked` in a forked child.
    public func post(
        fileID: StaticString = #fileID, line: UInt = #line, _ body: consuming @escaping @Sendable () throws -> Void
    ) throws(GuestError) {
        try admission.admitFromAnyThread()
        let work = Work.posted(consume body, CallSite(fileID: fileID, line: line))
        guard shared.deliver(work, isPost: true) else { throw .closed }
    }

    /// Runs main-actor code in the next tick of a loop whose thread is the main actor's: one that was made on the main thread, or has adopted the
    /// main actor. Any thread. In the tick of another loop it traps.
    ///
    /// - Throws: as ``post(fileID:line:_:)``.
    public func postToMainActor(
        fileID: StaticString = #fileID, line: UInt = #line, _ body: @escaping @MainActor @Sendable () throws -> Void
    ) throws(GuestError) {
        try post(fileID: fileID, line: line) { try MainActor.assumeIsolated { try body() } }
    }

    /// Asks the host for a tick, though there is nothing to run: it ends an idle wait. Any thread; harmless when the loop has closed.
    public func wake() { shared.requestTick(for: []) }
}

extension GuestLoop {
    /// What other threads may do with this loop. Any thread.
    public var proxy: GuestLoopProxy { GuestLoopProxy(self) }
}
