// SPDX-License-Identifier: Apache-2.0
// FrameTests: the pure pacer, and the frame loop on the dummy driver.

import Foundation
import TandemTesting
import Testing

@testable import Tandem
@testable import TandemSDL

@Suite struct FramePacerTests {
    let origin = ContinuousClock.now

    @Test func framesBeginOnAGridOfPeriods() {
        var pacer = FramePacer(period: .milliseconds(10))
        _ = pacer.begin(at: origin)
        #expect(pacer.next == origin + .milliseconds(10))
        // Three milliseconds late: the grid stays.
        _ = pacer.begin(at: origin + .milliseconds(13))
        #expect(pacer.next == origin + .milliseconds(20))
    }

    @Test func aFrameThatIsLateByMoreThanAPeriodStartsANewGrid() {
        var pacer = FramePacer(period: .milliseconds(10))
        _ = pacer.begin(at: origin)
        _ = pacer.begin(at: origin + .milliseconds(35))
        #expect(pacer.next == origin + .milliseconds(45))
    }

    @Test func fixedStepsFollowTheTimeAndKeepTheRemainder() {
        var pacer = FramePacer(period: .milliseconds(16), fixedStep: .milliseconds(10))
        #expect(pacer.begin(at: origin).steps == 0)
        let second = pacer.begin(at: origin + .milliseconds(16))
        #expect(second.steps == 1)
        #expect(abs(second.blend - 0.6) < 1e-9)
        let third = pacer.begin(at: origin + .milliseconds(32))
        #expect(third.steps == 2)
        #expect(abs(third.blend - 0.2) < 1e-9)
    }

    @Test func catchingUpAfterAStallIsBounded() {
        var pacer = FramePacer(period: .milliseconds(16), fixedStep: .milliseconds(10), maximumSteps: 5)
        _ = pacer.begin(at: origin)
        let stalled = pacer.begin(at: origin + .milliseconds(1003))
        #expect(stalled.steps == 5)
        #expect(stalled.dropped == .milliseconds(950))
        #expect(abs(stalled.blend - 0.3) < 1e-9)
        #expect(stalled.delta == .milliseconds(100))
        #expect(pacer.begin(at: origin + .milliseconds(1010)).steps == 1)
    }

    @Test func theBudgetIsWhatDrawingLeavesAndNeverNothing() {
        let pacer = FramePacer(period: .milliseconds(16))
        let now = origin + .milliseconds(3)
        #expect(pacer.budget(start: origin, now: now, drawing: .milliseconds(5)) == .milliseconds(8))
        #expect(pacer.budget(start: origin, now: now, drawing: .milliseconds(50)) == .milliseconds(2))
    }
}

extension SDL {
    @Suite @MainActor struct FrameLoopTests {
        /// The rest before a frame is a wait of ours, and keeps the turn. So does the frame's own tick, after which the next rest comes.
        @Test func aFramesOwnTickKeepsTheTurnThatTheRestHasKept() throws {
            try withGuest { guest in
                let (loop, pipe) = (guest.loop, Pipe())
                let (reader, writer) = (pipe.fileHandleForReading.fileDescriptor, pipe.fileHandleForWriting)
                _ = try loop.whenReadable(.init(rawValue: reader)) {
                    var byte: UInt8 = 0
                    _ = read(reader, &byte, 1)
                    loop.callLater(.milliseconds(1)) { writer.write(Data([1])) }
                }
                writer.write(Data([1]))
                let frames = FrameLoop(guest, pace: .fixed(framesPerSecond: 100))
                var (wasHeld, held, kept, count) = (false, 0, 0, 0)
                frames.run(
                    event: { _ in wasHeld = loop.shared.turn.isWithUIThread },
                    update: { _ in
                        count += 1
                        if wasHeld {
                            held += 1
                            if loop.shared.turn.isWithUIThread { kept += 1 }
                        }
                        wasHeld = false
                        if held == 20 || count == 2000 { frames.stop() }
                    },
                    draw: { _ in
                        // So that the next frame has an event, just before its tick.
                        var event = SDL_Event()
                        event.type = SDL_USEREVENT.rawValue
                        SDL_PushEvent(&event)
                    })
                #expect(held == 20)
                #expect(kept == 20)
            }
        }

        @Test func everyFrameTakesEventsTicksUpdatesAndDrawsInThatOrder() throws {
            try withGuest { guest in
                let frames = FrameLoop(guest, pace: .fixed(framesPerSecond: 500))
                frames.frameLimit = 3
                var log: [String] = []
                var key = SDL_Event()
                key.type = SDL_KEYDOWN.rawValue
                SDL_PushEvent(&key)
                guest.loop.callSoon { log.append("work") }
                let count = frames.run(
                    event: { _ in log.append("event") }, update: { log.append("update \($0.number)") },
                    draw: { log.append("draw \($0.number)") })
                #expect(count == 3)
                #expect(
                    log == ["event", "work", "update 0", "draw 0", "update 1", "draw 1", "update 2", "draw 2"])
            }
        }

        @Test func workDoesNotWaitForTheNextFrame() throws {
            try withGuest { guest in
                let frames = FrameLoop(guest, pace: .fixed(framesPerSecond: 2))
                var hops = 0
                // Fifty hops from timer to timer: frame by frame they would take 25 seconds.
                @MainActor func hop() {
                    hops += 1
                    if hops == 50 { frames.stop() } else { guest.loop.callLater(.milliseconds(1)) { hop() } }
                }
                guest.loop.callSoon { hop() }
                var drawn = 0
                frames.run(draw: { _ in drawn += 1 })
                #expect(hops == 50)
                #expect(drawn <= 10)
            }
        }

        @Test func onDemandNothingIsDrawnUntilSomethingHappens() throws {
            try withGuest { guest in
                let frames = FrameLoop(guest, pace: .onDemand)
                var fired = 0
                var firedAtDraw: [Int] = []
                // Each timer is armed by the frame before it, so that two never fire in one tick of a busy machine.
                frames.run(draw: { _ in
                    firedAtDraw.append(fired)
                    if fired == 3 { return frames.stop() }
                    guest.loop.callLater(.milliseconds(50)) { fired += 1 }
                })
                // The first, and one for each timer.
                #expect(firedAtDraw == [0, 1, 2, 3])
            }
        }

        @Test func aQuitEventEndsTheLoop() throws {
            try withGuest { guest in
                var quit = SDL_Event()
                quit.type = SDL_QUIT.rawValue
                guest.loop.callLater(.milliseconds(20)) { SDL_PushEvent(&quit) }
                for pace in [FrameLoop.Pace.onDemand, .display] {
                    #expect(FrameLoop(guest, pace: pace).run() >= 1)
                    SDL_PushEvent(&quit)
                }
            }
        }

        @Test func onAVirtualClockFramesTakeNoTime() throws {
            let clock = VirtualClock()
            var configuration = Configuration.unhurried
            configuration.timeSource = clock
            try withGuest(configuration: configuration) { guest in
                let frames = FrameLoop(guest, pace: .fixed(framesPerSecond: 100), fixedStep: .milliseconds(5))
                frames.frameLimit = 1001
                var steps = 0
                var seconds = 0
                guest.run {
                    while true {
                        try await guest.loop.sleep(for: .seconds(1))
                        seconds += 1
                    }
                }
                frames.run(fixedUpdate: { _ in steps += 1 })
                #expect(steps == 2000)
                // The tenth second ends with the last frame.
                #expect(seconds == 10)
                #expect(clock.elapsed == .seconds(10))
            }
        }
    }
}
