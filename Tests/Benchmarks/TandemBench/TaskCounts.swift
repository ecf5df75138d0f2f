// SPDX-License-Identifier: Apache-2.0
// TaskCounts (W9): what a task costs on the loop, for counting instructions. Tests/Benchmarks/Limits has the same on the platform's executors and on the
//                  least one.
// Idea:   kind=job: a main-actor task from its start to its end. yield: a `Task.yield()`. What goes by way of the pool's threads (a continuation that the
//         UI thread resumes, a task's `value`) cannot be counted so: this thread looks for the answer for a while before it sleeps.
// Owner:  the main thread.

import Tandem
import TandemTesting

private let batch = 100

@MainActor private final class Work {
    var ended = 0
}

@MainActor func countTasks(_ options: Options) throws {
    let count = try options.number("n", 10_000)
    let work = Work()
    let host = ManualHost()
    var configuration = Configuration()
    configuration.budget = .seconds(1000)
    let loop = try host.makeLoop(configuration: configuration)
    try loop.adoptMainActor()

    let kind = options.word("kind", "job")
    switch kind {
    case "job":
        while work.ended < count {
            let end = work.ended + batch
            for _ in 0..<batch { Task { @MainActor in work.ended += 1 } }
            while work.ended < end { loop.tick() }
        }
    case "yield":
        Task { @MainActor in
            for _ in 0..<count {
                await Task.yield()
                work.ended += 1
            }
        }
        while work.ended < count { loop.tick() }
    default: throw Unsupported("kind=\(kind): expected job or yield")
    }
    while loop.hasWork { loop.tick() }
    loop.close()
    metric("ran", "count", work.ended)
}
