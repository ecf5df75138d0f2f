// SPDX-License-Identifier: Apache-2.0
// SmallFrame (W12): `FrameWork` on Tandem.
// Idea:   frames=tick: a program's own loop, which ticks once a frame and sleeps. frames=wait: its own loop, which sleeps in `waitEvent` until the
//         frame's instant and ticks whenever that ends; only the tick at the instant is a frame for the tasks that wait for one. frames=frameloop: a
//         `FrameLoop`, which works when something comes.
//         with=handlers: closures instead of tasks, `everyFrame` and `whenReceived`.

import CBench
import Glibc
import Tandem

@MainActor func smallFrame(_ options: Options) throws {
    let port = try mirrorPort()
    let work = try FrameWork(options)
    let counts = work.counts
    let frames = options.word("frames", "tick")
    let stage = try Stage(options, ticksRegularly: frames == "tick")
    let loop = stage.loop
    let udp = try UDPSocket.connected(to: .loopback(port: port), on: loop)
    let (incoming, outgoing) = (DatagramBatch(capacity: 64), DatagramBatch(capacity: FramePart.datagrams))
    for _ in 0..<FramePart.datagrams { outgoing.append(FramePart.datagram) }

    switch options.word("with", "tasks") {
    case "handlers":
        _ = try udp.whenReceived(incoming) { counts.received += $0.count }
        for number in 0..<FramePart.tasks {
            loop.everyFrame { _ in
                if work.resumes(number), try udp.sendNow(outgoing) { counts.sent += outgoing.sentCount }
            }
        }
    case "tasks":
        stage.start {
            while true { counts.received += try await udp.receive(incoming) }
        }
        for number in 0..<FramePart.tasks {
            stage.start {
                while true {
                    _ = try await loop.nextFrame()
                    guard work.resumes(number) else { continue }
                    try await udp.send(outgoing)
                    counts.sent += outgoing.sentCount
                }
            }
        }
    default: throw Unsupported("with=\(options.word("with", "")): expected tasks or handlers")
    }
    work.startPosters { (try? loop.post { counts.ran += 1 }) != nil }

    func armTimers() {
        work.armTimers { delay in
            loop.callLater(.nanoseconds(delay)) { counts.fired += 1 }
        } cancel: {
            $0.cancel()
        }
    }
    switch frames {
    case "frameloop":
        var number = 0
        try stage.frameLoop(rate: work.rate, count: work.frames) { _ in
            work.begin(number)
            armTimers()
            number += 1
        }
    case "tick", "wait":
        let begin = now()
        for number in 0..<work.frames {
            let instant = begin + Int64(number) * work.period
            if frames == "wait" { stage.rest(until: instant) } else { bench_sleep_until(instant) }
            work.begin(number)
            armTimers()
            stage.frame()
        }
    default: throw Unsupported("frames=\(frames): expected tick, wait or frameloop")
    }
    stage.close()
    try work.finish()
}
