// SPDX-License-Identifier: Apache-2.0
// TimerAndPostBursts: ten or a thousand posts from another thread while the UI thread sleeps; ten or a thousand timers.

import CBench
import Glibc
import Synchronization
import Tandem
import TandemCLinux

// Safe: counted on the UI thread, read there. Not captured, as in `posts`.
private nonisolated(unsafe) var ran = 0

@MainActor func burstOfPosts(_ options: Options) throws {
    let count = try options.number("n", 10)
    let bursts = try Bursts(options)
    let stage = try Stage(options)
    let loop = stage.loop
    let bell = eventfd(0, Int32(EFD_CLOEXEC))
    guard bell >= 0 else { throw Failed("eventfd gave no descriptor") }
    let began = Atomic<Int64>(0)
    let isOver = Atomic<Bool>(false)
    let poster = Worker {
        while true {
            var value: eventfd_t = 0
            eventfd_read(bell, &value)
            if isOver.load(ordering: .acquiring) { return }
            began.store(now(), ordering: .releasing)
            for _ in 0..<count { try? loop.post { ran += 1 } }
        }
    }
    bursts.measure([""]) {
        ran = 0
        eventfd_write(bell, 1)
        stage.rest { ran == count }
        return [now() - began.load(ordering: .acquiring)]
    }
    isOver.store(true, ordering: .releasing)
    eventfd_write(bell, 1)
    poster.join()
    stage.close()
}

/// `insert`: timers with deadlines over a second are armed. `fired`: as many that are due at once are armed, and fire.
@MainActor func burstOfTimers(_ options: Options) throws {
    let count = try options.number("n", 1000)
    let bursts = try Bursts(options)
    let stage = try Stage(options)
    let loop = stage.loop
    var random = XorShift(seed: 0x2545_F491_4F6C_DD1D)
    let delays = (0..<count).map { _ in Duration.nanoseconds(1_000_000_000 + random.below(1_000_000_000)) }
    var handles: [CallbackHandle] = []
    handles.reserveCapacity(count)
    var fired = 0
    bursts.measure(["insert_", "fired_"]) {
        let begin = now()
        for delay in delays { handles.append(loop.callLater(delay) { fired += 1 }) }
        let armed = now()
        for handle in handles { handle.cancel() }
        handles.removeAll(keepingCapacity: true)
        stage.frame()
        fired = 0
        let second = now()
        for _ in 0..<count { loop.callLater(.zero) { fired += 1 } }
        while fired < count { stage.frame() }
        return [armed - begin, now() - second]
    }
    stage.close()
}
