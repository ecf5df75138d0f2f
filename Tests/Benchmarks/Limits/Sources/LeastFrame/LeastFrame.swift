// SPDX-License-Identifier: Apache-2.0
// LeastFrame (W12): `FrameWork` by the least Swift that keeps what Tandem promises of each part: see LeastTimers, LeastInbox, LeastSocket and LeastWait.
//                   What Tandem has besides is left out: budgets, statistics, reports, traces, scenes, virtual time, an end.
// Idea:   with=closures: an array of closures is called in each frame. with=tasks: tasks of the main actor that wait for the frame, by no more than a
//         continuation. with=runs: tasks that prefer an executor, and whose waits a cancellation ends.
//         frames=tick: all of it once a frame. frames=wait: one sleep, in the epoll set itself, until the frame's instant or the first thing that happens,
//         SDL's events looked at and the work done at each wake.
// Owner:  the main thread, but for the posters.

import CBench
import CLimits
import CSDL
import Glibc

@MainActor func leastFrame(_ options: Options) throws {
    let port = try mirrorPort()
    let work = try FrameWork(options)
    let counts = work.counts
    try startSDL(options)
    let socket = LeastSocket(bench_connected_socket(Int32(port)))
    let (timers, inbox, poller, waits) = (LeastTimers(), LeastInbox(), LeastPoller(), FrameWaits())
    var handlers: [() throws -> Void] = []
    let with = options.word("with", "tasks")
    let ready = Ready.install(with == "runs" ? .preferring : .mainActor)

    @MainActor @Sendable func receive() async throws {
        while true { counts.received += try await socket.receive() }
    }
    @MainActor @Sendable func wait(_ number: Int, _ wait: LeastWait?) async throws {
        while true {
            if let wait { try await waits.nextFrame(wait) } else { await waits.nextFrame() }
            guard work.resumes(number) else { continue }
            try await socket.send()
            counts.sent += FramePart.datagrams
        }
    }
    socket.watch(by: poller, received: with == "closures" ? { counts.received += $0 } : nil)
    switch with {
    case "closures":
        for number in 0..<FramePart.tasks {
            handlers.append { if work.resumes(number) { counts.sent += socket.sendNow() } }
        }
    case "tasks":
        Task(operation: receive)
        for number in 0..<FramePart.tasks { Task { try await wait(number, nil) } }
    case "runs":
        Task(executorPreference: Ready.executor) { try await receive() }
        for number in 0..<FramePart.tasks {
            Task(executorPreference: Ready.executor) { try await wait(number, LeastWait()) }
        }
    default: throw Unsupported("with=\(with)")
    }
    work.startPosters { (try? inbox.post { counts.ran += 1 }) != nil }
    ready.run()

    var wakes = 0
    func tick() {
        inbox.run(failed)
        poller.poll(0, failed)
        timers.fire(failed)
        ready.run()
    }
    /// Sleeps until the frame's instant, and does what happens before it.
    func rest(until instant: Int64) {
        while case let present = now(), present < instant {
            poller.poll(inbox.maySleep() ? max(0, min(instant, timers.nextDeadline) - present) : 0, failed)
            wakes += 1
            pumpAndLook()
            inbox.run(failed)
            timers.fire(failed)
            ready.run()
        }
    }

    let waitsBetween = options.word("frames", "tick") == "wait"
    // Each post of a main thread that sleeps is a change, so that nobody has to read the eventfd.
    if waitsBetween { _ = poller.watch(inbox.bell, EPOLLIN.rawValue | EPOLLET.rawValue) { _ in } }
    let begin = now()
    for number in 0..<work.frames {
        let instant = begin + Int64(number) * work.period
        if waitsBetween { rest(until: instant) } else { bench_sleep_until(instant) }
        work.begin(number)
        work.armTimers {
            timers.arm($0) { counts.fired += 1 }
        } cancel: {
            timers.cancel($0)
        }
        takeEvents()
        tick()
        waits.resume()
        for handler in handlers { do { try handler() } catch { failed(error) } }
        ready.run()
    }
    try work.finish()
    metric("wakes_per_frame", "count", Double(wakes) / Double(work.frames))
}
