// SPDX-License-Identifier: Apache-2.0
// FrameWork (W12): a game's small, cold frame, for whatever subject: ten closures are posted by two threads at random moments, five timers of 1 to
//                  50 ms are armed and one is cancelled, eight datagrams go to another process and come back, and three tasks wait for the frame.
//                  Before each frame 4 MB are written over, which empties the nearer caches, as drawing does; that time is taken off.
// Idea:   what counts is the processor time of the UI thread, and of all of the process, whose posters are in it: posting costs, too. Some frames
//         are warm-up. At the end what is under way comes to its end, and everything that was begun is counted: who has lost something fails.
// Owner:  the UI thread, but for the posters.

import CBench
import Glibc
import Synchronization

/// How many of each thing a frame has.
enum FramePart {
    static let (tasks, datagrams, timers, postsOfThread) = (3, 8, 5, 5)
    static let datagram = [UInt8](repeating: 1, count: 64)
}

/// What happened, on the UI thread.
final class FrameCounts: @unchecked Sendable {
    // Safe: the UI thread's.
    var (ran, armed, fired, sent, received, resumed) = (0, 0, 0, 0, 0, 0)
}

@MainActor
final class FrameWork {
    let counts = FrameCounts()
    let rate: Int
    /// The length of a frame in nanoseconds.
    let period: Int64
    /// All frames: those before the measured ones, the measured ones, those after them.
    let frames: Int
    /// Whether this frame arms timers and posts; no more when the last ones come to their end.
    private(set) var isWorking = true
    private var maySend = false
    private let (warm, last): (Int, Int)
    private var random = XorShift(seed: 0x2545_F491_4F6C_DD1D)
    private let coldSize: Int
    private let cache: UnsafeMutableRawPointer
    private var coldTime: Int64 = 0
    private var posters: [Worker] = []
    private let posts = Posts()
    private var marks: [Mark] = []

    private final class Posts: Sendable {
        let count = Atomic<Int>(0)
        let isOver = Atomic<Bool>(false)
    }

    private struct Mark {
        let (own, all, cold, sleeps, sent, resumed): (Int64, Int64, Int64, Int, Int, Int)
    }

    init(_ options: Options) throws {
        rate = try options.number("fps", 60)
        period = 1_000_000_000 / Int64(rate)
        warm = rate / 2
        last = warm + rate * (try options.number("seconds", 5))
        frames = last + rate
        coldSize = try options.number("cold_mb", 4, least: 0) << 20
        cache = UnsafeMutableRawPointer.allocate(byteCount: coldSize + 1, alignment: 64)
    }

    /// Two threads that call `post`, which says whether it was accepted.
    func startPosters(_ post: @escaping @Sendable () -> Bool) {
        let (posts, period) = (posts, period)
        posters = (1...2).map { seed in
            Worker {
                var random = XorShift(seed: UInt64(seed) &* 0x9E37_79B9_7F4A_7C15)
                var next = now()
                while !posts.isOver.load(ordering: .relaxed) {
                    if post() { posts.count.add(1, ordering: .relaxed) }
                    next += Int64(random.below(Int(2 * period) / FramePart.postsOfThread))
                    bench_sleep_until(next)
                }
            }
        }
    }

    /// The frame's instant has come.
    func begin(_ number: Int) {
        if number == warm { mark() }
        if number == last {
            mark()
            isWorking = false
            stopPosters()
        }
        maySend = isWorking
        guard coldSize > 0 else { return }
        let before = bench_thread_time()
        memset(cache, Int32(number & 0xFF), coldSize)
        coldTime += bench_thread_time() - before
    }

    /// Arms this frame's timers: 1 to 50 ms, in nanoseconds.
    func armTimers<Timer>(_ arm: (Int64) -> Timer, cancel: (Timer) -> Void) {
        guard isWorking else { return }
        for number in 0..<FramePart.timers {
            let timer = arm(1_000_000 + Int64(random.below(49_000_000)))
            if number == 0 { cancel(timer) } else { counts.armed += 1 }
        }
    }

    /// A task went on. Whether it is to send this frame's datagrams: the first one once a frame.
    func resumes(_ number: Int) -> Bool {
        counts.resumed += 1
        guard number == 0, maySend else { return false }
        maySend = false
        return true
    }

    private func mark() {
        marks.append(
            Mark(
                own: bench_thread_time(), all: Usage().nanoseconds, cold: coldTime, sleeps: Usage(of: 1).wakeups,
                sent: counts.sent, resumed: counts.resumed))
    }

    private func stopPosters() {
        posts.isOver.store(true, ordering: .relaxed)
        for poster in posters { poster.join() }
        posters = []
    }

    /// After the last frame. `mayMiss`: the subject does not say that a task goes on in the frame that it waited for, nor that a cancelled timer
    /// stays away.
    func finish(mayMiss: Bool = false) throws {
        stopPosters()
        bench_far_end()
        guard marks.count == 2 else { throw Failed("the frames ended before the last one") }
        let (first, end, count) = (marks[0], marks[1], last - warm)
        let resumed = end.resumed - first.resumed
        var lost: [String] = []
        func check(_ name: String, _ begun: Int, _ done: Int) {
            if begun != done { lost.append("\(done) of \(begun) \(name)") }
        }
        check("posts ran", posts.count.load(ordering: .relaxed), counts.ran)
        check("timers fired", counts.armed, mayMiss ? min(counts.armed, counts.fired) : counts.fired)
        check("datagrams came back", counts.sent, counts.received)
        // Who cannot do all within a frame goes on in the next one, and has missed one: that is late, and not lost, but only now and then.
        let expected = count * FramePart.tasks
        let missed = max(0, expected - resumed)
        let unsent = count * FramePart.datagrams - (end.sent - first.sent)
        if missed * 50 > expected, !mayMiss { lost.append("\(missed) of \(expected) waits missed their frame") }
        if unsent * 50 > count * FramePart.datagrams, !mayMiss { lost.append("\(unsent) datagrams were not sent") }
        guard lost.isEmpty else { throw Failed("something was lost: \(lost.joined(separator: ", "))") }

        let cold = end.cold - first.cold
        func perFrame(_ time: Int64) -> Double { Double(time) / Double(count) / 1000 }
        metric("ui_thread_per_frame", "us", perFrame(end.own - first.own - cold))
        metric("all_threads_per_frame", "us", perFrame(end.all - first.all - cold))
        metric("sleeps_per_frame", "count", Double(end.sleeps - first.sleeps) / Double(count))
        metric("missed", mayMiss ? "count" : "events", missed)
        metric("posted", "events", counts.ran)
        metric("fired", "events", counts.fired)
        metric("sent", "events", counts.sent)
        metric("received", "events", counts.received)
        metric("resumed", "events", counts.resumed)
    }
}

/// The port of a process that sends every datagram back. To be asked for before the program has threads.
func mirrorPort() throws -> UInt16 {
    let port = bench_mirror_start()
    guard port >= 0 else { throw Failed("the mirror did not start") }
    return UInt16(port)
}
