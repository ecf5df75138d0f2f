// SPDX-License-Identifier: Apache-2.0
// HeadlessHost: a host without frames, for dedicated servers and tools: the thread that made it sleeps until the loop has something.
// Idea:   the whole of hosting on one page: signal when asked, look before sleeping, tick.
// Owner:  the thread that made it; `requestTick` and `stop` come from any.

import Synchronization

/// A host for programs without a frame loop: its thread sleeps by itself and ticks when there is work.
///
/// ```swift
/// let server = try HeadlessHost()
/// server.loop.run { try await serve(on: server.loop) } onDone: { _ in server.stop() }
/// server.run()          // until stop()
/// server.close()
/// ```
///
/// It is also the shortest example of a host; see ``GuestHost``.
public final class HeadlessHost: @unchecked Sendable {
    // Safe to send: the loop checks its thread, and what other threads touch is atomic or a semaphore.

    /// What the loop sees of the host, so that neither owns the other.
    private final class Listener: GuestHost {
        let waker: Waker

        init() throws(GuestError) { waker = try Waker() }

        func requestTick() -> Bool {
            waker.wakeForLoop()
            return true
        }
    }

    /// The loop, made on the thread that made the host.
    public let loop: GuestLoop
    private let listener: Listener
    private let isStopped = Atomic<Bool>(false)

    /// Makes the host and its loop on the calling thread.
    ///
    /// - Throws: what `GuestLoop.init` throws.
    public init(
        configuration: Configuration = .init(), fileID: StaticString = #fileID, line: UInt = #line
    ) throws(GuestError) {
        listener = try Listener()
        loop = try GuestLoop(host: listener, configuration: configuration, fileID: fileID, line: line)
    }

    /// Sleeps and ticks until ``stop()``, or until the loop closes. Returns at once if either came before.
    public func run() {
        // The waker is emptied before each look, and rung after the flag is set: one total order, so that one of the two sees the other.
        _ = run(within: nil) { isStopped.load(ordering: .sequentiallyConsistent) }
        isStopped.store(false, ordering: .sequentiallyConsistent)
    }

    /// Sleeps and ticks until `condition`, which is looked at after each tick, holds; `false` if `limit` passed or the loop closed first.
    /// Inside a callback or a task it is a modal loop; see ``GuestLoop/runModal(_:)``.
    public func run(within limit: Duration?, until condition: () -> Bool) -> Bool {
        loop.runModal { runOutsideTicks(within: limit, until: condition) }
    }

    private func runOutsideTicks(within limit: Duration?, until condition: () -> Bool) -> Bool {
        let end = limit.map { loop.hostNow.advancedClamped(by: $0) }
        return loop.whileWaiting(on: listener.waker) {
            while !condition() {
                guard loop.isOpen else { return false }
                if let end, loop.hostNow >= end { return false }
                // The look before the sleep: a request may have been answered by an earlier tick, and its ring heard.
                if !loop.skipsTime(until: end) { loop.sleep(on: listener.waker, until: end) }
                loop.tick(then: .wait)
            }
            return true
        }
    }

    /// Ends ``run()``. Any thread.
    public func stop() {
        isStopped.store(true, ordering: .sequentiallyConsistent)
        listener.waker.wake()
    }

    /// Ends the loop. Idempotent.
    public func close() { loop.close() }
}
