// SPDX-License-Identifier: Apache-2.0
// Timers (W3, W3c, W4): many at once, many cancelled, and one that repeats.
// Idea:   each timer has a closure of its own, as a game's have. As many were armed and called off before, so that the memory is
//         the process's already: the peers touch theirs, too. What is measured allocates its closures all the same.

import Tandem

@MainActor func timers(_ options: Options) throws {
    let count = try options.number("n", 100_000)
    let span = 1_000_000_000  // nanoseconds

    let stage = try Stage(options)
    let loop = stage.loop
    var random = XorShift(seed: 0x2545_F491_4F6C_DD1D)
    let delays = (0..<count).map { _ in Int64(random.below(span)) }
    let seen = Seen(count)
    warmUp(loop, delays) { deadline in { seen.add(now() - deadline) } }
    // In this order: what is measured can only be later than what was asked for.
    let startTime = now()
    let start = loop.now
    let begin = now()
    for delay in delays {
        let deadline = startTime + delay
        loop.callAt(start.advanced(by: .nanoseconds(delay))) {
            seen.add(now() - deadline)
        }
    }
    let armed = now()
    stage.rest { seen.late.count == count }
    stage.close()
    metric("insert", "ns", Double(armed - begin) / Double(count))
    metric("late_p50", "us", seen.late.percentile(0.5) / 1000)
    metric("late_p99", "us", seen.late.percentile(0.99) / 1000)
    metric("early", "count", seen.early)
}

/// Arms a timer for each delay, out of the way of those that are measured, and calls them off in the order of arming.
@discardableResult @MainActor private func warmUp(_ loop: GuestLoop, _ delays: [Int64], _ body: (Int64) -> () -> Void)
    -> [CallbackHandle]
{
    let start = loop.now.advanced(by: .seconds(1000))
    let handles = delays.map { loop.callAt(start.advanced(by: .nanoseconds($0)), body($0)) }
    for handle in handles { handle.cancel() }
    return handles
}

/// What the timers saw. One object, so that a closure captures one reference and its deadline.
@MainActor private final class Seen {
    private(set) var late: Samples
    private(set) var early = 0

    init(_ count: Int) { late = Samples(capacity: count) }

    func add(_ lateness: Int64) {
        if lateness < 0 { early += 1 }
        late.add(lateness)
    }
}

@MainActor func cancel(_ options: Options) throws {
    let count = try options.number("n", 1_000_000)
    let span = 1_000_000_000  // nanoseconds

    let stage = try Stage(options, standard: "none")
    let loop = stage.loop
    var random = XorShift(seed: 0x2545_F491_4F6C_DD1D)
    let delays = (0..<count).map { _ in Int64(random.below(span)) + 100_000_000_000 }
    var order = Array(0..<count)
    for index in stride(from: count - 1, to: 0, by: -1) { order.swapAt(index, random.below(index + 1)) }
    var fired = 0
    var handles = warmUp(loop, delays) { _ in { fired += 1 } }
    handles.removeAll(keepingCapacity: true)
    let start = loop.now
    let begin = now()
    for delay in delays { handles.append(loop.callAt(start.advanced(by: .nanoseconds(delay))) { fired += 1 }) }
    let armed = now()
    for index in order { handles[index].cancel() }
    let end = now()
    guard loop.statistics.timers == 0, fired == 0 else { throw Failed("timers were left") }
    stage.close()
    metric("start", "ns", Double(armed - begin) / Double(count))
    metric("cancel", "ns", Double(end - armed) / Double(count))
    metric("sum", "ns", Double(end - begin) / Double(count))
}

@MainActor func periodic(_ options: Options) throws {
    let count = try options.number("n", 1000)
    let period = Duration.milliseconds(try options.number("period_ms", 5))

    let stage = try Stage(options)
    let loop = stage.loop
    var late = Samples(capacity: count)
    let start = loop.now
    var deadline = start
    /// A repeat that keeps its phase: the next deadline counts from the last one.
    func arm() {
        deadline += period
        loop.callAt(deadline) {
            late.add((deadline.duration(to: loop.now)).whole)
            if late.count < count { arm() }
        }
    }
    arm()
    stage.rest { late.count == count }
    let drift = (start + period * count).duration(to: loop.now)
    stage.close()
    metric("drift", "ms", Double(drift.whole) / 1_000_000)
    metric("late_p50", "us", late.percentile(0.5) / 1000)
    metric("late_p99", "us", late.percentile(0.99) / 1000)
}

extension Duration {
    /// Nanoseconds.
    var whole: Int64 { components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000 }
}
