// SPDX-License-Identifier: Apache-2.0
// KeptEventTests: a loop of waits for events misses none, whatever comes in one frame; and who hears by a watch, hears all.

import Foundation
import TandemCLinux
import Testing

@testable import Tandem
@testable import TandemSDL

extension SDL {
    @Suite @MainActor struct KeptEventTests {
        private static let keys = [SDLK_a, SDLK_b, SDLK_c]

        private func press(_ keys: SDL_KeyCode...) {
            for key in keys {
                var event = SDL_Event()
                event.type = SDL_KEYDOWN.rawValue
                event.key.keysym.sym = Int32(bitPattern: UInt32(key.rawValue))
                SDL_PushEvent(&event)
            }
        }

        private func names(_ keys: [SDL_KeyCode]) -> [Int32] { keys.map { Int32(bitPattern: UInt32($0.rawValue)) } }

        /// A plain loop of somebody's. Returns the keys that the game saw.
        @discardableResult
        private func frame(_ guest: SDLGuest) -> [Int32] {
            var seen: [Int32] = []
            var event = SDL_Event()
            while SDL_PollEvent(&event) != 0 {
                if !guest.handle(event), event.type == SDL_KEYDOWN.rawValue { seen.append(event.key.keysym.sym) }
            }
            guest.tick()
            return seen
        }

        @Test(arguments: [false, true]) func ofThreeKeysInAFrameALoopOfWaitsGetsEach(consuming: Bool) throws {
            try withGuest { guest in
                var got: [Int32] = []
                guest.run { while true { got.append(try await guest.nextKey(consuming: consuming).sym) } }
                guest.tick()
                for round in 1...3 {
                    press(SDLK_a, SDLK_b, SDLK_c)
                    let seen = frame(guest)
                    #expect(seen == (consuming ? [] : names(Self.keys)))
                    #expect(got.count == 3 * round)
                }
                #expect(got == names(Self.keys + Self.keys + Self.keys))
                // Nothing is left for later frames.
                #expect(frame(guest).isEmpty)
                #expect(guest.events.count == 1)
            }
        }

        /// In a frame loop and in `waitEvent`, whose events come one by one.
        @Test func inAFrameLoopEachKeyOfAFrameIsGot() throws {
            try withGuest { guest in
                var got: [Int32] = []
                guest.run { while true { got.append(try await guest.nextKey(consuming: true).sym) } }
                guest.tick()
                press(SDLK_a, SDLK_b, SDLK_c)
                let frames = FrameLoop(guest, pace: .fixed(framesPerSecond: 500))
                frames.frameLimit = 3
                var seen = 0
                frames.run(event: { if $0.type == SDL_KEYDOWN.rawValue { seen += 1 } })
                #expect(got == names(Self.keys))
                #expect(seen == 0)
            }
        }

        /// Whoever waits for one kind after the other is asked for the other, too, as of the event that it took.
        @Test func aWaitForAnotherKindGetsWhatCameAfterItsLastEvent() throws {
            try withGuest { guest in
                var got: [Int32] = []
                guest.run {
                    got.append(try await guest.nextKey(SDLK_b).sym)
                    got.append(try await guest.nextKey(SDLK_a).sym)
                    got.append(try await guest.nextKey(SDLK_c).sym)
                }
                guest.tick()
                press(SDLK_a, SDLK_b, SDLK_c, SDLK_a)
                frame(guest)
                // The first a came before b, and c before the second a.
                #expect(got == names([SDLK_b, SDLK_a]))
                press(SDLK_c)
                frame(guest)
                #expect(got == names([SDLK_b, SDLK_a, SDLK_c]))
            }
        }

