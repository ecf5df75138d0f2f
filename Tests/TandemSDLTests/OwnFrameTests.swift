// SPDX-License-Identifier: Apache-2.0
// OwnFrameTests: which ticks of a loop of the game's own are frames. Time is virtual, so that waits end where they have to.

import SystemPackage
import TandemSDL
import TandemTesting
import Testing

@testable import Tandem

extension SDL {
    @Suite @MainActor struct OwnFrameTests {
        private static let period = Duration.milliseconds(16)

        /// A guest on virtual time, which is woken by a timer every five milliseconds. A task awaits each frame, and keeps it.
        private func withGame(_ body: (SDLGuest, VirtualClock, Box<[Frame]>) throws -> Void) throws {
            let clock = VirtualClock()
            try withGuest(configuration: Configuration(budget: .seconds(20), timeSource: clock)) { guest in
                let awaited = Box<[Frame]>([])
                guest.run {
                    for await frame in guest.frames { awaited.value.append(frame) }
                }
                wake(guest.loop)
                guest.tick()
                try body(guest, clock, awaited)
            }
        }

        private func wake(_ loop: GuestLoop) { loop.callLater(.milliseconds(5)) { wake(loop) } }

        /// Sleeps until `instant`, and ticks whenever something wakes the game before. Returns how often that was.
        private func rest(_ guest: SDLGuest, until instant: ContinuousClock.Instant) -> Int {
            var (event, ticks) = (SDL_Event(), 0)
            while guest.loop.now < instant {
                _ = guest.waitEvent(&event, timeout: guest.loop.now.duration(to: instant))
                guard guest.loop.now < instant else { break }
                guest.tick()
                ticks += 1
            }
            return ticks
        }

