// SPDX-License-Identifier: Apache-2.0
// Threads (`threads/smallframe`): the small frame (W12) without an event loop, as many games have it: a thread that blocks in `recv`, an inbox under a
// mutex that the frame empties, an array of timers that the frame looks through.
// Owner:  the main thread, but for what the inbox holds and the receiving thread.

import CBench
import Glibc
import Synchronization
import TandemSDL

/// Closures for the main thread. Never freed: the receiving thread ends with the process.
private final class Inbox: Sendable {
    private let calls = Mutex<[@Sendable () -> Void]>([])

    func post(_ body: @escaping @Sendable () -> Void) { calls.withLock { $0.append(body) } }

    func run() {
        let taken = calls.withLock { calls in
            let taken = calls
            calls.removeAll(keepingCapacity: true)
            return taken
        }
        for call in taken { call() }
    }
}

/// Timers in no order.
@MainActor private final class Timers {
    private struct Timer {
        let (number, deadline): (Int, Int64)
        let body: () -> Void
    }
    private var timers: [Timer] = []
    private var next = 0

    func arm(_ delay: Int64, _ body: @escaping () -> Void) -> Int {
        next += 1
        timers.append(Timer(number: next, deadline: now() + delay, body: body))
        return next
    }

    func cancel(_ number: Int) { timers.removeAll { $0.number == number } }

    func fire() {
        let present = now()
        let due = timers.filter { $0.deadline <= present }
        guard !due.isEmpty else { return }
        timers.removeAll { $0.deadline <= present }
        for timer in due { timer.body() }
    }
}

@MainActor func threadsSmallFrame(_ options: Options) throws {
    guard options.word("frames", "tick") == "tick" else {
        throw Unsupported("without an event loop there is only frames=tick")
    }
    let port = try mirrorPort()
    let work = try FrameWork(options)
    let counts = work.counts
    setenv("SDL_VIDEODRIVER", options.word("driver", "dummy"), 1)
    guard SDL_Init(SDL_INIT_VIDEO) == 0 else {
        throw Unsupported("SDL did not start: \(String(cString: SDL_GetError()))")
    }

    let udp = bench_connected_socket(Int32(port))
    guard udp >= 0 else { throw Failed("no socket") }
    let inbox = Inbox()
    _ = Worker {
        var bytes = [UInt8](repeating: 0, count: 1500)
        while recv(udp, &bytes, bytes.count, 0) >= 0 { inbox.post { counts.received += 1 } }
    }
    let timers = Timers()
    work.startPosters {
        inbox.post { counts.ran += 1 }
        return true
    }
    let tasks = (0..<FramePart.tasks).map { number in
        {
            guard work.resumes(number) else { return }
            for _ in 0..<FramePart.datagrams {
                if send(udp, FramePart.datagram, FramePart.datagram.count, 0) > 0 { counts.sent += 1 }
            }
        }
    }
    var event = SDL_Event()
    let begin = now()
    for number in 0..<work.frames {
        bench_sleep_until(begin + Int64(number) * work.period)
        work.begin(number)
        work.armTimers { delay in
            timers.arm(delay) { counts.fired += 1 }
        } cancel: {
            timers.cancel($0)
        }
        while SDL_PollEvent(&event) != 0 {}
        inbox.run()
        timers.fire()
        for task in tasks { task() }
    }
    try work.finish()
    SDL_Quit()
}
