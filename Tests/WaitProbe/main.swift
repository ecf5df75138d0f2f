// SPDX-License-Identifier: Apache-2.0
// WaitProbe: what happens to waits when the machine is suspended under them, or when something closes their descriptors: in a program of its own,
// since both happen to the whole process. Prints a line for each fact, and "ok" last.
//
// WaitProbe headless|headlessKept|ownLoop|frameLoop|waitEvent|waitEventKept|timeout|sdlTimeout|backendIsLate|closedBell|closedTurn|
//           closedWakes|closedAsleep|closedAsleepKept|closedTimer|refusedSleeps

import CWaitProbe
import Foundation
import SystemPackage
import TandemSDL

setenv("SDL_VIDEODRIVER", "dummy", 1)
SDL_Init(SDL_INIT_VIDEO)
let hour = Duration.seconds(3600)
let twoHours: Int64 = 7_200_000_000_000
var failures = 0

@MainActor func check(_ fact: String, _ holds: Bool) {
    print("\(holds ? "yes" : "NO"): \(fact)")
    if !holds { failures += 1 }
}

/// By a clock that no suspend touches.
func monotonic() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// Suspends the machine for two hours, once the main thread has fallen asleep.
func suspendSoon() {
    Thread.detachNewThread {
        usleep(300_000)
        probe_suspend(twoHours, true)
    }
}

/// What must not take an hour ends after ten seconds, so that it is told instead of waited for.
func giveUpLater(_ body: @escaping @Sendable () -> Void) {
    Thread.detachNewThread {
        sleep(10)
        body()
    }
}

@MainActor func checkPromptness(since start: Double, _ statistics: Statistics, ticksBefore: Int) {
    check("it was asleep before, and woken at once: \(monotonic() - start) s", (0.25..<5).contains(monotonic() - start))
    let ticks = statistics.ticks - ticksBefore
    check("it did not look for it all the time: \(ticks) ticks", ticks < 50)
}

@MainActor func headless(keepsTurn: Bool) throws {
    let host = try HeadlessHost()
    defer { host.close() }
    let pipe = try FileDescriptor.pipe()
    if keepsTurn {
        var isRead = false
        _ = try host.loop.whenReadable(pipe.readEnd) {
            _ = try withUnsafeTemporaryAllocation(byteCount: 1, alignment: 1) { try pipe.readEnd.read(into: $0) }
            isRead = true
        }
        _ = try pipe.writeEnd.writeAll([1])
        check("a descriptor is served", host.run(within: .seconds(10)) { isRead })
    }
    var hasFired = false
    host.loop.callLater(hour) { hasFired = true }
    let (start, ticks) = (monotonic(), host.loop.statistics.ticks)
    suspendSoon()
    giveUpLater { host.stop() }
    giveUpLater { try? host.loop.post {} }
    while !hasFired, monotonic() < start + 10 {
        _ = host.run(within: .seconds(3 * 3600)) { hasFired || monotonic() >= start + 10 }
    }
    check("the timer has fired", hasFired)
    checkPromptness(since: start, host.loop.statistics, ticksBefore: ticks)
}

@MainActor func withGuest(_ body: (SDLGuest) throws -> Void) throws {
    let guest = try SDLGuest()
    defer { guest.close() }
    try body(guest)
}

@MainActor func ownLoop(_ guest: SDLGuest) {
    var hasFired = false
    guest.loop.callLater(hour) { hasFired = true }
    guest.tick()
    let start = monotonic()
    suspendSoon()
    var event = SDL_Event()
    while !hasFired, monotonic() < start + 10 {
        while SDL_PollEvent(&event) != 0 { _ = guest.handle(event) }
        guest.tick()
        usleep(16_000)
    }
    check("the timer has fired in one of the frames", hasFired)
    check("at once: \(monotonic() - start) s", (0.25..<5).contains(monotonic() - start))
}

@MainActor func frameLoop(_ guest: SDLGuest) {
    var hasFired = false
    guest.loop.callLater(hour) { hasFired = true }
    let (start, ticks) = (monotonic(), guest.loop.statistics.ticks)
    suspendSoon()
    let frames = FrameLoop(guest, pace: .fixed(framesPerSecond: 60))
    let count = frames.run(update: { _ in if hasFired || monotonic() > start + 10 { frames.stop() } })
    check("the timer has fired in one of the frames", hasFired)
    check("at once: \(monotonic() - start) s", (0.25..<5).contains(monotonic() - start))
    let others = guest.loop.statistics.ticks - ticks - count
    check("no more ticks than frames, but for some: \(others)", others < 50)
}

@MainActor func waitEvent(_ guest: SDLGuest, keepsTurn: Bool) throws {
    let pipe = try FileDescriptor.pipe()
    var event = SDL_Event()
    if keepsTurn {
        var isRead = false
        _ = try guest.loop.whenReadable(pipe.readEnd) {
            _ = try withUnsafeTemporaryAllocation(byteCount: 1, alignment: 1) { try pipe.readEnd.read(into: $0) }
            isRead = true
        }
        _ = try pipe.writeEnd.writeAll([1])
        while !isRead {
            _ = guest.waitEvent(&event, timeout: .seconds(10))
            guest.tick()
        }
    }
    var hasFired = false
    guest.loop.callLater(hour) { hasFired = true }
    guest.tick()
    let (start, ticks) = (monotonic(), guest.loop.statistics.ticks)
    suspendSoon()
    giveUpLater { [loop = guest.loop] in try? loop.post {} }
    while !hasFired, monotonic() < start + 10 {
        _ = guest.waitEvent(&event)
        guest.tick()
    }
    check("the timer has fired", hasFired)
    checkPromptness(since: start, guest.loop.statistics, ticksBefore: ticks)
}

