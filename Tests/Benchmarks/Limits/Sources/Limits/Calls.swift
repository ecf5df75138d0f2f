// SPDX-License-Identifier: Apache-2.0
// Calls: an async function that does nothing, called by a task.
// Owner:  the main thread.

@inline(never) private func nothingAsync() async {}

/// What an async function costs that does not suspend, of a task of the main actor's; task=run: one that prefers an executor.
@MainActor func countCalls(_ options: Options) throws {
    let count = try options.number("n", 1000)
    let tally = Tally()
    let body: @MainActor @Sendable () async -> Void = {
        for _ in 0..<count {
            await nothingAsync()
            tally.ran += 1
        }
    }
    if options.word("task", "main") == "run" {
        let ready = Ready.install(.preferring)
        Task(executorPreference: Ready.executor) { await body() }
        ready.run()
    } else {
        let ready = Ready.install(.mainActor)
        Task(operation: body)
        ready.run()
    }
    metric("ran", "count", tally.ran)
}
