// SPDX-License-Identifier: Apache-2.0
// FrameCounts: what a game does in a frame (W12), each part alone, for counting instructions: run with n frames and with more; the difference
//              is what the frames between cost. Each frame has an empty frame in it, which is counted alone, too.
// Idea:   tasks are main-actor tasks of a run, as `SDLGuest.run` starts them. What the backend thread has to announce, a frame waits for, so that
//         each frame does the same; the other thread's instructions are counted, too.

import Glibc
import SystemPackage
import Tandem
import TandemCLinux
import TandemTesting

/// The number of each thing that a frame does.
private let (tasks, datagrams, timers, posts) = (3, 8, 5, 10)

/// A host that sleeps until it is asked.
private final class AskedHost: GuestHost {
    private let requests = eventfd(0, Int32(EFD_CLOEXEC))

    func requestTick() -> Bool { eventfd_write(requests, 1) == 0 }

    func waitForRequest() {
        var count: eventfd_t = 0
        eventfd_read(requests, &count)
    }
}

@MainActor private final class Frames {
    let host: AskedHost
    let loop: GuestLoop
    private var number = 0
    private var outcome: Result<Void, any Error>?

    /// Real time, since only its timers are announced, but a budget without an end.
    init() throws {
        host = AskedHost()
        var configuration = Configuration()
        configuration.budget = .seconds(1000)
        loop = try GuestLoop(host: host, configuration: configuration)
        try loop.adoptMainActor()
        while loop.hasWork { loop.tick() }
    }

    /// As a program's own frame loop has it: the tick, then the phases.
    func run() {
        loop.tick()
        let frame = Frame(number: number, time: loop.now, delta: .milliseconds(16))
        for phase in FramePhase.allCases { loop.runPhase(phase, of: frame) }
        number += 1
    }

    func start(_ body: @escaping @MainActor @Sendable () async throws -> Void) {
        loop.run({ try await body() }) { [self] in outcome = $0 }
    }

    func end() throws {
        if case .failure(let error) = outcome { throw error }
        loop.close()
    }
}

@MainActor private final class Counter {
    var value = 0
}

/// A frame in which nothing happens.
@MainActor func countEmptyFrame(_ options: Options) throws {
    let count = try options.number("n", 10_000)
    let frames = try Frames()
    frames.loop.callLater(.seconds(10_000)) {}
    for _ in 0..<count { frames.run() }
    try frames.end()
    metric("ran", "count", count)
}

/// Three tasks that wait for each frame's update; kind=task: the program's own, which prefer no executor; kind=handler: no tasks.
@MainActor func countFrameWaits(_ options: Options) throws {
    let count = try options.number("n", 10_000)
    let frames = try Frames()
    let loop = frames.loop
    let waits = Counter()
    @MainActor @Sendable func wait() async throws {
        while true {
            _ = try await loop.nextFrame()
            waits.value += 1
        }
    }
    for _ in 0..<tasks {
        switch options.word("kind", "run") {
        case "run": frames.start(wait)
        case "task": Task { try await wait() }
        default: loop.everyFrame { _ in waits.value += 1 }
        }
    }
    while waits.value < count * tasks { frames.run() }
    try frames.end()
    metric("ran", "count", waits.value / tasks)
}

/// A wake from another thread's side that brings no work of its own: a request for a tick, and the tick.
@MainActor func countWakes(_ options: Options) throws {
    let count = try options.number("n", 10_000)
    let frames = try Frames()
    let loop = frames.loop
    let raw = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
    guard raw >= 0 else { throw Failed("eventfd gave no descriptor") }
    var ran = 0
    let watch = try loop.whenReadable(FileDescriptor(rawValue: raw)) {
        ran += 1
        var value: eventfd_t = 0
        eventfd_read(raw, &value)
    }
    while ran < count {
        eventfd_write(raw, 1)
        frames.host.waitForRequest()
        loop.tick()
    }
    watch.cancel()
    close(raw)
    try frames.end()
    metric("ran", "count", ran)
}

/// Eight datagrams of 64 bytes, which C code sends and a task takes by the batch.
@MainActor func countFrameReceives(_ options: Options) throws {
    let count = try options.number("n", 10_000)
    let frames = try Frames()
    let loop = frames.loop
    let receiver = try UDPSocket(on: loop, at: .loopback(port: 0))
    let sender = try UDPSocket.connected(to: receiver.localAddress, on: loop)
    let received = Counter()
    frames.start {
        let batch = DatagramBatch(capacity: 64, messageSize: 1500)
        while true { received.value += try await receiver.receive(batch) }
    }
    frames.run()
    let datagram = [UInt8](repeating: 1, count: 64)
    for frame in 1...count {
        for _ in 0..<datagrams { Glibc.send(sender.socket.descriptor.rawValue, datagram, datagram.count, 0) }
        while received.value < frame * datagrams {
            frames.host.waitForRequest()
            frames.run()
        }
    }
    try frames.end()
    metric("ran", "count", received.value / datagrams)
}

/// Eight datagrams of 64 bytes that a frame sends by the batch; C code takes them away.
@MainActor func countFrameSends(_ options: Options) throws {
    let count = try options.number("n", 10_000)
    let frames = try Frames()
    let loop = frames.loop
    let receiver = try UDPSocket(on: loop, at: .loopback(port: 0))
    let sender = try UDPSocket.connected(to: receiver.localAddress, on: loop)
    let datagram = [UInt8](repeating: 1, count: 64)
    var buffer = datagram
    var received = 0
    let sent = Counter()
    frames.start {
        let batch = DatagramBatch(capacity: datagrams, messageSize: 1500)
        while true {
            batch.removeAll()
            for _ in 0..<datagrams { batch.append(datagram) }
            try await sender.send(batch)
            sent.value += datagrams
            _ = try await loop.nextFrame()
        }
    }
    while received < count * datagrams {
        frames.run()
        while received < sent.value, recv(receiver.socket.descriptor.rawValue, &buffer, buffer.count, 0) == 64 {
            received += 1
        }
    }
    try frames.end()
    metric("ran", "count", received / datagrams)
}

/// Five timers that are armed in a tick, one of which is cancelled; the others are due in the next frame.
@MainActor func countFrameTimers(_ options: Options) throws {
    let count = try options.number("n", 10_000)
    let frames = try Frames()
    let loop = frames.loop
    let fired = Tally()
    while fired.ran < count * (timers - 1) {
        loop.callSoon {
            // No `map`: its closure would ask the runtime, for each timer, whether it is the main actor's.
            for _ in 1..<timers { loop.callLater(.nanoseconds(1)) { fired.ran += 1 } }
            loop.callLater(.nanoseconds(1)) { fired.ran += 1 }.cancel()
        }
        frames.run()
    }
    try frames.end()
    metric("ran", "count", fired.ran / (timers - 1))
}

/// Ten posts.
@MainActor func countFramePosts(_ options: Options) throws {
    let count = try options.number("n", 10_000)
    let frames = try Frames()
    let loop = frames.loop
    let tally = Tally()
    for _ in 0..<count {
        for _ in 0..<posts { try loop.post { tally.ran += 1 } }
        frames.run()
    }
    try frames.end()
    metric("ran", "count", tally.ran / posts)
}