@MainActor func timeout(_ guest: SDLGuest, throughSDL: Bool) {
    guest.forcesSDLWait = throughSDL
    var event = SDL_Event()
    while guest.waitEvent(&event, timeout: .zero) {}
    guest.tick()
    let (start, ticks) = (monotonic(), guest.loop.statistics.ticks)
    let end = guest.loop.now + hour
    suspendSoon()
    giveUpLater { [loop = guest.loop] in try? loop.post {} }
    while guest.loop.now < end, monotonic() < start + 10 {
        _ = guest.waitEvent(&event, timeout: guest.loop.now.duration(to: end))
        guest.tick()
    }
    check("the wait has timed out", guest.loop.now >= end)
    checkPromptness(since: start, guest.loop.statistics, ticksBefore: ticks)
}

/// The clock shows the new time, and nobody has been woken by it yet.
@MainActor func backendIsLate(_ guest: SDLGuest) {
    var hasFired = false
    guest.loop.callLater(hour) { hasFired = true }
    guest.tick()
    usleep(100_000)
    check("nothing is due", !guest.loop.hasWork)
    probe_suspend(twoHours, false)
    check("there is work", guest.loop.hasWork)
    guest.tick()
    check("the tick has done it", hasFired)
    check("nothing is left", !guest.loop.hasWork)
}

final class WakerHost: GuestHost {
    let waker: Waker
    init() throws { waker = try Waker() }
    func requestTick() -> Bool {
        waker.wakeForLoop()
        return true
    }
}

/// Sleeps and ticks for so long, or until `condition` holds.
@MainActor func work(_ loop: GuestLoop, _ waker: Waker, seconds: Double, until condition: () -> Bool = { false }) {
    let end = loop.now + .seconds(seconds)
    _ = loop.wait(on: waker, until: end, work: .runs) { _ in condition() ? .ends : .goesOn }
}

/// The kernel's line about the main thread. Opened once: a file that is opened later could get the number of a closed eventfd.
let mainThread = open("/proc/self/task/\(getpid())/stat", O_RDONLY)

/// Whether the main thread sleeps in the kernel.
func mainThreadSleeps() -> Bool {
    var line = [UInt8](repeating: 0, count: 256)
    let count = pread(mainThread, &line, line.count, 0)
    // The state follows the program's name, which stands in parentheses.
    guard let name = line.prefix(max(count, 0)).lastIndex(of: UInt8(ascii: ")")) else { return false }
    return line.dropFirst(name + 2).first == UInt8(ascii: "S")
}

/// The kernel refuses each ppoll, since the limit of open files is below the number of descriptors that one is asked for.
@MainActor func refusedSleeps() throws {
    alarm(60)
    let host = try WakerHost()
    let loop = try GuestLoop(host: host)
    defer { loop.close() }
    let pipe = try FileDescriptor.pipe()
    var bytes = 0
    _ = try loop.whenReadable(pipe.readEnd) {
        bytes += try withUnsafeTemporaryAllocation(byteCount: 1, alignment: 1) { try pipe.readEnd.read(into: $0) }
    }
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    let usual = limit
    limit.rlim_cur = 1
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    var none = [pollfd](repeating: pollfd(fd: -1, events: 0, revents: 0), count: 2)
    check("the kernel refuses two descriptors", poll(&none, 2, 0) < 0 && errno == EINVAL)
    // No timer runs meanwhile, whose tick would poll.
    for round in 1...10 {
        Thread.detachNewThread {
            usleep(5000)
            _ = try? pipe.writeEnd.writeAll([1])
        }
        work(loop, host.waker, seconds: 10) { bytes == round }
    }
    check("a descriptor is seen to be ready", bytes == 10)
    var posts = 0
    for round in 1...10 {
        Thread.detachNewThread {
            usleep(5000)
            try? loop.post { MainActor.assumeIsolated { posts += 1 } }
        }
        work(loop, host.waker, seconds: 10) { posts == round }
    }
    check("posts arrive", posts == 10)
    var hasFired = false
    loop.callLater(.milliseconds(20)) { hasFired = true }
    work(loop, host.waker, seconds: 10) { hasFired }
    check("a timer fires", hasFired)
    let before = probe_processor_time()
    work(loop, host.waker, seconds: 0.5)
    // In frames, so that the backend waits for the turn by the same call.
    for _ in 0..<50 {
        usleep(10_000)
        loop.tick()
    }
    let spent = probe_processor_time() - before
    check("a second of waits took \(spent) ns", spent < 400_000_000)
    limit = usual
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
}

switch CommandLine.arguments.last {
case "headless": try headless(keepsTurn: false)
case "headlessKept": try headless(keepsTurn: true)
case "ownLoop": try withGuest(ownLoop)
case "frameLoop": try withGuest(frameLoop)
case "waitEvent": try withGuest { try waitEvent($0, keepsTurn: false) }
case "waitEventKept": try withGuest { try waitEvent($0, keepsTurn: true) }
case "timeout": try withGuest { timeout($0, throughSDL: false) }
case "sdlTimeout": try withGuest { timeout($0, throughSDL: true) }
case "backendIsLate": try withGuest(backendIsLate)
case "closedBell": try closedBell()
case "closedTurn": try closedTurn()
case "closedWakes": try closedWakes()
case "closedAsleep": try closedAsleep(keepsTurn: false)
case "closedAsleepKept": try closedAsleep(keepsTurn: true)
case "closedTimer": try closedTimer()
case "refusedSleeps": try refusedSleeps()
default: check("the argument is one of those above", false)
}
print(failures == 0 ? "ok" : "\(failures) failed")
exit(failures == 0 ? 0 : 1)
