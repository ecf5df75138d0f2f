// SPDX-License-Identifier: Apache-2.0
// OffloadSteps: long work on the offload pool that reports its progress.
// Idea:   the reported steps are an async sequence and the result is a value. A loading screen iterates over the steps
//         and then awaits the value.
// Owner:  the body runs on a thread of the pool; steps and value are the consumer's.

extension GuestLoop {
    /// Starts long work on the offload pool, which reports its progress.
    ///
    /// ```swift
    /// let loading = loop.offloadSteps { report in
    ///     try files.enumerated().map { index, file in
    ///         report(Double(index) / Double(files.count))
    ///         return try decode(file)
    ///     }
    /// }
    /// for await part in loading { bar.fill(part) }
    /// let textures = try await loading.value
    /// ```
    ///
    /// The work is started at once. `Task.isCancelled` in `body` becomes true when ``OffloadSteps/cancel()`` is called,
    /// and when the last reference to the sequence and its iterators is released before the work has ended.
    ///
    /// - Parameters:
    ///   - buffering: What happens to steps that nobody has taken yet. By default the newest 16 are kept: a progress
    ///     bar needs only the last.
    ///   - fileID: The caller's file, for reports.
    ///   - line: The caller's line, for reports.
    ///   - body: Runs on a thread of the pool, and reports its steps.
    public func offloadSteps<Step: Sendable, Value: Sendable>(
        buffering: AsyncStream<Step>.Continuation.BufferingPolicy = .bufferingNewest(16),
        fileID: StaticString = #fileID, line: UInt = #line,
        _ body: @escaping @Sendable (_ report: @Sendable (Step) -> Void) throws -> Value
    ) -> OffloadSteps<Step, Value> {
        let steps = StepBuffer<Step>(buffering, CallSite(fileID: fileID, line: line), on: self)
        let task = Task(executorPreference: OffloadPool.shared) {
            defer { steps.finish() }
            try Task.checkCancellation()
            return try body { steps.add($0) }
        }
        return OffloadSteps(steps: steps, task: task, loop: self)
    }
}

/// Long work on the offload pool: the sequence of its steps, and its value. Made by
/// ``GuestLoop/offloadSteps(buffering:fileID:line:_:)``.
public final class OffloadSteps<Step: Sendable, Value: Sendable>: AsyncSequence, Sendable {
    private let steps: StepBuffer<Step>
    private let task: Task<Value, any Error>
    /// The loop on which tasks wait for a step.
    private let loop: GuestLoop

    init(steps: StepBuffer<Step>, task: Task<Value, any Error>, loop: GuestLoop) {
        self.steps = steps
        self.task = task
        self.loop = loop
    }

    deinit {
        task.cancel()
    }

    /// The value that the work returned. If the calling task is cancelled, the work is cancelled, and the caller still
    /// waits for its end.
    ///
    /// - Throws: what the work threw; `CancellationError` if it was cancelled before its start.
    public var value: Value {
        get async throws {
            try await withTaskCancellationHandler(
                operation: { try await task.value }, onCancel: { task.cancel() }, isolation: #isolation)
        }
    }

    /// Asks the work to end early. Any thread. Harmless when repeated or late.
    public func cancel() { task.cancel() }

    /// Takes one step at each call. It holds no steps of its own.
    public struct Iterator: AsyncIteratorProtocol {
        /// Holds a reference, so that the work is not cancelled while somebody iterates.
        private let work: OffloadSteps

        init(_ work: OffloadSteps) { self.work = work }

        /// The next step. `nil` when the work has ended (with or without an error), when the loop has ended, or when
        /// this task is cancelled. Steps that a cancelled task has not taken, or that remain after a `break`, are there
        /// for the next iterator.
        public mutating func next(isolation: isolated (any Actor)?) async -> Step? {
            await work.steps.next(on: work.loop)
        }
    }

    /// The iterator begins with the steps in the buffer. One task at a time may wait; it traps if a second one does.
    public func makeAsyncIterator() -> Iterator { Iterator(self) }
}
