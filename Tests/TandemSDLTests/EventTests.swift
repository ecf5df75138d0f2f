// SPDX-License-Identifier: Apache-2.0
// EventTests: SDL's events, awaited one by one and as sequences.

import Foundation
import Testing

@testable import Tandem
@testable import TandemSDL

extension SDL {
    @Suite @MainActor struct EventTests {
        private func press(_ key: SDL_KeyCode, repeats: Bool = false) {
            var event = SDL_Event()
            event.type = SDL_KEYDOWN.rawValue
            event.key.keysym.sym = Int32(bitPattern: UInt32(key.rawValue))
            event.key.repeat = repeats ? 1 : 0
            SDL_PushEvent(&event)
        }

        /// A plain loop of somebody's: the game's events, each of them handled.
        private func frame(_ guest: SDLGuest) -> [UInt32] {
            var seen: [UInt32] = []
            var event = SDL_Event()
            while SDL_PollEvent(&event) != 0 {
                if !guest.handle(event), event.type == SDL_KEYDOWN.rawValue {
                    seen.append(UInt32(event.key.keysym.sym))
                }
            }
            guest.tick()
            return seen
        }

        @Test func aKeyIsAwaited() throws {
            try withGuest { guest in
                var key: Int32 = 0
                guest.run { key = try await guest.nextKey(SDLK_b).sym }
                guest.tick()
                press(SDLK_a)
                press(SDLK_b, repeats: true)
                #expect(frame(guest).count == 2)
                #expect(key == 0)
                press(SDLK_b)
                // The game sees it as well.
                #expect(frame(guest) == [UInt32(SDLK_b.rawValue)])
                #expect(key == Int32(SDLK_b.rawValue))
            }
        }

        @Test func keysAndEventTypesCompareWithTheirNames() {
            var event = SDL_Event()
            event.type = SDL_KEYDOWN.rawValue
            // One with a letter's number, and one beyond them (a scancode with a bit set).
            for (name, other) in [(SDLK_a, SDLK_b), (SDLK_LEFT, SDLK_RIGHT)] {
                event.key.keysym.sym = SDL_Keycode(bitPattern: UInt32(name.rawValue))
                let key = event.key.keysym
                #expect(key == name && key.sym == name && !(key == other) && !(key.sym == other))
                #expect(key != other && key.sym != other && !(key != name) && !(key.sym != name))
                switch key {
                case other: Issue.record("another key")
                case name: break
                default: Issue.record("no key")
                }
                switch key.sym {
                case other: Issue.record("another key")
                case name: break
                default: Issue.record("no key")
                }
            }
            #expect(event.type == SDL_KEYDOWN && event.type != SDL_QUIT)
            #expect(!(event.type != SDL_KEYDOWN) && !(event.type == SDL_QUIT))
            switch event.type {
            case SDL_QUIT: Issue.record("another type")
            case SDL_KEYDOWN: break
            default: Issue.record("no type")
            }
        }

        @Test func higherPrioritiesAreAskedFirstAndOneThatConsumesEndsTheEventsWay() throws {
            try withGuest { guest in
                var log: [String] = []
                @MainActor func wait(_ name: String, _ priority: Int, consuming: Bool) {
                    guest.run {
                        try await guest.nextKey(priority: priority, consuming: consuming)
                        log.append(name)
                    }
                    guest.tick()
                }
                wait("low", 0, consuming: false)
                wait("modal", 5, consuming: true)
                wait("high", 9, consuming: false)
                press(SDLK_a)
                #expect(frame(guest).isEmpty)
                #expect(log == ["high", "modal"])
                press(SDLK_a)
                #expect(frame(guest) == [UInt32(SDLK_a.rawValue)])
                #expect(log == ["high", "modal", "low"])
            }
        }

        @Test func aSequenceGathersFromTheMomentItIsMade() throws {
            try withGuest { guest in
                let events = guest.events { $0.type == SDL_KEYDOWN.rawValue }
                for key in [SDLK_a, SDLK_b, SDLK_c] { press(key) }
                _ = frame(guest)
                var keys: [Int32] = []
                guest.run { for await event in events { keys.append(event.key.keysym.sym) } }
                guest.tick()
                press(SDLK_d)
                _ = frame(guest)
                #expect(keys == [SDLK_a, SDLK_b, SDLK_c, SDLK_d].map { Int32($0.rawValue) })
                #expect(events.dropped == 0)
            }
        }

