// SPDX-License-Identifier: Apache-2.0
// HeadlessHost: a host without frames, for dedicated servers and tools: the thread that made it sleeps until the loop
//               has something.
// Idea:   all that a host has to do, on one page: wake the thread when asked for a tick, and call `GuestLoop.wait`,
//         which checks, ticks and sleeps.
// Owner:  the thread that made it. `requestTick` and `stop` may be called on any thread.

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
    // Safe to send: the loop checks its thread; what other threads use is atomic or a `Waker`.

    /// The part of the host that the loop holds, so that the loop and the host do not hold each other.
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
        // The waker is read before each check, and written after the flag is set. In one total order, one of the two
        // sees the other.
        _ = run(within: nil) { isStopped.load(ordering: .sequentiallyConsistent) }
        isStopped.store(false, ordering: .sequentiallyConsistent)
    }

    /// Sleeps and ticks until `condition` returns true; it is called at the beginning and after each tick and each
    /// sleep. `false` if `limit` has passed or the loop has closed first. Work that is ready at the limit still runs.
    /// Inside a callback or a task this is a modal loop; see ``GuestLoop/runModal(_:)``.
    public func run(within limit: Duration?, until condition: () -> Bool) -> Bool {
        loop.runModal { runOutsideTicks(within: limit, until: condition) }
    }

    private func runOutsideTicks(within limit: Duration?, until condition: () -> Bool) -> Bool {
        guard loop.isOpen else { return condition() }
        let end = limit.map { loop.hostNow.advancedClamped(by: $0) }
        return loop.wait(on: listener.waker, until: end, work: .runs) { _ in condition() ? .ends : .goesOn } == .checked
    }

    /// Ends ``run()``. Any thread.
    public func stop() {
        isStopped.store(true, ordering: .sequentiallyConsistent)
        listener.waker.wake()
    }

    /// Ends the loop. Idempotent.
    public func close() { loop.close() }
}
