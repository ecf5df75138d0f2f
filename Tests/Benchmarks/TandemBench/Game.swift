// SPDX-License-Identifier: Apache-2.0
// Game (W8): a frame loop under load: messages from many peers, and many short timers.
// Idea:   frames begin on a grid of absolute times; a frame's work is SDL's events and the tick. The loop is one of the workload's own, which
//         sleeps through the rest of a frame, or (frames=frameloop) a `FrameLoop`, which works then, too. Only the time of the UI thread
//         compares the two.
//         `traced/game` plays it four times in one process, without a trace and with one, in an order in which whatever drifts hits both alike.

import CBench
import Glibc
import Synchronization
import Tandem

@MainActor func game(_ options: Options) throws {
    let figures = try play(options, nil)
    metric("work_per_frame", "us", figures.work)
    metric("ui_thread_per_frame", "us", figures.uiThread)
    metric("late_p99", "us", figures.late)
    metric("cpu", "percent", figures.cpu)
    metric("overruns", "count", figures.overruns)
}

/// `first=plain` or `first=traced`; `file=none` leaves the trace out, which shows how much the figures differ by themselves.
@MainActor func tracedGame(_ options: Options) throws {
    let file = options.word("file", "none")
    let trace = try file == "none" ? nil : Trace(file: file)
    let isTracedFirst = options.word("first", "plain") == "traced"
    var (plain, traced) = (0.0, 0.0)
    for isOuter in [true, false, false, true] {
        if isOuter == isTracedFirst {
            traced += try play(options, trace).uiThread / 2
        } else {
            plain += try play(options, nil).uiThread / 2
        }
    }
    if let trace, trace.dropped > 0 { throw Failed("the trace dropped \(trace.dropped) events; is the machine busy?") }
    metric("plain_ui_thread_per_frame", "us", plain)
    metric("traced_ui_thread_per_frame", "us", traced)
}

/// Of each frame in microseconds: the work, and the UI thread's processor time; how late frames begin; the process's processor time in percent.
private struct GameFigures {
    let work: Double
    let uiThread: Double
    let late: Double
    let cpu: Double
    let overruns: Int
}

@MainActor private func play(_ options: Options, _ trace: Trace?) throws -> GameFigures {
    let seconds = try options.number("seconds", 5)
    let rate = try options.number("fps", 240)
    let connections = try options.number("sockets", 1000)
    let messages = try options.number("messages", 20_000)  // a second
    let timersPerSecond = try options.number("timers", 10_000)
    let size = 64

    let stage = try Stage(options, trace: trace)
    let loop = stage.loop
    let buffer = UnsafeMutableRawPointer.allocate(byteCount: 4096, alignment: 8)
    buffer.initializeMemory(as: UInt8.self, repeating: 1, count: 4096)
    var received = 0
    var senders: [Int32] = []
    defer {
        for sender in senders { close(sender) }
        buffer.deallocate()
    }
    for _ in 0..<connections {
        let (a, b) = try socketPair()
        senders.append(a)
        try stage.watch(b, options) {
            let count = read(b, buffer, 4096)
            if count > 0 { received += count / size }
        }
    }
    // A thousand timers that arm themselves anew, a tenth of a second apart on average.
    var random = XorShift(seed: 0x2545_F491_4F6C_DD1D)
    let standing = max(1, timersPerSecond / 10)
    var fired = 0
    func arm() {
        loop.callLater(.nanoseconds(Int64(random.below(200_000_000)))) {
            fired += 1
            arm()
        }
    }
    for _ in 0..<standing { arm() }

    let isOver = Atomic<Bool>(false)
    let feederTime = Atomic<Int64>(0)
    let feeder = Worker { [senders] in
        let message = [UInt8](repeating: 1, count: size)
        var random = XorShift(seed: 0x9E37_79B9_7F4A_7C15)
        var next = now()
        while !isOver.load(ordering: .relaxed) {
            // A millisecond's worth at a time.
            for _ in 0..<max(1, messages / 1000) {
                send(senders[random.below(senders.count)], message, size, Int32(MSG_NOSIGNAL))
            }
            next += 1_000_000
            bench_sleep_until(next)
        }
        feederTime.store(Usage(of: 1).nanoseconds, ordering: .releasing)
    }
    var work: Int64 = 0
    var late = Samples(capacity: seconds * rate)
    let period = 1_000_000_000 / Int64(rate)
    let overrunsBefore = loop.statistics.budgetOverruns
    let before = Usage()
    let begin = now()
    // The first tenth is warm-up.
    let warm = Int64(seconds * rate / 10)
    var ownTime: Int64 = 0
    func note(_ number: Int64, due: Int64, start: Int64, end: Int64) {
        if number == warm { ownTime = Usage(of: 1).nanoseconds }
        guard number > warm else { return }
        late.add(start - due)
        work += end - start
    }
    if options.word("frames", "own") == "frameloop" {
        var number: Int64 = 0
        var first: Int64?
        try stage.frameLoop(rate: rate, count: seconds * rate) { start in
            number += 1
            let origin = first ?? start
            first = origin
            note(number, due: origin + (number - 1) * period, start: start, end: now())
        }
    } else {
        for number in 1...Int64(seconds * rate) {
            let due = begin + number * period
            bench_sleep_until(due)
            let start = now()
            stage.frame()
            note(number, due: due, start: start, end: now())
        }
    }
    ownTime = Usage(of: 1).nanoseconds - ownTime
    let end = now()
    let after = Usage()
    isOver.store(true, ordering: .relaxed)
    feeder.join()
    let overruns = loop.statistics.budgetOverruns - overrunsBefore
    stage.close()
    guard received > 0, fired > 0 else { throw Failed("\(received) messages came and \(fired) timers") }
    let own = after.nanoseconds - before.nanoseconds - feederTime.load(ordering: .acquiring)
    return GameFigures(
        work: Double(work) / Double(late.count) / 1000, uiThread: Double(ownTime) / Double(late.count) / 1000,
        late: late.percentile(0.99) / 1000, cpu: 100 * Double(own) / Double(end - begin), overruns: overruns)
}
