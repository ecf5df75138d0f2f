// SPDX-License-Identifier: Apache-2.0
// FormsWitness: what has to hold in every form of main, with every kind of loop; and the loops, as functions that a main calls.
// The programs beside this one are the forms. Each takes three arguments, KIND BEFORE PLACE, and prints "ok" last.
//
// KIND    own: a loop of the game's; frames: FrameLoop.run; sequence: for await over the frames; quit: the same, which SDL_QUIT ends.
// BEFORE  what has been awaited before the loop: nothing; main: something before the guest was made; loop: a sleep of the loop's; frame.
// PLACE   here: the loop stands in main itself; called: in a function on the main actor.

import Dispatch
import Foundation
@_exported import TandemSDL

/// Which cell of the table the program is.
public struct Cell {
    /// The loop.
    public let kind = CommandLine.arguments[1]
    /// What was awaited before it.
    public let before = CommandLine.arguments[2]
    /// Whether it stands in a function.
    public let isCalled = CommandLine.arguments[3] == "called"
    /// How many frames it takes at least.
    public let frames = 20

    /// From the command line; starts SDL as well.
    public init() {
        setenv("SDL_VIDEODRIVER", "dummy", 1)
        SDL_Init(UInt32(SDL_INIT_VIDEO))
        // A guest that is dead would wait for ever.
        alarm(30)
    }
}

/// Lives in the loop, and tells what it has seen.
@MainActor public final class Witness {
    private let guest: SDLGuest
    private var sleeps = 0
    private var framesAwaited = 0
    private var isDrained = false
    private var posts = 0

    /// Starts what wants to be seen.
    public init(_ guest: SDLGuest) {
        self.guest = guest
        guest.run { [self] in
            while true {
                try await guest.loop.sleep(for: .milliseconds(1))
                sleeps += 1
            }
        }
        Task { [self] in
            while true {
                try await guest.nextFrame()
                framesAwaited += 1
            }
        }
        // From another thread, and after the loop has begun, as likely as not.
        Thread.detachNewThread {
            usleep(5_000)
            DispatchQueue.main.async { MainActor.assumeIsolated { self.isDrained = true } }
            try? guest.loop.post { MainActor.assumeIsolated { self.posts += 1 } }
        }
    }

    /// Whether everything has been seen that a game may rely on.
    public var hasSeenAll: Bool { sleeps > 3 && framesAwaited > 3 && isDrained && posts == 1 }

    /// After the loop: says how it went, and ends the program.
    public func end(frames: Int, expected: Bool = true) -> Never {
        let nested = guest.loop.statistics.nestedTicks
        let isRight = expected && frames > 0 && nested == 0 && hasSeenAll
        guest.close()
        print(
            isRight
                ? "ok"
                : "frames \(frames), awaited \(framesAwaited), sleeps \(sleeps), posts \(posts), main queue \(isDrained), nested \(nested)"
        )
        fflush(nil)
        _exit(isRight ? 0 : 1)
    }
}

extension FrameLoop {
    /// Quick enough for a test.
    @MainActor public static func quick(_ guest: SDLGuest) -> FrameLoop {
        FrameLoop(guest, pace: .fixed(framesPerSecond: 500))
    }
}

/// As the window's close button.
@MainActor public func pushQuit() {
    var event = SDL_Event()
    event.type = SDL_QUIT.rawValue
    SDL_PushEvent(&event)
}

// MARK: - The loops, called

/// A loop of the game's.
@MainActor public func ownLoop(_ guest: SDLGuest, _ witness: Witness, atLeast frames: Int) -> Int {
    var event = SDL_Event()
    var count = 0
    while count < frames || !witness.hasSeenAll {
        _ = guest.waitEvent(&event, timeout: .milliseconds(2))
        guest.tick()
        count += 1
    }
    return count
}

/// A frame loop, called from synchronous code.
@MainActor public func frameLoop(_ guest: SDLGuest, _ witness: Witness, atLeast frames: Int) -> Int {
    let loop = FrameLoop.quick(guest)
    return loop.run(draw: { if $0.number >= frames, witness.hasSeenAll { loop.stop() } })
}

/// A frame loop, awaited.
@MainActor public func asyncFrameLoop(_ guest: SDLGuest, _ witness: Witness, atLeast frames: Int) async throws -> Int {
    let loop = FrameLoop.quick(guest)
    return try await loop.run(draw: { if $0.number >= frames, witness.hasSeenAll { loop.stop() } })
}

/// The frames as a sequence, which the game leaves.
@MainActor public func frameSequence(_ guest: SDLGuest, _ witness: Witness, atLeast frames: Int) async -> Int {
    var count = 0
    for await _ in guest.frames {
        count += 1
        if count >= frames, witness.hasSeenAll { break }
    }
    return count
}

/// The player wants to leave, and nobody asks for that event.
@MainActor public func frameSequenceUntilQuit(_ guest: SDLGuest, _ witness: Witness, atLeast frames: Int) async -> Int {
    var count = 0
    for await _ in guest.frames {
        count += 1
        if count >= frames, witness.hasSeenAll { pushQuit() }
    }
    // It does not begin again.
    for await _ in guest.frames { return -1 }
    return count
}
