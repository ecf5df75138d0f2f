// SPDX-License-Identifier: Apache-2.0
// Jobs (W9): what Swift's concurrency costs by itself: on the least executor (on=least), and on the platform's (on=dispatch), whose main queue the main
//            thread drains.
// Idea:   kind=job: a main-actor task from its start to its end. value: the same, awaited by another one. yield: a `Task.yield()`. resume: a continuation
//         that the main thread resumes. On the platform's executors all but the first go by way of a thread of the pool.
// Owner:  the main thread.

import CBench
import CLimits
import Dispatch
import Glibc

private let batch = 100

@MainActor private final class Work {
    var ended = 0
    var continuations: [UnsafeContinuation<Void, Never>] = []
}

@MainActor func countJobs(_ options: Options) throws {
    let count = try options.number("n", 1000)
    let work = Work()
    let run: () -> Void
    switch options.word("on", "least") {
    case "least":
        let ready = Ready.install(.mainActor)
        run = { ready.run() }
    case "dispatch":
        // It can be read when the main queue has something. Nobody asks before that: looking again and again would be counted.
        let announcement = _dispatch_get_main_queue_handle_4CF()
        run = {
            var announced = pollfd(fd: announcement, events: Int16(POLLIN), revents: 0)
            var value: eventfd_t = 0
            poll(&announced, 1, -1)
            eventfd_read(announcement, &value)
            bench_pump_main_queue()
        }
    default: throw Unsupported("on=\(options.word("on", ""))")
    }

    switch options.word("kind", "job") {
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
                while true { await withUnsafeContinuation { work.continuations.append($0) }; work.ended += 1 }
            }
        }
        while work.ended < count {
            while work.continuations.count < batch { run() }
            let continuations = work.continuations
            work.continuations.removeAll(keepingCapacity: true)
            for continuation in continuations { continuation.resume() }
        }
    default: throw Unsupported("kind=\(options.word("kind", ""))")
    }
    metric("ran", "count", work.ended)
}