        @Test func aSlowConsumerLosesTheOldestAndIsToldHowMany() throws {
            try withGuest { guest in
                let events = guest.events(capacity: 2) { $0.type == SDL_KEYDOWN.rawValue }
                for key in [SDLK_a, SDLK_b, SDLK_c, SDLK_d] { press(key) }
                _ = frame(guest)
                var keys: [Int32] = []
                guest.run { for await event in events { keys.append(event.key.keysym.sym) } }
                guest.tick()
                #expect(keys == [SDLK_c, SDLK_d].map { Int32($0.rawValue) })
                #expect(events.dropped == 2)
            }
        }

        @Test func aCancelledWaitAndASequenceThatIsLetGoLeaveNothing() throws {
            try withGuest { guest in
                var ended = 0
                let one = guest.run {
                    try await guest.nextEvent()
                } onDone: { _ in
                    ended += 1
                }
                let many = guest.run {
                    for await _ in guest.events() {}
                } onDone: { _ in
                    ended += 1
                }
                guest.tick()
                #expect(guest.loop.waiting.filter { $0.kind == .other }.count == 2)
                one.cancel()
                many.cancel()
                guest.tick()
                #expect(ended == 2)
                #expect(guest.loop.waiting.isEmpty)
                press(SDLK_a)
                #expect(frame(guest).count == 1)
                #expect(guest.events.count == 0)
            }
        }

        @Test func waitEventDoesNotGiveTheGameWhatATaskHasConsumed() throws {
            try withGuest { guest in
                var isTaken = false
                guest.run {
                    try await guest.nextKey(consuming: true)
                    isTaken = true
                }
                guest.tick()
                press(SDLK_a)
                var event = SDL_Event()
                #expect(!guest.waitEvent(&event, timeout: .seconds(20)))
                guest.tick()
                #expect(isTaken)
            }
        }

        @Test func closingEndsWaitsForEvents() throws {
            var outcome: Result<Void, any Error>?
            try withGuest { guest in
                guest.run({ try await guest.nextEvent() }) { outcome = $0.map { _ in } }
                guest.tick()
            }
            #expect(throws: CancellationError.self) { try outcome?.get() }
        }
    }

    @Suite @MainActor struct FramePhaseTests {
        @Test func tasksWaitInThePhasesOfAFrameLoopBeforeItsClosures() throws {
            try withGuest { guest in
                let frames = FrameLoop(guest, pace: .fixed(framesPerSecond: 500), fixedStep: .milliseconds(2))
                frames.frameLimit = 4
                var log: [String] = []
                for phase in FramePhase.allCases {
                    Task { @MainActor in
                        for await frame in guest.frames(in: phase) where frame.number == 2 {
                            log.append("\(phase)")
                        }
                    }
                }
                var number = -1
                frames.run(
                    fixedUpdate: { _ in if number == 1 { log.append("fixed closure") } },
                    update: {
                        number = $0.number
                        if number == 2 { log.append("update closure") }
                    },
                    draw: { if $0.number == 2 { log.append("draw closure") } })
                // However many fixed steps were due.
                let steps = log.filter { $0 == "fixedUpdate" }.count
                #expect(log.filter { $0 == "fixed closure" }.count == steps)
                log.removeAll { $0.hasPrefix("fixed") }
                #expect(log == ["input", "update", "update closure", "lateUpdate", "draw", "draw closure"])
            }
        }

        /// Behaviour 44: a consumer that keeps up misses no frame.
        @Test func aConsumerThatKeepsUpMissesNoFrame() throws {
            try withGuest { guest in
                let frames = FrameLoop(guest, pace: .fixed(framesPerSecond: 1000))
                frames.frameLimit = 200
                var numbers: [Int] = []
                Task { @MainActor in for await frame in guest.frames { numbers.append(frame.number) } }
                frames.run()
                // The first frame's tick starts the task, whose first wait is for that same frame's update.
                #expect(numbers == Array(0..<200))
            }
        }

        @Test func inALoopOfOnesOwnEachTickIsAFrame() throws {
            try withGuest { guest in
                var numbers: [Int] = []
                guest.run { for await frame in guest.frames { numbers.append(frame.number) } }
                for _ in 0..<5 { guest.tick() }
                #expect(numbers == Array(0..<5))
            }
        }

        @Test func onDemandAWaitForAFrameIsAReasonToDraw() throws {
            try withGuest { guest in
                let frames = FrameLoop(guest, pace: .onDemand)
                var drawn = 0
                guest.loop.callLater(.milliseconds(5)) {
                    guest.run {
                        try await guest.waitForFrames(3)
                        frames.stop()
                    }
                }
                frames.run(draw: { _ in drawn += 1 })
                #expect((3...5).contains(drawn))
            }
        }
    }
}
