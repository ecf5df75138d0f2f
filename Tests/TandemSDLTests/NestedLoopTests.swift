// SPDX-License-Identifier: Apache-2.0
// NestedLoopTests: how frame loops end, and loops inside of them: in an update, in a callback, in a task. Behaviour 22.

import Foundation
import TandemTesting
import Testing

@testable import Tandem
@testable import TandemSDL

extension SDL {
    @Suite @MainActor struct NestedLoopTests {
        private func quick(_ guest: SDLGuest, limit: Int? = nil) -> FrameLoop {
            let frames = FrameLoop(guest, pace: .fixed(framesPerSecond: 1000))
            frames.frameLimit = limit
            return frames
        }

        @Test func aStopThatCameBeforeTheRunIsHeardOnce() throws {
            try withGuest { guest in
                let frames = quick(guest, limit: 3)
                frames.stop()
                #expect(frames.run() == 0)
                #expect(frames.run() == 3)
                // One that came in the last frame is answered by its end.
                #expect(frames.run(draw: { if $0.number == 2 { frames.stop() } }) == 3)
                #expect(frames.run() == 3)
            }
        }

        @Test(arguments: [FrameLoop.Pace.display, .fixed(framesPerSecond: 1000), .onDemand])
        func aFrameLoopEndsWithItsLoop(_ pace: FrameLoop.Pace) throws {
            for place in ["before", "draw", "callback", "task"] {
                try withGuest { guest in
                    let frames = FrameLoop(guest, pace: pace)
                    // Else it would run for ever.
                    frames.frameLimit = 1000
                    switch place {
                    case "before": guest.close()
                    case "callback": guest.loop.callLater(.milliseconds(3)) { guest.close() }
                    case "task":
                        guest.run {
                            try await guest.loop.sleep(for: .milliseconds(3))
                            guest.close()
                        }
                    default: break
                    }
                    let count = frames.run(draw: { _ in if place == "draw" { guest.close() } })
                    #expect(count < 1000, "closed in \(place)")
                    if place == "before" { #expect(count == 0) }
                    if place == "draw" { #expect(count == 1) }
                }
            }
        }

        @Test func aFrameLoopInsideAFrameLoopRunsAndTheOuterOneGoesOn() throws {
            try withGuest { guest in
                let outer = quick(guest, limit: 4)
                let inner = quick(guest)
                var awaited = 0
                guest.run {
                    for await _ in guest.frames { awaited += 1 }
                }
                var innerFrames = 0
                let count = outer.run(update: { frame in
                    guard frame.number == 1 else { return }
                    innerFrames = inner.run(draw: { if $0.number == 9 { inner.stop() } })
                })
                #expect(innerFrames == 10)
                #expect(count == 4)
                // One task waits for all of them, the first of which begins before it does.
                #expect((12...14).contains(awaited), "\(awaited)")
            }
        }

        @Test func anOwnLoopInAnUpdateHasFramesForThoseWhoWait() throws {
            try withGuest { guest in
                let frames = quick(guest, limit: 2)
                var menuFrames = 0
                frames.run(update: { frame in
                    guard frame.number == 0 else { return }
                    var isClosed = false
                    guest.run {
                        try await guest.waitForFrames(5)
                        isClosed = true
                    }
                    while !isClosed, menuFrames < 10_000 {
                        guest.tick()
                        menuFrames += 1
                    }
                    #expect(isClosed)
                })
                #expect((5...7).contains(menuFrames), "\(menuFrames)")
            }
        }

        @Test func aModalLoopInATaskOrACallbackHasTicksFramesAndEvents() throws {
            try withGuest { guest in
                /// A pause menu with a loop of its own.
                @MainActor func menu() -> Bool {
                    guest.loop.runModal {
                        var isClosed = false
                        var key = SDL_Event()
                        key.type = SDL_KEYDOWN.rawValue
                        let opener = Task { @MainActor in
                            try await guest.waitForFrames(3)
                            SDL_PushEvent(&key)
                        }
                        defer { opener.cancel() }
                        let waiter = Task { @MainActor in
                            try await guest.nextKey()
                            isClosed = true
                        }
                        defer { waiter.cancel() }
                        var event = SDL_Event()
                        // Ten seconds at most.
                        for _ in 0..<10_000 where !isClosed {
                            _ = guest.waitEvent(&event, timeout: .milliseconds(1))
                            guest.tick()
                        }
                        return isClosed
                    }
                }
                var answers: [Bool] = []
                guest.loop.callSoon { answers.append(menu()) }
                guest.run {
                    answers.append(menu())
                    try await guest.nextFrame()
                    answers.append(menu())
                }
                #expect(guest.work { answers.count == 3 })
                #expect(answers == [true, true, true])
                #expect(guest.loop.statistics.nestedTicks == 0)
            }
        }

        @Test func anAwaitedFrameLoopInATaskIsAModalLoop() throws {
            try withGuest { guest in
                var outcome: Result<Int, any Error>?
                guest.run {
                    try await guest.loop.sleep(for: .milliseconds(1))
                    return try await quick(guest, limit: 7).run()
                } onDone: {
                    outcome = $0
                }
                #expect(guest.work { outcome != nil })
                #expect((try? outcome?.get()) == 7)
            }
        }

        @Test func cancellingTheTaskEndsTheFramesThatItRuns() throws {
            try withGuest { guest in
                var outcome: Result<Int, any Error>?
                var drawn = 0
                let run = guest.run {
                    try await quick(guest, limit: 10_000).run(draw: { _ in drawn += 1 })
                } onDone: {
                    outcome = $0
                }
                guest.loop.callLater(.milliseconds(20)) { run.cancel() }
                #expect(guest.work { outcome != nil })
                #expect(throws: CancellationError.self) { _ = try outcome?.get() }
                #expect((1..<10_000).contains(drawn))
            }
        }

        /// "Save before you leave?"
        @Test func aQuitThatATaskHasConsumedDoesNotEndTheFrames() throws {
            try withGuest { guest in
                let frames = quick(guest, limit: 20)
                var asked = false
                guest.run {
                    try await guest.nextEvent(consuming: true) { $0.type == SDL_QUIT.rawValue }
                    asked = true
                }
                guest.tick()
                var quit = SDL_Event()
                quit.type = SDL_QUIT.rawValue
                #expect(frames.run(draw: { if $0.number == 2 { SDL_PushEvent(&quit) } }) == 20)
                #expect(asked)
                // The second one is nobody's.
                #expect(frames.run(draw: { if $0.number == 2 { SDL_PushEvent(&quit) } }) == 4)
            }
        }

        /// Code that knows nothing of actors, as the callbacks of a framework.
        @Test func aFrameworkOfPlainClassesCallsTheGuest() throws {
            class Game {
                let guest: SDLGuest
                var updates = 0
                init(_ guest: SDLGuest) { self.guest = guest }
                nonisolated func update() {
                    var event = SDL_Event()
                    _ = guest.waitEvent(&event, timeout: .zero)
                    _ = guest.handle(event)
                    if guest.tick().isEmpty { return }
                    updates += 1
                }
            }
            try withGuest { guest in
                let game = Game(guest)
                guest.loop.callSoon {}
                game.update()
                #expect(game.updates == 1)
            }
        }
    }
}
