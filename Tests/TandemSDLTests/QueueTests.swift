// SPDX-License-Identifier: Apache-2.0
// QueueTests: the SDL event is a hint; whatever SDL or the game does to it, the work is done.

import Foundation
import Testing

@testable import Tandem
@testable import TandemSDL

extension SDL {
    @Suite @MainActor struct QueueTests {
        /// Behaviour 51: a filter that refuses every event is not asked about the hint.
        @Test func anEventFilterThatRefusesAllDoesNotSwallowTheHint() throws {
            try withGuest { guest in
                SDL_SetEventFilter({ _, _ in 0 }, nil)
                defer { SDL_SetEventFilter(nil, nil) }
                var ran = false
                guest.loop.callSoon { ran = true }
                #expect(guest.loop.statistics.hintsDropped == 0)
                #expect(queued(guest.eventType) == 1)
                #expect(guest.loop.hasWork)
                guest.tick()
                #expect(ran)
            }
        }

        /// Behaviour 51: SDL_PushEvent gives -1 as 65,534 events are queued.
        @Test func workRunsAlthoughTheQueueIsFull() throws {
            try withGuest { guest in
                var event = SDL_Event()
                event.type = SDL_KEYDOWN.rawValue
                while SDL_PushEvent(&event) == 1 {}
                var ran = false
                guest.loop.callSoon { ran = true }
                #expect(guest.loop.statistics.hintsDropped == 1)
                guest.tick()
                #expect(ran)
                SDL_FlushEvents(0, SDL_LASTEVENT.rawValue)
                guest.loop.callSoon {}
                #expect(guest.loop.statistics.hintsPosted == 1)
            }
        }

        /// Behaviour 50, 51: SDL_Quit under a running loop, and SDL_Init after it.
        @Test func workRunsAcrossQuitAndInit() throws {
            try withGuest { guest in
                SDL_Quit()
                let ran = Box(0)
                try guest.loop.post { ran.value += 1 }
                #expect(guest.loop.statistics.hintsDropped == 1)
                guest.tick()
                #expect(ran.value == 1)
                #expect(SDL_Init(SDL_INIT_VIDEO) == 0)
                Thread.detachNewThread { try? guest.loop.post { ran.value += 1 } }
                #expect(guest.work { ran.value == 2 })
            }
        }

        /// Behaviour 52.
        @Test func aFlushedHintCannotPutTheIdleWaitToSleep() throws {
            try withGuest { guest in
                var ran = false
                guest.loop.callSoon { ran = true }
                SDL_FlushEvents(0, SDL_LASTEVENT.rawValue)
                SDL_SetEventFilter({ _, _ in 1 }, nil)
                defer { SDL_SetEventFilter(nil, nil) }
                var event = SDL_Event()
                #expect(!guest.waitEvent(&event, timeout: nil))
                guest.tick()
                #expect(ran)
            }
        }

        /// Behaviour 13: as many posts as you like, one hint in the queue, nothing lost, in order for each thread.
        @Test func aMillionPostsLeaveOneHintInTheQueue() throws {
            try withGuest { guest in
                let perThread = 125_000
                let lasts = Box([Int](repeating: -1, count: 8))
                let count = Box(0)
                let group = DispatchGroup()
                for thread in 0..<8 {
                    DispatchQueue(label: "poster \(thread)").async(group: group) {
                        for number in 0..<perThread {
                            try? guest.loop.post {
                                if lasts.value[thread] == number - 1 { lasts.value[thread] = number }
                                count.value += 1
                            }
                        }
                    }
                }
                group.wait()
                #expect(queued(guest.eventType) == 1)
                #expect(guest.work { count.value == 8 * perThread })
                #expect(lasts.value == [Int](repeating: perThread - 1, count: 8))
                #expect(guest.loop.statistics.posts == 8 * perThread)
            }
        }

        /// Behaviour 53.
        @Test func aGameThatOnlyTicksLosesNothingAndGathersNoEvents() throws {
            try withGuest { guest in
                let count = Box(0)
                for _ in 0..<1000 {
                    try guest.loop.post { count.value += 1 }
                    guest.tick()
                }
                #expect(count.value == 1000)
                #expect(queued(guest.eventType) <= 1)
            }
        }

        /// Behaviour 56.
        @Test func theGameSeesNothingOfTandemsEvent() throws {
            try withGuest { guest in
                var seen: [UInt32] = []
                var fired = 0
                for delay in 1...5 { guest.loop.callLater(.milliseconds(delay)) { fired += 1 } }
                var key = SDL_Event()
                key.type = SDL_KEYDOWN.rawValue
                SDL_PushEvent(&key)
                #expect(guest.work(event: { seen.append($0.type) }, until: { fired == 5 }))
                #expect(seen == [SDL_KEYDOWN.rawValue])
                var own = SDL_Event()
                own.type = guest.eventType
                #expect(guest.handle(own))
                #expect(guest.handle(eventType: guest.eventType))
                #expect(!guest.handle(key))
            }
        }

        /// Behaviour 55.
        @Test func fortyThousandLoopsUseOneEventType() throws {
            setenv("SDL_VIDEODRIVER", "dummy", 1)
            try #require(SDL_Init(SDL_INIT_VIDEO) == 0)
            defer { SDL_Quit() }
            let first = try SDLGuest(handlesInterrupts: false)
            let type = first.eventType
            first.close()
            for _ in 0..<40_000 {
                let guest = try SDLGuest(handlesInterrupts: false)
                guard guest.eventType == type else {
                    Issue.record("a loop has event type \(guest.eventType) instead of \(type)")
                    return
                }
                guest.close()
            }
            #expect(SDL_RegisterEvents(1) != UInt32.max)
        }

        @Test func aSecondGuestOnTheMainThreadIsRefused() throws {
            try withGuest { guest in
                let error = #expect(throws: GuestError.self) { _ = try SDLGuest() }
                #expect(error?.code == .loopAlreadyOnThread)
                var ran = false
                guest.loop.callSoon { ran = true }
                guest.tick()
                #expect(ran)
            }
        }
    }
}
