// SPDX-License-Identifier: Apache-2.0
// Posts (W2): closures from other threads, from the first post until the last has run.

import Synchronization
import Tandem

/// What the posted closures share; a closure that captures one object needs no memory of its own.
private final class Tally: @unchecked Sendable {
    // Safe: counted on the UI thread, read there.
    var ran = 0
}

@MainActor func posts(_ options: Options) throws {
    let total = try options.number("n", 1_000_000)
    let threads = try options.number("threads", 1)

    let stage = try Stage(options)
    let loop = stage.loop
    let tally = Tally()
    let perThread = total / threads
    let before = loop.statistics
    let isStarted = Atomic<Bool>(false)
    let workers = (0..<threads).map { _ in
        Worker {
            while !isStarted.load(ordering: .acquiring) {}
            for _ in 0..<perThread { try? loop.post { tally.ran += 1 } }
        }
    }
    let begin = now()
    isStarted.store(true, ordering: .releasing)
    stage.rest { tally.ran == perThread * threads }
    let end = now()
    let after = loop.statistics
    for worker in workers { worker.join() }
    stage.close()
    metric("per_post", "ns", Double(end - begin) / Double(perThread * threads))
    let ticks = after.ticks - before.ticks
    metric("hints_per_tick", "count", Double(after.hintsPosted - before.hintsPosted) / Double(max(1, ticks)))
}
