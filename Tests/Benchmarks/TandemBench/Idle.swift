// SPDX-License-Identifier: Apache-2.0
// Idle (W6, W7): what it costs to have nothing to do: asleep, and in a frame's tick.

import Glibc
import SystemPackage
import Tandem
import TandemCLinux

@MainActor func idle(_ options: Options) throws {
    let seconds = try options.number("seconds", 10)

    let stage = try Stage(options)
    let loop = stage.loop
    var fired = 0
    var deadline = loop.now
    func arm() {
        deadline += .seconds(1)
        loop.callAt(deadline) {
            fired += 1
            arm()
        }
    }
    arm()
    // The first second is warm-up, the next ones count.
    stage.rest { fired == 1 }
    let (before, ownBefore) = (Usage(), Usage(of: 1))
    stage.rest { fired == seconds + 1 }
    let (after, ownAfter) = (Usage(), Usage(of: 1))
    stage.close()
    metric("cpu", "ms", Double(after.nanoseconds - before.nanoseconds) / 1e6)
    metric("switches", "count", after.switches - before.switches)
    metric("wakeups", "count", ownAfter.wakeups - ownBefore.wakeups)
}

@MainActor func idleTick(_ options: Options) throws {
    let descriptors = try options.number("fds", 1)
    let count = try options.number("n", 5_000_000)

    let stage = try Stage(options, standard: "none")
    let loop = stage.loop
    var watches: [IOHandle] = []
    for _ in 0..<descriptors {
        let descriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard descriptor >= 0 else { throw Failed("eventfd gave no descriptor") }
        watches.append(try loop.whenReadable(FileDescriptor(rawValue: descriptor)) {})
    }
    let timer = loop.callLater(.seconds(10_000)) {}
    usleep(1000)
    while loop.hasWork { loop.tick() }
    let begin = now()
    for _ in 0..<count { loop.tick() }
    let end = now()
    timer.cancel()
    for watch in watches { watch.cancel() }
    stage.close()
    metric("tick", "ns", Double(end - begin) / Double(count))
}
