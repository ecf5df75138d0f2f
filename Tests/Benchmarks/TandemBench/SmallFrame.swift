// SPDX-License-Identifier: Apache-2.0
// SmallFrame (W12): a game's small, cold frame. Per frame two threads post ten closures at random moments, five timers of 1 to 50 ms are armed and
//                   one is cancelled, eight datagrams are sent to a thread that sends them back, and three tasks wait for the frame. Before each
//                   frame 4 MB are written over, which empties the nearer caches, as drawing does; that time is taken off.
// Idea:   what counts is the processor time of the UI thread, and of all of the loop's. Everything that was begun is counted at its end.
//         frames=own: a program's own loop, which ticks and sleeps. frames=frameloop: a `FrameLoop`, which works when something comes.
//         with=handlers: closures instead of tasks, `everyFrame` and `whenReceived`.

import CBench
import Glibc
import Synchronization
import Tandem

private let (tasks, datagrams, timers, postsOfThread) = (3, 8, 5, 5)
private let cacheSize = 4 << 20

/// What happened, on the UI thread.
private final class Events: @unchecked Sendable {
    // Safe: the UI thread's.
    var (posted, fired, received, sent, resumed) = (0, 0, 0, 0, 0)
}

/// The processor time that the other threads of the workload, which are not the loop's, have used.
private let feederTime = Atomic<Int64>(0)

@MainActor func smallFrame(_ options: Options) throws {
    let (seconds, rate) = (try options.number("seconds", 5), try options.number("fps", 60))
    let usesHandlers = options.word("with", "tasks") == "handlers"
    let (count, period) = (seconds * rate, 1_000_000_000 / Int64(rate))
    let stage = try Stage(options)
    let loop = stage.loop
    let events = Events()
    let isOver = Atomic<Bool>(false)

    // Datagrams.
    let (mirror, mirrorEnd) = try Worker.mirror(on: loop)
    let udp = try UDPSocket.connected(to: mirrorEnd.localAddress, on: loop)
    let (incoming, outgoing) = (DatagramBatch(capacity: 64), DatagramBatch(capacity: datagrams))
    for _ in 0..<datagrams { outgoing.append([UInt8](repeating: 1, count: 64)) }

    // Timers.
    var random = XorShift(seed: 0x2545_F491_4F6C_DD1D)
    func armTimers() {
        for number in 0..<timers {
            let handle = loop.callLater(.nanoseconds(1_000_000 + Int64(random.below(49_000_000)))) { events.fired += 1 }
            if number == 0 { handle.cancel() }
        }
    }

    // What waits for the frame: three, of which one sends.
    if usesHandlers {
        _ = try udp.whenReceived(incoming) { events.received += $0.count }
        for number in 0..<tasks {
            loop.everyFrame { _ in
                events.resumed += 1
                if number == 0, try udp.sendNow(outgoing) { events.sent += datagrams }
            }
        }
    } else {
        stage.start {
            while true { events.received += try await udp.receive(incoming) }
        }
        for number in 0..<tasks {
            stage.start {
                while true {
                    _ = try await loop.nextFrame()
                    events.resumed += 1
                    guard number == 0 else { continue }
                    try await udp.send(outgoing)
                    events.sent += datagrams
                }
            }
        }
    }

    // Posts.
    let posted = Atomic<Int>(0)
    let posters = (1...2).map { seed in
        Worker {
            var random = XorShift(seed: UInt64(seed) &* 0x9E37_79B9_7F4A_7C15)
            var next = now()
            while !isOver.load(ordering: .relaxed) {
                if (try? loop.post { events.posted += 1 }) != nil { posted.add(1, ordering: .relaxed) }
                next += Int64(random.below(Int(2 * period) / postsOfThread))
                bench_sleep_until(next)
            }
            feederTime.add(bench_thread_time(), ordering: .relaxed)
        }
    }

    let cache = UnsafeMutableRawPointer.allocate(byteCount: cacheSize, alignment: 64)
    var cacheTime: Int64 = 0
    func emptyCaches(_ number: Int) {
        let before = bench_thread_time()
        memset(cache, Int32(number & 0xFF), cacheSize)
        cacheTime += bench_thread_time() - before
    }
    let (ownBefore, allBefore) = (bench_thread_time(), Usage().nanoseconds)
    if options.word("frames", "own") == "frameloop" {
        var number = 0
        try stage.frameLoop(rate: rate, count: count) { _ in
            armTimers()
            emptyCaches(number)
            number += 1
        }
    } else {
        let begin = now()
        for number in 0..<count {
            bench_sleep_until(begin + Int64(number) * period)
            emptyCaches(number)
            armTimers()
            stage.frame()
        }
    }
    let own = bench_thread_time() - ownBefore - cacheTime
    isOver.store(true, ordering: .relaxed)
    for poster in posters { poster.join() }
    // A datagram that ends the thread.
    _ = try udp.sendNow([0])
    mirror.join()
    let all = Usage().nanoseconds - allBefore - cacheTime - feederTime.load(ordering: .relaxed)
    stage.close()
    let expected = count * tasks
    guard events.posted + 20 >= posted.load(ordering: .relaxed), events.resumed + tasks * 2 >= expected,
        events.sent >= (count - 2) * datagrams, events.received * 100 >= events.sent * 98,
        events.fired * 100 >= (count - rate / 10) * (timers - 1) * 98
    else {
        throw Failed(
            "in \(count) frames \(events.posted) of \(posted.load(ordering: .relaxed)) posts ran, \(events.fired) timers fired, \(events.received) of \(events.sent) datagrams came back, tasks went on \(events.resumed) times"
        )
    }
    metric("ui_thread_per_frame", "us", Double(own) / Double(count) / 1000)
    metric("all_threads_per_frame", "us", Double(all) / Double(count) / 1000)
}

extension Worker {
    /// A thread that sends each datagram back; one of a single byte ends it.
    fileprivate static func mirror(on loop: GuestLoop) throws -> (Worker, UDPSocket) {
        let end = try UDPSocket(on: loop, at: .loopback(port: 0))
        let fd = end.socket.descriptor.rawValue
        // It sleeps in its receive.
        guard fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) == 0 else { throw Failed("fcntl failed") }
        let worker = Worker {
            var bytes = [UInt8](repeating: 0, count: 64)
            var from = sockaddr_storage()
            while true {
                var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
                let count = withUnsafeMutablePointer(to: &from) {
                    // Safe: sockaddr_storage is made to be read and written as any address.
                    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                        let count = recvfrom(fd, &bytes, bytes.count, 0, address, &size)
                        return count > 1 ? sendto(fd, bytes, count, 0, address, size) : count
                    }
                }
                if count <= 1 { break }
            }
            feederTime.add(bench_thread_time(), ordering: .relaxed)
        }
        return (worker, end)
    }
}
