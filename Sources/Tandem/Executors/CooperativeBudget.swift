// SPDX-License-Identifier: Apache-2.0
// CooperativeBudget: a task that never has to wait still lets other tasks run.
// Idea:   an await does not suspend if its result is there already. A task whose awaits are always ready (a peer that
//         sends 65,536 newlines, a tool that prints without end) would keep the thread from the tick, which checks its
//         budget only between jobs. So each such await takes a unit, as in Tokio. When a job has used up its units, or
//         its slice of time, its task goes to the end of the queue, and the frame goes on. The usual case costs a
//         decrement and a read of the cycle counter.
// Owner:  the UI thread. On other threads nothing is counted, since no frame runs there.

import TandemCLinux

struct CooperativeBudget {
    /// As in Tokio: so many that going to the end of the queue costs little beside the work.
    static let units = 128
    /// 100 us, so that twenty such tasks use at most half of a tick's usual budget, and a tick whose budget ends during
    /// one of them is late by no more than that.
    private static let sliceCycles = 10 * tandem_cycles_in_10us()

    private var unitsLeft = units
    private var beganAt: UInt64 = 0

    /// A job begins.
    @inline(__always) mutating func renew() { unitsLeft = Self.units }

    /// Takes a unit. `false`: the units, or the time, are used up.
    ///
    /// - Parameter isTimed: Whether the time counts, too. It must not where every run has to be the same.
    @inline(__always) mutating func take(isTimed: Bool) -> Bool {
        let now = tandem_cycles()
        // The time is counted from the first unit on, and not from the beginning of the job.
        if unitsLeft == Self.units { beganAt = now }
        unitsLeft &-= 1
        return unitsLeft >= 0 && (now &- beganAt <= Self.sliceCycles || !isTimed)
    }
}

extension GuestLoop {
    /// Any thread: takes a unit from the running job. `false`: its task has to go to the end of the queue before it
    /// takes anything.
    @inline(__always) package func takeUnit() -> Bool {
        // On another thread a task may run as long as it likes.
        guard thread.isCurrent else { return true }
        return executors.budget.take(isTimed: !time.isVirtual && !instruments.isTaped)
    }

    /// Takes a unit for an await that may be ready, and lets other tasks run first if there is none left. Every such
    /// await of Tandem begins with this call, before it takes anything.
    package func cooperate(isolation: isolated (any Actor)? = #isolation) async {
        if takeUnit() { return }
        await goToEndOfQueue(isolation: isolation)
        // A unit of the new job.
        _ = takeUnit()
    }

    /// ``checkpoint()`` for the package's own operations. It is inlined into each of them, so that the usual case calls
    /// no async function.
    @inline(__always) func checkpointInline() async throws {
        if !takeUnit() { await cooperate(isolation: #isolation) }
        try Task.checkCancellation()
    }

    /// UI thread: suspends the task until everything that is in the queue now has run. In a frame's phase that is the
    /// phase's queue.
    func goToEndOfQueue(isolation: isolated (any Actor)?) async {
        // Safe without checks: an entry of the queue is run once, or resumed when the loop ends.
        await withUnsafeContinuation(isolation: isolation) { continuation in
            guard admission.state != .closed else { return continuation.resume() }
            appendJob(.continuation(DeferredTask(continuation, isolation)))
        }
    }

    /// For a loop in your code whose awaits may all be ready, or that has none: throws if the task is cancelled, and
    /// lets the frame go on if the task has used up its units.
    ///
    /// ```swift
    /// for chunk in level.chunks {
    ///     chunk.build()
    ///     try await loop.checkpoint()
    /// }
    /// ```
    ///
    /// Each call takes a unit. A task may use 128 units, or 100 µs, before it has to let others run; Tandem's own
    /// awaits take their units themselves. When they are used up, the task goes to the end of the queue; if the tick's
    /// budget is used up as well, it goes on in the next tick. Most calls only count. On another thread than the UI
    /// thread it only checks for cancellation.
    ///
    /// - Throws: `CancellationError` if the task is cancelled.
    public func checkpoint() async throws {
        await cooperate(isolation: #isolation)
        try Task.checkCancellation()
    }
}

extension AsyncSequence {
    /// The same elements. A consumer on `loop`'s UI thread that finds one element after the other ready lets the frame
    /// go on when it has used up its units.
    ///
    /// For sequences of other libraries (`AsyncStream`, the lines of a process, WebSocket messages). Tandem's own
    /// sequences do this themselves. See ``GuestLoop/checkpoint()``.
    ///
    /// ```swift
    /// for try await line in tool.standardOutput.lines().cooperative(on: loop) { log.append(line) }
    /// ```
    public func cooperative(on loop: GuestLoop) -> CooperativeSequence<Self> {
        CooperativeSequence(base: self, loop: loop)
    }
}

/// A sequence that lets other work of a loop run. Made by `cooperative(on:)`.
public struct CooperativeSequence<Base: AsyncSequence>: AsyncSequence {
    fileprivate let base: Base
    fileprivate let loop: GuestLoop

    /// Takes one element at each call.
    public struct Iterator: AsyncIteratorProtocol {
        fileprivate var base: Base.AsyncIterator
        fileprivate let loop: GuestLoop

        /// The next element. Throws what the base throws, and does not check for cancellation itself.
        public mutating func next(isolation: isolated (any Actor)?) async throws(Base.Failure) -> Base.Element? {
            // Before the element is taken, so that none can be lost.
            await loop.cooperate(isolation: isolation)
            return try await base.next(isolation: isolation)
        }
    }

    /// The iterator begins where the base begins.
    public func makeAsyncIterator() -> Iterator { Iterator(base: base.makeAsyncIterator(), loop: loop) }
}

extension CooperativeSequence: Sendable where Base: Sendable {}
