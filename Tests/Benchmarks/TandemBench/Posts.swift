// SPDX-License-Identifier: Apache-2.0
// Posts (W2): closures from other threads, from the first post until the last has run.

import Synchronization
import Tandem

// Safe: counted on the UI thread, read there. Not captured: a reference count that two threads take turns to change would be all that
// is measured, and the peers post a plain function.
private nonisolated(unsafe) var ran = 0

@MainActor func posts(_ options: Options) throws {
    let total = try options.number("n", 1_000_000)
    let threads = try options.number("threads", 1)

    let stage = try Stage(options)
    let loop = stage.loop
    let perThread = total / threads
    let before = loop.statistics
    let isStarted = Atomic<Bool>(false)
    let workers = (0..<threads).map { _ in
        Worker {
            while !isStarted.load(ordering: .acquiring) {}
            for _ in 0..<perThread { try? loop.post { ran += 1 } }
        }
    }
    let begin = now()
    isStarted.store(true, ordering: .releasing)
    stage.rest { ran == perThread * threads }
    let end = now()
    for worker in workers { worker.join() }
    // The last request may still be under way; each is answered by a tick.
    while loop.hasWork { loop.tick() }
    let after = loop.statistics
    stage.close()
    metric("per_post", "ns", Double(end - begin) / Double(perThread * threads))
    let ticks = after.ticks - before.ticks
    metric("hints_per_tick", "count", Double(after.hintsPosted - before.hintsPosted) / Double(max(1, ticks)))
}
