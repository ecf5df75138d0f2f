// SPDX-License-Identifier: Apache-2.0
// LeastBursts: ten or a thousand timers at once. As in TandemBench; the turns look at SDL's queue, too.
// Owner:  the main thread.

import CBench

@MainActor func leastBurstOfTimers(_ options: Options) throws {
    try startSDL(options)
    let count = try options.number("n", 1000)
    let bursts = try Bursts(options)
    let timers = LeastTimers()
    var random = XorShift(seed: 0x2545_F491_4F6C_DD1D)
    let delays = (0..<count).map { _ in 1_000_000_000 + Int64(random.below(1_000_000_000)) }
    var handles: [LeastTimers.Handle] = []
    handles.reserveCapacity(count)
    var fired = 0
    bursts.measure(["insert_", "fired_"]) {
        let begin = now()
        for delay in delays { handles.append(timers.arm(delay) { fired += 1 }) }
        let armed = now()
        timers.removeAll()
        handles.removeAll(keepingCapacity: true)
        takeEvents()
        fired = 0
        let second = now()
        for _ in 0..<count { _ = timers.arm(0) { fired += 1 } }
        while fired < count {
            takeEvents()
            timers.fire { _ in }
        }
        return [armed - begin, now() - second]
    }
}
