// SPDX-License-Identifier: Apache-2.0
// CooperativeBudget: what is ready at once takes turns.
// Idea:   an await whose result is there already does not suspend, and a task that finds one after the other (a peer that sends 65,536
//         newlines, a tool that prints without end) would keep the thread from the tick, whose budget is looked at between jobs. So each
//         such await takes a unit, as Tokio's do. When a job has used up its units, or its slice of time, its task goes to the end of the
//         line, and the frame goes on. The common case is a decrement and a look at the cycle counter.
// Owner:  the UI thread. On other threads nothing is counted: they keep no frame.

import TandemCLinux

struct CooperativeBudget {
    /// As Tokio's: enough that going to the end of the line costs little beside the work.
    static let units = 128
    /// At most 100 us, so that twenty greedy tasks take no more than half of a tick's usual budget, and a tick that ends in the middle of
    /// one is late by no more than that.
    private static let sliceCycles = 10 * tandem_cycles_in_10us()

    private var unitsLeft = units
    private var beganAt: UInt64 = 0

    /// A job begins.
    @inline(__always) mutating func renew() { unitsLeft = Self.units }

    /// Takes a unit; `false`: they are used up, or the time is.
    ///
    /// - Parameter isTimed: Time counts. It must not where a run has to be the same each time.
    @inline(__always) mutating func take(isTimed: Bool) -> Bool {
        let now = tandem_cycles()
        // The slice begins with the first unit: what the job did before is no business of this budget's.
        if unitsLeft == Self.units { beganAt = now }
        unitsLeft &-= 1
        return unitsLeft >= 0 && (now &- beganAt <= Self.sliceCycles || !isTimed)
    }
}

extension GuestLoop {
    /// Any thread: takes a unit of the running job's; `false`: its task has to go to the end of the line before it takes more.
    @inline(__always) package func takeUnit() -> Bool {
        // Never on another thread, whose tasks may run as long as they like.
        guard thread.isCurrent else { return true }
        return executors.budget.take(isTimed: !time.isVirtual && !instruments.isTaped)
    }

    /// Takes a unit for what is ready at once, and lets others run first if there is none left. Every await of Tandem's that may be ready begins
    /// with it, before it takes anything.
    package func cooperate(isolation: isolated (any Actor)? = #isolation) async {
        if takeUnit() { return }
        await goToEndOfLine(isolation: isolation)
        // Of the new job's units.
        _ = takeUnit()
    }

    /// UI thread: suspends the task until what stands in the queue now has run. In a frame's phase that is the phase's queue.
    func goToEndOfLine(isolation: isolated (any Actor)?) async {
        // Safe without checks: an entry of the queue is run once, or resumed by the loop's end.
        await withUnsafeContinuation(isolation: isolation) { continuation in
            guard admission.state != .closed else { return continuation.resume() }
            appendJob(.continuation(DeferredTask(continuation, isolation)))
        }
    }

    /// For loops of your own whose awaits may all be ready, or that have none: sees a cancellation, and lets the frame go on if the task has
    /// had its share.
    ///
    /// ```swift
    /// for chunk in level.chunks {
    ///     chunk.build()
    ///     try await loop.checkpoint()
    /// }
    /// ```
    ///
    /// Each call takes a unit of what a task may do in one go: 128 units, or at most 100 µs. Awaits of Tandem's take theirs by themselves. When
    /// they are used up, the task goes to the end of the line; if the tick's budget is used up, too, it goes on in the next tick. Most calls only count. On
    /// another thread than the UI thread it looks for a cancellation and nothing else.
    ///
    /// - Throws: `CancellationError` if the task is cancelled.
    public func checkpoint() async throws {
        await cooperate(isolation: #isolation)
        try Task.checkCancellation()
    }
}

extension AsyncSequence {
    /// The same elements; a consumer on `loop`'s UI thread that finds one after the other ready lets the frame go on when it has had its share.
    ///
    /// For sequences that are not Tandem's (`AsyncStream`, a tool's lines, WebSocket messages). Tandem's own do the same by themselves. See
    /// ``GuestLoop/checkpoint()``.
    ///
    /// ```swift
    /// for try await line in tool.standardOutput.lines().cooperative(on: loop) { log.append(line) }
    /// ```
    public func cooperative(on loop: GuestLoop) -> CooperativeSequence<Self> {
        CooperativeSequence(base: self, loop: loop)
    }
}

/// A sequence that takes turns with what else is ready on a loop. Made by `cooperative(on:)`.
public struct CooperativeSequence<Base: AsyncSequence>: AsyncSequence {
    fileprivate let base: Base
    fileprivate let loop: GuestLoop

    /// Takes elements from call to call.
    public struct Iterator: AsyncIteratorProtocol {
        fileprivate var base: Base.AsyncIterator
        fileprivate let loop: GuestLoop

        /// The next element. Throws what the base throws, and does not look for a cancellation of its own.
        public mutating func next(isolation: isolated (any Actor)?) async throws(Base.Failure) -> Base.Element? {
            // Before the element is taken: there is none to be lost.
            await loop.cooperate(isolation: isolation)
            return try await base.next(isolation: isolation)
        }
    }

    /// Begins where the base begins.
    public func makeAsyncIterator() -> Iterator { Iterator(base: base.makeAsyncIterator(), loop: loop) }
}

extension CooperativeSequence: Sendable where Base: Sendable {}
