// SPDX-License-Identifier: Apache-2.0
// Waits: what a wait costs a task that is resumed once a frame, from the least that suspends to what Tandem promises of a wait.
// Idea:   kind=bare: a continuation in the task's own loop. function: in an async function that may throw and asks about cancellation. registered:
//         one that a cancellation ends, by the runtime's two functions; handler: the same by `withTaskCancellationHandler`. checked: with a checked
//         continuation. stream: an element of an `AsyncStream`.
//         task=main: a task of the main actor. run: one that prefers an executor besides, so that what it calls stays on this thread, as Tandem's
//         runs do. twice: a task of the main actor that the runtime sends by way of its pool. none: a task of no actor.
// Owner:  the main thread.

/// What all of it waits for.
final class Frames: @unchecked Sendable {
    // Safe: everything here happens on the main thread.
    @exclusivity(unchecked) var ended = 0
    @exclusivity(unchecked) private var continuation: UnsafeContinuation<Void, Never>?
    @exclusivity(unchecked) private var checked: CheckedContinuation<Void, Never>?
    private let wait = LeastWait()

    @inline(__always) func begin(_ continuation: UnsafeContinuation<Void, Never>) { self.continuation = continuation }

    func resume() {
        wait.resume()
        continuation.take()?.resume()
        checked.take()?.resume()
    }

    @inline(never) func function() async throws {
        try Task.checkCancellation()
        await withUnsafeContinuation { begin($0) }
    }

    @inline(never) func registered() async throws { try await wait.suspend {} }

    @inline(never) func handler() async throws {
        try Task.checkCancellation()
        await withTaskCancellationHandler {
            await withUnsafeContinuation { wait.begin($0) }
        } onCancel: {
            wait.cancel()
        }
        if wait.isCancelled { throw CancellationError() }
    }

    @inline(never) func withChecks() async throws {
        try Task.checkCancellation()
        await withCheckedContinuation { checked = $0 }
    }
}

@MainActor func countWaits(_ options: Options) throws {
    let count = try options.number("n", 1000)
    let frames = Frames()
    let (elements, stream) = AsyncStream.makeStream(of: Int.self)
    let body: @MainActor @Sendable () async throws -> Void
    let kind = options.word("kind", "bare")
    switch kind {
    case "bare": body = { while true { await withUnsafeContinuation { frames.begin($0) }; frames.ended += 1 } }
    case "function": body = { while true { try await frames.function(); frames.ended += 1 } }
    case "registered": body = { while true { try await frames.registered(); frames.ended += 1 } }
    case "handler": body = { while true { try await frames.handler(); frames.ended += 1 } }
    case "checked": body = { while true { try await frames.withChecks(); frames.ended += 1 } }
    case "stream": body = { for await _ in elements { frames.ended += 1 } }
    default: throw Unsupported("kind=\(kind)")
    }

    let ready: Ready
    switch options.word("task", "main") {
    case "main":
        ready = Ready.install(.mainActor)
        Task(operation: body)
    case "twice":
        ready = Ready.install(.twice)
        Task(operation: body)
    case "run":
        ready = Ready.install(.preferring)
        Task(executorPreference: Ready.executor) { try await body() }
    case "none":
        ready = Ready.install(.twice)
        Task.detached { while true { await withUnsafeContinuation { frames.begin($0) }; frames.ended += 1 } }
    default: throw Unsupported("task=\(options.word("task", ""))")
    }
    ready.run()
    for frame in 0..<count {
        if kind == "stream" { stream.yield(frame) } else { frames.resume() }
        ready.run()
    }
    metric("ran", "count", frames.ended)
}