        @Test func aLoopThatSleepsUntilItsNextFrameHasOneForEachThatItDraws() throws {
            try withGame { guest, _, awaited in
                let begin = guest.loop.now
                for number in 1...20 {
                    let before = awaited.value.count
                    var event = SDL_Event()
                    event.type = SDL_KEYDOWN.rawValue
                    SDL_PushEvent(&event)
                    let instant = begin.advanced(by: Self.period * number)
                    let woken = rest(guest, until: instant)
                    #expect(woken >= 3)
                    guest.tick()
                    // That the game waits for an instant is known by its second wait for it.
                    #expect(awaited.value.count - before == (number == 1 ? 2 : 1))
                    let frame = try #require(awaited.value.last)
                    #expect(frame.time == instant)
                    if number > 1 { #expect(frame.delta == Self.period) }
                }
                #expect(awaited.value.map(\.number) == Array(0..<awaited.value.count))
            }
        }

        @Test(arguments: [true, false]) func ticksInWhichNobodyWaitsForAFrameHaveNumbersToo(throughLoop: Bool) throws {
            try withGuest(configuration: Configuration(timeSource: VirtualClock())) { guest in
                var frame: Frame?
                func tick(_ count: Int) {
                    for _ in 0..<count { _ = throughLoop ? guest.loop.tick() : guest.tick() }
                }
                for _ in 0..<3 {
                    tick(10)
                    frame = nil
                    let run = guest.run { frame = try await guest.nextFrame() }
                    while frame == nil { tick(1) }
                    // Its tick is the last one, and the first has number 0.
                    #expect(frame?.number == guest.loop.statistics.ticks - 1)
                    withExtendedLifetime(run) {}
                }
            }
        }

        @Test func anIdleTickAfterAWaitForTheNextFrameIsThatFrame() throws {
            try withGuest(configuration: Configuration(timeSource: VirtualClock())) { guest in
                var (event, frames) = (SDL_Event(), 0)
                for _ in 0..<5 { guest.tick() }
                let handle = guest.everyFrame { _ in frames += 1 }
                for round in 1...5 {
                    _ = guest.waitEvent(&event, timeout: Self.period)
                    guest.tick()
                    #expect(frames == round)
                }
                handle.cancel()
                for _ in 0..<5 { guest.tick() }
                #expect(frames == 5)
            }
        }

        @Test func aSequenceOfEventsThatIsMadeBetweenIdleTicksIsServedByTheNextOnes() throws {
            try withGuest { guest in
                for _ in 0..<5 { guest.loop.tick() }
                let events = guest.events { $0.type == SDL_KEYDOWN.rawValue }
                var taken = 0
                let run = guest.run { for try await _ in events { taken += 1 } }
                for round in 1...3 {
                    var event = SDL_Event()
                    event.type = SDL_KEYDOWN.rawValue
                    _ = guest.handle(event)
                    let end = guest.loop.now + .seconds(20)
                    while taken < round, guest.loop.now < end { guest.loop.tick() }
                    #expect(taken == round)
                    for _ in 0..<5 { guest.loop.tick() }
                }
                run.cancel()
            }
        }

        @Test func whereTicksAreRegularNothingIsPutIntoTheQueueOfSDL() throws {
            var configuration = Configuration(budget: .seconds(20))
            configuration.expectsRegularTicks = true
            // However slow the machine is.
            configuration.turnLeaseBetweenTicks = 60_000_000_000
            try withGuest(configuration: configuration) { guest in
                let pipe = try FileDescriptor.pipe()
                defer {
                    try? pipe.readEnd.close()
                    try? pipe.writeEnd.close()
                }
                var count = 0
                _ = try guest.loop.whenReadable(pipe.readEnd) {
                    count += try withUnsafeTemporaryAllocation(byteCount: 8, alignment: 1) {
                        try pipe.readEnd.read(into: $0)
                    }
                }
                try pipe.writeEnd.writeAll([1])
                while count == 0 { guest.tick() }
                SDL_FlushEvents(SDL_FIRSTEVENT.rawValue, SDL_LASTEVENT.rawValue)
                for round in 2...20 {
                    try pipe.writeEnd.writeAll([1])
                    guest.tick()
                    #expect(count == round)
                    #expect(SDL_HasEvents(SDL_FIRSTEVENT.rawValue, SDL_LASTEVENT.rawValue) == SDL_FALSE)
                }
            }
        }

        @Test func aLoopThatDrawsAfterEachWaitHasAFrameForEachTick() throws {
            try withGame { guest, clock, awaited in
                var event = SDL_Event()
                for _ in 0..<50 {
                    let before = awaited.value.count
                    _ = guest.waitEvent(&event, timeout: Self.period)
                    guest.tick()
                    #expect(awaited.value.count == before + 1)
                    // The drawing.
                    clock.advance(by: .milliseconds(1))
                }
            }
        }

        @Test func aLimitOfTimeIsNoFramesInstant() throws {
            try withGame { guest, _, awaited in
                let end = guest.loop.now.advanced(by: .seconds(2))
                var event = SDL_Event()
                for _ in 0..<50 {
                    let before = awaited.value.count
                    _ = guest.waitEvent(&event, timeout: guest.loop.now.duration(to: end))
                    guest.tick()
                    #expect(awaited.value.count == before + 1)
                }
            }
        }

        @Test func aGameThatDrawsWithoutAWaitHasAFrameForEachTickAgain() throws {
            try withGame { guest, clock, awaited in
                let begin = guest.loop.now
                for number in 1...3 {
                    _ = rest(guest, until: begin.advanced(by: Self.period * number))
                    guest.tick()
                }
                var event = SDL_Event()
                // The instant is far away, and does not come.
                _ = guest.waitEvent(&event, timeout: Self.period)
                guest.tick()
                for _ in 0..<10 {
                    let before = awaited.value.count
                    guest.tick()
                    #expect(awaited.value.count == before + 1)
                }
                // The next waits come back to no instant; the first of them shows it.
                for number in 0..<10 {
                    let before = awaited.value.count
                    _ = guest.waitEvent(&event, timeout: Self.period)
                    guest.tick()
                    #expect(number == 0 || awaited.value.count == before + 1)
                    clock.advance(by: .milliseconds(1))
                }
            }
        }

        @Test func handlersOfFramesAreCalledAsOftenAsTasksGoOn() throws {
            try withGame { guest, _, awaited in
                var calls = 0
                guest.everyFrame { _ in calls += 1 }
                let (begin, before) = (guest.loop.now, awaited.value.count)
                for number in 1...10 {
                    _ = rest(guest, until: begin.advanced(by: Self.period * number))
                    guest.tick()
                }
                #expect(calls == awaited.value.count - before)
                #expect(calls == 11)
            }
        }
    }
}
