// SPDX-License-Identifier: Apache-2.0
// OffloadSteps: long work elsewhere that tells how far it is.
// Idea:   the steps are a sequence, the result is a value; a loading screen iterates the first and awaits the second.
// Owner:  the body runs on a thread of the pool; steps and value are the consumer's.

extension GuestLoop {
    /// Starts long work on the offload pool, which reports its progress.
    ///
    /// ```swift
    /// let loading = loop.offload { report in
    ///     try files.enumerated().map { index, file in
    ///         report(Double(index) / Double(files.count))
    ///         return try decode(file)
    ///     }
    /// }
    /// for await part in loading { bar.fill(part) }
    /// let textures = try await loading.value
    /// ```
    ///
    /// It begins at once. Cancelling it, or letting it go with its iterators before its end, is seen as `Task.isCancelled` in `body`.
    ///
    /// - Parameters:
    ///   - buffering: What happens to steps that nobody has taken: by default the newest 16 are kept, as a bar needs the last.
    ///   - fileID: The caller's file, for reports.
    ///   - line: The caller's line, for reports.
    ///   - body: Runs on a thread of the pool, and reports its steps.
    public func offload<Step: Sendable, Value: Sendable>(
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

/// Long work elsewhere: a sequence of its steps, and its value. Made by ``GuestLoop/offload(buffering:fileID:line:_:)``.
public final class OffloadSteps<Step: Sendable, Value: Sendable>: AsyncSequence, Sendable {
    private let steps: StepBuffer<Step>
    private let task: Task<Value, any Error>
    /// Where those who wait for a step wait.
    private let loop: GuestLoop

    init(steps: StepBuffer<Step>, task: Task<Value, any Error>, loop: GuestLoop) {
        self.steps = steps
        self.task = task
        self.loop = loop
    }

    deinit {
        task.cancel()
    }

    /// What the work returned. A cancelled caller cancels the work, and still waits for its end.
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

    /// Takes steps from call to call. Keeps nothing of them.
    public struct Iterator: AsyncIteratorProtocol {
        /// Keeps the work going.
        private let work: OffloadSteps

        init(_ work: OffloadSteps) { self.work = work }

        /// The next step; `nil` once the work has ended, however it ended, the loop has, or this task is cancelled. Only the end is for good:
        /// who comes after a cancelled task, or a `break`, gets the steps that it has not taken.
        public mutating func next(isolation: isolated (any Actor)?) async -> Step? {
            await work.steps.next(on: work.loop)
        }
    }

    /// Begins with the steps that are kept. One task at a time; traps if a second one waits.
    public func makeAsyncIterator() -> Iterator { Iterator(self) }
}