        /// A menu that is closed by the first of two keys: the second one is the game's, once, and that of a waiter behind it, once.
        @Test func whatATaskConsumedForAWaitThatDoesNotComeGoesToTheOthersAndTheGame() throws {
            try withGuest { guest in
                var (menu, before, behind): ([Int32], [Int32], [Int32]) = ([], [], [])
                guest.run { menu.append(try await guest.nextKey(priority: 5, consuming: true).sym) }
                guest.run { while true { before.append(try await guest.nextKey(priority: 9).sym) } }
                guest.run { while true { behind.append(try await guest.nextKey().sym) } }
                guest.tick()
                press(SDLK_a, SDLK_b)
                #expect(frame(guest).isEmpty)
                #expect(menu == names([SDLK_a]))
                #expect(frame(guest) == names([SDLK_b]))
                #expect(before == names([SDLK_a, SDLK_b]))
                #expect(behind == names([SDLK_b]))
                #expect(frame(guest).isEmpty)
            }
        }

        /// A task that does something else for a frame does not find old keys afterwards.
        @Test func nothingIsKeptForATaskBeyondTheTickInWhichItGoesOn() throws {
            try withGuest { guest in
                var got: [Int32] = []
                guest.run {
                    got.append(try await guest.nextKey().sym)
                    try await guest.waitForFrames(2)
                    got.append(try await guest.nextKey().sym)
                }
                guest.tick()
                press(SDLK_a, SDLK_b)
                for _ in 0..<4 { frame(guest) }
                #expect(got == names([SDLK_a]))
                press(SDLK_c)
                frame(guest)
                #expect(got == names([SDLK_a, SDLK_c]))
            }
        }

        @Test func keysAreASequenceThatMissesNone() throws {
            try withGuest { guest in
                let keys = guest.keys(consuming: true)
                var got: [Int32] = []
                guest.run { for await key in keys { got.append(key.sym) } }
                press(SDLK_a, SDLK_b)
                #expect(frame(guest).isEmpty)
                press(SDLK_c)
                #expect(frame(guest).isEmpty)
                #expect(got == names(Self.keys))
                #expect(keys.dropped == 0)
            }
        }

        // MARK: - By a watch

        /// As a binding does that shows its user the type of an event only.
        private func frameOfTypes(_ guest: SDLGuest) -> Int {
            var event = SDL_Event()
            var count = 0
            while SDL_PollEvent(&event) != 0 { if !guest.handle(eventType: event.type) { count += 1 } }
            guest.tick()
            return count
        }

        @Test func whereTheGameSeesTypesOnlyWaitsForEventsHearByAWatch() throws {
            try withGuest { guest in
                guest.eventSource = .eventWatch
                var (got, behind, gathered): ([Int32], Int, [Int32]) = ([], 0, [])
                let keys = guest.keys()
                guest.run { while true { got.append(try await guest.nextKey(priority: 1, consuming: true).sym) } }
                guest.run {
                    try await guest.nextEvent { $0.type == SDL_KEYDOWN.rawValue }
                    behind += 1
                }
                guest.run { for await key in keys { gathered.append(key.sym) } }
                guest.tick()
                press(SDLK_a, SDLK_b, SDLK_c)
                // Nothing is kept from the game.
                #expect(frameOfTypes(guest) == 3)
                #expect(got == names(Self.keys))
                // One that consumes ends the event's way to those behind it.
                #expect(behind == 0 && gathered.isEmpty)
                // Also from another thread, and after SDL was ended and begun again.
                SDL_Quit()
                #expect(SDL_Init(SDL_INIT_VIDEO) == 0)
                _ = frameOfTypes(guest)
                Thread.detachNewThread {
                    var event = SDL_Event()
                    event.type = SDL_KEYDOWN.rawValue
                    SDL_PushEvent(&event)
                }
                let end = ContinuousClock.now + .seconds(20)
                // The watch hears of it before the game can take it.
                var taken = 0
                while got.count == 3 || taken == 0, ContinuousClock.now < end { taken += frameOfTypes(guest) }
                #expect(got.count == 4)
                guest.eventSource = .handledEvents
                press(SDLK_d)
                #expect(frameOfTypes(guest) == 1)
                #expect(got.count == 4)
            }
        }

        // MARK: - Strings

        private func drop(_ text: String) {
            var event = SDL_Event()
            event.type = SDL_DROPFILE.rawValue
            event.drop.file = SDL_strdup(text)
            SDL_PushEvent(&event)
        }

