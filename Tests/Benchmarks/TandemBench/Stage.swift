// SPDX-License-Identifier: Apache-2.0
// Stage: the program around the loop: SDL with a window, or (driver=none) a host that sleeps by itself.
// Owner:  the main thread; `Worker` is how a workload gets others.

import CBench
import Glibc
import SystemPackage
import Tandem
import TandemSDL
import TandemTesting

@MainActor
final class Stage {
    let loop: GuestLoop
    private let guest: SDLGuest?
    private let manual: ManualHost?
    private var window: OpaquePointer?
    private var event = SDL_Event()
    private var sockets: [GuestSocket] = []

    /// `ticksRegularly`: the program ticks all the time, and says so, unless `ticks=asked`.
    init(
        _ options: Options, standard: String = "dummy", ticksRegularly: Bool = false, trace: Trace? = nil
    ) throws {
        raiseDescriptorLimit()
        var configuration = Configuration()
        configuration.trace = trace
        switch options.word("ticks", ticksRegularly ? "regular" : "asked") {
        case "regular": configuration.expectsRegularTicks = true
        case "asked": break
        default: throw Unsupported("ticks=\(options.word("ticks", "")): expected regular or asked")
        }
        let driver = options.word("driver", standard)
        switch driver {
        case "none":
            let host = ManualHost()
            manual = host
            guest = nil
            loop = try host.makeLoop(configuration: configuration)
        case "dummy", "x11":
            setenv("SDL_VIDEODRIVER", driver, 1)
            guard SDL_Init(SDL_INIT_VIDEO) == 0 else {
                throw Unsupported("SDL has no driver \(driver) here: \(String(cString: SDL_GetError()))")
            }
            // SDL's own wait blocks only where a window is shown.
            window = SDL_CreateWindow("TandemBench", 0, 0, 64, 64, SDL_WINDOW_SHOWN.rawValue)
            guard window != nil else { throw Failed("SDL made no window: \(String(cString: SDL_GetError()))") }
            // Under callgrind everything takes fifty times as long.
            if let budget = try options.milliseconds("budget_ms") {
                configuration.budget = budget
                configuration.turnLeaseBetweenTicks *= 50
            }
            let guest = try SDLGuest(configuration: configuration)
            self.guest = guest
            manual = nil
            loop = guest.loop
            // What the window brings with it is not what is measured.
            for _ in 0..<20 {
                SDL_PumpEvents()
                usleep(2000)
            }
            SDL_FlushEvents(0, UInt32(SDL_LASTEVENT.rawValue))
        default: throw Unsupported("driver=\(driver): expected dummy, x11 or none")
        }
        while loop.hasWork { loop.tick() }
    }

    /// Sleeps until something happens, then ticks: a program that has nothing to draw.
    func rest() {
        if let guest {
            _ = guest.waitEvent(&event)
            guest.tick()
        } else if let manual {
            if !loop.hasWork { _ = manual.waitForRequest() }
            manual.tick()
        }
    }

    /// Sleeps until `instant`, and ticks whenever something happens before it: a program that waits for its next frame.
    func rest(until instant: Int64) {
        while true {
            let left = instant - now()
            guard left > 0 else { return }
            if let guest {
                _ = guest.waitEvent(&event, timeout: .nanoseconds(left))
                // What is there at the instant is the frame's.
                if now() < instant { guest.tick() }
            } else {
                bench_sleep_until(instant)
            }
        }
    }

    /// One frame: SDL's events, a tick, and what waits for the frame.
    func frame() {
        if let guest {
            while SDL_PollEvent(&event) != 0 { _ = guest.handle(event) }
            guest.tick()
        } else {
            loop.tick()
        }
    }

    /// Starts a task of the main actor's.
    func start(_ body: @escaping @MainActor @Sendable () async throws -> Void) {
        loop.run { try await body() }
    }

    /// `count` frames of a `FrameLoop`. `body` is called once in each, after its tick, with the time at which the frame began.
    func frameLoop(rate: Int, count: Int, _ body: @escaping (_ start: Int64) -> Void) throws {
        guard let guest else { throw Unsupported("frames=frameloop needs a driver of SDL's; driver=dummy or x11") }
        let frames = FrameLoop(guest, pace: .fixed(framesPerSecond: rate))
        frames.frameLimit = count
        let (instant, nanoseconds) = (loop.now, now())
        frames.run(update: { frame in
            body(nanoseconds + Int64(instant.duration(to: frame.time) / .nanoseconds(1)))
        })
    }

    /// Watches a socket from here on: as one of the loop's own, or (owned=no) as a descriptor that is somebody else's, about which the loop asks the kernel.
    func watch(_ fd: Int32, _ options: Options, _ body: @escaping () -> Void) throws {
        if options.word("owned", "yes") == "yes" {
            let socket = try GuestSocket(adopting: FileDescriptor(rawValue: fd), on: loop)
            sockets.append(socket)
            _ = try socket.whenReadable(body)
        } else {
            _ = try loop.whenReadable(FileDescriptor(rawValue: fd), body)
        }
    }

    func rest(until condition: () -> Bool) { while !condition() { rest() } }

    func close() {
        sockets = []
        if let guest { guest.close() } else { loop.close() }
        if let window { SDL_DestroyWindow(window) }
        if guest != nil { SDL_Quit() }
    }
}

/// Both ends of a stream, non-blocking.
func socketPair() throws -> (Int32, Int32) {
    var ends: [Int32] = [0, 0]
    let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { throw Failed("socketpair gave no sockets") }
    return (ends[0], ends[1])
}

func raiseDescriptorLimit() {
    let resource = __rlimit_resource_t(7)  // RLIMIT_NOFILE
    var limit = rlimit()
    getrlimit(resource, &limit)
    limit.rlim_cur = min(limit.rlim_max, 1 << 20)
    setrlimit(resource, &limit)
}
