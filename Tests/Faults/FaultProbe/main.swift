// SPDX-License-Identifier: Apache-2.0
// FaultProbe: does everything that Tandem asks the kernel, the C library and SDL for, a part at a time, and says what became of it. `Tests/Faults/run`
// starts it again and again, with one of its calls failing each time.
//
// On SDL's dummy driver, unless SDL_VIDEODRIVER names another. The part `asleep` is for `Tests/OtherSDLs/run`: a game that sleeps until its display ends.
//
// FaultProbe PART    prints one line: OUTCOME TAB DETAIL TAB lines in the log TAB descriptors left TAB threads left TAB milliseconds computed

import Foundation
import Glibc
import Logging
import SystemPackage
import Tandem
import TandemSDL

/// A loop that is ticked once a frame needs no wake-up.
final class FrameHost: GuestHost {
    func requestTick() -> Bool { true }
}

let limit = Duration.seconds(3)
let log = LogCounter()
var configuration = Configuration(logger: Logger(label: "probe") { _ in log })
// What a callback of a part throws is that part's affair; it has a time limit.
configuration.errorHandler = { error, _ in
    FileHandle.standardError.write(Data("a callback threw \(error)\n".utf8))
}

/// The host sleeps by itself.
@MainActor func sleeping(_ prepare: (Stage) throws -> Void) throws -> (Stage.Outcome, String) {
    let host = try HeadlessHost(configuration: configuration)
    defer { host.close() }
    try host.loop.adoptMainActor()
    let stage = Stage(host.loop)
    try prepare(stage)
    _ = host.run(within: limit) { stage.isOver }
    return stage.verdict
}

/// The host draws frames, so that the backend sleeps.
@MainActor func frames(_ prepare: (Stage) throws -> Void) throws -> (Stage.Outcome, String) {
    let loop = try GuestLoop(host: FrameHost(), configuration: configuration)
    defer { loop.close() }
    try loop.adoptMainActor()
    let stage = Stage(loop)
    try prepare(stage)
    let end = ContinuousClock.now + limit
    while !stage.isOver, ContinuousClock.now < end {
        loop.tick()
        usleep(1000)
    }
    return stage.verdict
}

@MainActor func withGuest(
    _ drive: (SDLGuest, Stage) -> Void, _ prepare: (Stage) throws -> Void
) throws -> (Stage.Outcome, String) {
    guard SDL_Init(SDL_INIT_VIDEO | SDL_INIT_JOYSTICK) == 0,
        let window = SDL_CreateWindow("Faults", 0, 0, 64, 64, SDL_WINDOW_SHOWN.rawValue)
    else { throw Wrong(text: "SDL gave no window: \(String(cString: SDL_GetError()))") }
    defer { SDL_DestroyWindow(window) }
    return try withGuestAlone(drive, prepare)
}

/// Without a window: the guest starts what it needs of SDL.
@MainActor func withGuestAlone(
    _ drive: (SDLGuest, Stage) -> Void, _ prepare: (Stage) throws -> Void
) throws -> (Stage.Outcome, String) {
    let guest = try SDLGuest(configuration: configuration)
    defer { guest.close() }
    let stage = Stage(guest.loop)
    try prepare(stage)
    stage.expectEvents(guest)
    drive(guest, stage)
    return stage.verdict
}

@MainActor func run(_ part: String) throws -> (Stage.Outcome, String) {
    let host = part.hasPrefix("frames-") ? frames : sleeping
    switch part.split(separator: "-").last {
    case "time": return try host { $0.expectTime() }
    case "posts": return try host { $0.expectPosts() }
    case "pipes": return try host { $0.expectPipes() }
    case "signals": return try host { $0.expectSignals() }
    case "offloads": return try host { $0.expectOffloads() }
    case "tcp": return try host { try $0.expectTCP() }
    case "ends": return try host { try $0.expectEnds() }
    case "unix": return try host { try $0.expectUnix() }
    case "datagrams": return try host { try $0.expectDatagrams() }
    case "watched":
        let file = NSTemporaryDirectory() + "/tandem-faults-\(getpid()).json"
        defer { unlink(file) }
        configuration.trace = try Trace(file: file)
        defer { configuration.trace = nil }
        configuration.watchdog = Watchdog(limit: .milliseconds(8))
        return try host { $0.expectBlockedThread() }
    case "frameLoop": return try withGuest(frameLoop) { $0.expectPostsAndTime() }
    case "onDemand": return try withGuest(frameLoopOnDemand) { $0.expectPostsAndTime() }
    case "waitEvent": return try withGuest(waitEvent) { $0.expectPostsAndPipes() }
    case "sdlWait": return try withGuest(sdlWait) { $0.expectPostsAndPipes() }
    case "noWindow": return try withGuestAlone(waitEvent) { $0.expectPosts() }
    case "asleep": return try withGuest(asleep) { _ in }
    default: return (.wrong, "there is no part \(part)")
    }
}

setenv("SDL_VIDEODRIVER", "dummy", 0)
let part = CommandLine.arguments.dropFirst().first ?? ""
let before = Machine.descriptors
var result: (Stage.Outcome, String)
do { result = try run(part) } catch { result = Stage.judge(error, in: "the start") }
let figures = [log.count.load(ordering: .relaxed), Machine.descriptors - before, Machine.threads, Machine.processor]
print(([result.0.rawValue, result.1] + figures.map(String.init)).joined(separator: "\t"))
fflush(nil)
_exit(0)
