// SPDX-License-Identifier: Apache-2.0
// TaskCounts (W9): what starting a task costs on the loop, and what resuming one does, for counting instructions. Tests/Benchmarks/Limits has the same on
//                  the platform's executors and on the least one.
// Idea:   kind=job: a main-actor task from its start to its end. value: the same, awaited by another one. yield: a `Task.yield()`. resume: a continuation
//         that the UI thread resumes. Where the loop has nothing to do it sleeps: looking again and again would be counted.
// Owner:  the main thread.

import Tandem
import TandemTesting

private let batch = 100

@MainActor private final class Work {
    var ended = 0
    var continuations: [UnsafeContinuation<Void, Never>] = []
}

@MainActor func countTasks(_ options: Options) throws {
    let count = try options.number("n", 10_000)
    let work = Work()
    let host = ManualHost()
    var configuration = Configuration()
    configuration.budget = .seconds(1000)
    let loop = try host.makeLoop(configuration: configuration)
    try loop.adoptMainActor()
    func run() {
        if !loop.hasWork { _ = host.waitForRequest() }
        loop.tick()
    }

    let kind = options.word("kind", "job")
    switch kind {
    case "job":
        while work.ended < count {
            let end = work.ended + batch
            for _ in 0..<batch { Task { @MainActor in work.ended += 1 } }
            while work.ended < end { run() }
        }
    case "value":
        Task { @MainActor in
            for _ in 0..<count {
                await Task { @MainActor in }.value
                work.ended += 1
            }
        }
        while work.ended < count { run() }
    case "yield":
        Task { @MainActor in
            for _ in 0..<count {
                await Task.yield()
                work.ended += 1
            }
        }
        while work.ended < count { run() }
    case "resume":
        for _ in 0..<batch {
            Task { @MainActor in
                while work.ended < count {
                    await withUnsafeContinuation { work.continuations.append($0) }
                    work.ended += 1
                }
            }
        }
        while work.ended < count {
            while work.ended < count, work.continuations.count < batch { run() }
            let continuations = work.continuations
            work.continuations.removeAll(keepingCapacity: true)
            for continuation in continuations { continuation.resume() }
        }
    default: throw Unsupported("kind=\(kind): expected job, value, yield or resume")
    }
    while loop.hasWork { loop.tick() }
    loop.close()
    metric("ran", "count", work.ended)
}