        @Test func theStringOfADroppedFileIsTheConsumersOrTheGames() throws {
            try withGuest { guest in
                func isDrop(_ event: SDL_Event) -> Bool { event.type == SDL_DROPFILE.rawValue }
                var consumed: String?
                var hasString: Bool?
                guest.run {
                    let event = try await guest.nextEvent(consuming: true, matching: isDrop)
                    consumed = String(cString: event.drop.file)
                    SDL_free(event.drop.file)
                    hasString = try await guest.nextEvent(matching: isDrop).drop.file != nil
                }
                guest.tick()
                drop("first")
                frame(guest)
                #expect(consumed == "first")
                drop("second")
                var event = SDL_Event()
                while SDL_PollEvent(&event) != 0 {
                    guard !guest.handle(event), isDrop(event) else { continue }
                    #expect(String(cString: event.drop.file) == "second")
                    SDL_free(event.drop.file)
                }
                guest.tick()
                #expect(hasString == false)
            }
        }

        /// What reaches nobody is freed: SDL counts its allocations.
        @Test func stringsOfEventsThatReachNobodyAreFreed() throws {
            try withGuest { guest in
                @MainActor func fillAndLetGo() {
                    let events = guest.events(consuming: true, capacity: 2) { $0.type == SDL_DROPFILE.rawValue }
                    for number in 0..<5 { drop("\(number)") }
                    frame(guest)
                    #expect(events.dropped == 3)
                }
                // The queue's own entries stay for the next events.
                fillAndLetGo()
                let before = SDL_GetNumAllocations()
                for _ in 0..<10 { fillAndLetGo() }
                #expect(SDL_GetNumAllocations() == before)
            }
        }

        @Test func aFrameLoopWithoutAnEventClosureFreesTheStrings() throws {
            try withGuest { guest in
                @MainActor func runFrames() {
                    for number in 0..<5 { drop("\(number)") }
                    let frames = FrameLoop(guest, pace: .fixed(framesPerSecond: 1000))
                    frames.frameLimit = 1
                    frames.run()
                    #expect(SDL_HasEvent(SDL_DROPFILE.rawValue) == SDL_FALSE)
                }
                runFrames()
                let before = SDL_GetNumAllocations()
                for _ in 0..<10 { runFrames() }
                #expect(SDL_GetNumAllocations() == before)
            }
        }

        // MARK: - The display and the thread

        /// A window that is moved to another display, or a display whose mode changes.
        @Test func theFramesPeriodFollowsTheDisplayOfTheWindow() throws {
            try withGuest { guest in
                guest.displayRate = { 10 }
                let frames = FrameLoop(guest)
                frames.frameLimit = 3
                var left: [Duration] = []
                frames.run(update: { frame in
                    left.append(frame.budgetLeft)
                    guard frame.number == 0 else { return }
                    guest.displayRate = { 100 }
                    var moved = SDL_Event()
                    moved.type = SDL_WINDOWEVENT.rawValue
                    moved.window.event = UInt8(SDL_WINDOWEVENT_DISPLAY_CHANGED.rawValue)
                    SDL_PushEvent(&moved)
                })
                #expect(left.count == 3)
                #expect(left[0] <= .milliseconds(100))
                #expect(left[1] <= .milliseconds(10) && left[2] <= .milliseconds(10))
                // Only a machine that took 90 ms for an empty frame would have so little left.
                #expect(left[0] > .milliseconds(10))
            }
        }

        @Test func theThreadsOwnSleepsStayAsTheyWere() throws {
            func slack() -> UInt {
                // Asking is setting, twice.
                let present = tandem_thread_set_timer_slack(50_000)
                tandem_thread_set_timer_slack(present)
                return UInt(present)
            }
            let before = slack()
            try withGuest { guest in
                #expect(slack() == before)
                var event = SDL_Event()
                while guest.waitEvent(&event, timeout: .milliseconds(1)) {}
                #expect(slack() == before)
                guest.loop.callSoon {}
                guest.tick()
                #expect(slack() == before)
            }
        }
    }
}
