// SPDX-License-Identifier: Apache-2.0
// GuestLoopProxy: the calls of a loop that other threads may make. winit's event loop proxy and Trio's token are the
//                 same idea.
// Idea:   a loop is an executor, and Swift's executors are Sendable, so that it can be sent to another thread, where
//         nearly all of its calls trap. A proxy has only the calls that are right on every thread: a wrong one does not
//         compile.
// Owner:  any thread. It holds the state that the threads share, and not the loop, so that it does not keep the loop
//         alive.

/// What other threads may do with a loop. Give it to a worker, an audio thread or a detached task instead of the loop.
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

    /// Runs `body` on the loop's thread, in the next tick; see ``GuestLoop/post(fileID:line:_:)``. Any thread. O(1), a
    /// lock.
    ///
    /// - Throws: `.closed` if the loop is closing or has closed, `.forked` in a forked child.
    public func post(
        fileID: StaticString = #fileID, line: UInt = #line, _ body: consuming @escaping @Sendable () throws -> Void
    ) throws(GuestError) {
        try admission.admitFromAnyThread()
        try shared.post(body, CallSite(fileID: fileID, line: line))
    }

    /// Runs main-actor code in the next tick. For loops whose thread is the main actor's: loops that were made on the
    /// main thread, or have adopted the main actor. On another loop the tick traps. Any thread.
    ///
    /// - Throws: as ``post(fileID:line:_:)``.
    public func postToMainActor(
        fileID: StaticString = #fileID, line: UInt = #line, _ body: @escaping @MainActor @Sendable () throws -> Void
    ) throws(GuestError) {
        try post(fileID: fileID, line: line) { try MainActor.assumeIsolated { try body() } }
    }

    /// Asks the host for a tick although there is no work, which ends an idle wait. Any thread. Does nothing once the
    /// loop has closed.
    public func wake() { shared.requestTick(for: []) }
}

extension GuestLoop {
    /// What other threads may do with this loop. Any thread.
    public var proxy: GuestLoopProxy { GuestLoopProxy(self) }
}
