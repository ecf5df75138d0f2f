// SPDX-License-Identifier: Apache-2.0
// Tasks (W9): Swift concurrency on the loop, and (`dispatch/tasks`) the same on the platform's executors, whose main queue is drained once per
// frame as a program without Tandem does it.

import Dispatch
import Glibc
import Tandem
import TandemCLinux
@_spi(ExperimentalCustomExecutors) import _Concurrency

private let standardJobs = 1_000_000
private let batch = 100
private let sleeps = 300
private let hops = 20_000
private let awaits = 10

@MainActor func tasks(_ options: Options) throws {
    guard options.word("driver", "dummy") != "none" else {
        throw Unsupported("driver=none: the main actor lives on an SDL guest")
    }
    let stage = try Stage(options)
    let loop = stage.loop
    try measureTasks(
        options, rest: { stage.rest() }, frame: { stage.frame() },
        start: { body in loop.run({ await body() }) }, sleep: { try await loop.sleep(for: $0) })
    stage.close()
}

@MainActor func dispatchTasks(_ options: Options) throws {
    // As in a program that does not link Tandem, whose executors would pass the jobs on.
    _createExecutors(factory: PlatformExecutorFactory.self)
    guard type(of: MainActor.executor) == type(of: PlatformExecutorFactory.mainExecutor) else {
        throw Failed("the platform's executors are not in place")
    }
    let announcement = _dispatch_get_main_queue_handle_4CF()
    func drain() {
        var count: eventfd_t = 0
        var poll = pollfd(fd: announcement, events: Int16(POLLIN), revents: 0)
        if Glibc.poll(&poll, 1, 0) > 0 { eventfd_read(announcement, &count) }
        _dispatch_main_queue_callback_4CF(nil)
    }
    func rest() {
        var poll = pollfd(fd: announcement, events: Int16(POLLIN), revents: 0)
        _ = Glibc.poll(&poll, 1, -1)
        drain()
    }
    try measureTasks(
        options, rest: rest, frame: drain,
        start: { body in Task { @MainActor in await body() } }, sleep: { try await Task.sleep(for: $0) })
}

/// What the tasks leave behind; main actor.
@MainActor private final class Notes {
    var continuations: [UnsafeContinuation<Void, Never>] = []
    var ended = 0
    var late = Samples(capacity: sleeps)
    var took: Int64 = 0
    var isDone: Bool = false
}

@MainActor private func measureTasks(
    _ options: Options, rest: () -> Void, frame: () -> Void,
    start: (_ body: @escaping @MainActor @Sendable () async -> Void) -> Void,
    sleep: @escaping @MainActor @Sendable (Duration) async throws -> Void
) throws {
    let jobs = try options.number("n", standardJobs)
    let notes = Notes()

    var begin = now()
    for _ in 0..<(jobs / batch) {
        for _ in 0..<batch { Task { @MainActor in notes.ended += 1 } }
        frame()
    }
    while notes.ended < jobs / batch * batch { frame() }
    metric("job", "ns", Double(now() - begin) / Double(notes.ended))

    // A continuation that the UI thread resumes goes by way of the pool into the main actor's queue, and is run from it.
    notes.ended = 0
    for _ in 0..<batch {
        Task { @MainActor in
            for _ in 0...(jobs / batch) { await withUnsafeContinuation { notes.continuations.append($0) } }
            notes.ended += 1
        }
    }
    while notes.continuations.count < batch { frame() }
    begin = now()
    var continuations: [UnsafeContinuation<Void, Never>] = []
    while notes.ended < batch {
        swap(&continuations, &notes.continuations)
        for continuation in continuations { continuation.resume() }
        continuations.removeAll(keepingCapacity: true)
        frame()
    }
    metric("resume", "ns", Double(now() - begin) / Double(jobs + batch))

    start {
        for _ in 0..<sleeps {
            let start = now()
            try? await sleep(.milliseconds(1))
            notes.late.add(now() - start - 1_000_000)
        }
    }
    while notes.late.count < sleeps { rest() }
    metric("sleep_resume", "us", notes.late.percentile(0.5) / 1000)

    Task.detached {
        let begin = now()
        for _ in 0..<hops { await visit() }
        let took = now() - begin
        await MainActor.run {
            notes.took = took
            notes.isDone = true
        }
    }
    while !notes.isDone { rest() }
    metric("hop", "us", Double(notes.took) / Double(hops) / 1000)

    notes.isDone = false
    start {
        for _ in 0..<awaits { await Task { @MainActor in }.value }
        notes.isDone = true
    }
    var ticks = 0
    while !notes.isDone {
        rest()
        ticks += 1
    }
    metric("awaits_ticks", "count", ticks)
}

@MainActor private func visit() {}
