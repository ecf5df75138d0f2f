// SPDX-License-Identifier: Apache-2.0
// Wake (W1): how long a byte takes from another thread to the callback on the UI thread.
// Idea:   the time is in the bytes: a thread writes the clock into a pipe, at distances that nobody can learn.

import CBench
import Glibc
import SystemPackage

@MainActor func wake(_ options: Options) throws {
    let count = try options.number("n", 3000)
    let mode = options.word("mode", "idle")
    let distance = (least: 500_000, spread: 1_000_000)  // nanoseconds

    let stage = try Stage(options, ticksRegularly: mode == "spin")
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { throw Failed("pipe gave no descriptors") }
    let (reader, writer) = (ends[0], ends[1])
    // The first tenth is warm-up.
    let warm = count / 10
    var received = 0
    var latencies = Samples(capacity: count)
    let watch = try stage.loop.whenReadable(FileDescriptor(rawValue: reader)) {
        var sent: Int64 = 0
        guard read(reader, &sent, 8) == 8 else { return }
        received += 1
        if received > warm { latencies.add(now() - sent) }
    }
    let thread = Worker {
        var random = XorShift(seed: 0x9E37_79B9_7F4A_7C15)
        var next = now()
        for _ in 0..<count {
            next += Int64(distance.least + random.below(distance.spread))
            bench_sleep_until(next)
            var sent = now()
            write(writer, &sent, 8)
        }
    }
    switch mode {
    case "idle": stage.rest { received == count }
    case "spin": while received < count { stage.frame() }
    default: throw Unsupported("mode=\(mode): expected idle or spin")
    }
    thread.join()
    watch.cancel()
    stage.close()
    metric("p50", "us", latencies.percentile(0.5) / 1000)
    metric("p99", "us", latencies.percentile(0.99) / 1000)
}
