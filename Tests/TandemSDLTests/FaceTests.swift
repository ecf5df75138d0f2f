// SPDX-License-Identifier: Apache-2.0
// FaceTests: the guest's calls and its loop's are one; what runs frames is what is stopped.

import Tandem
import TandemSDL
import TandemTesting
import Testing

/// By way of a protocol, so that the one place that uses deprecated names is deprecated itself and nobody is warned.
@MainActor private protocol UsesFormerNames {
    func waits(_ guest: SDLGuest) async throws -> Int?
    func steps(_ simulation: Simulation) throws
}

private struct FormerNames: UsesFormerNames {
    @available(*, deprecated)
    func waits(_ guest: SDLGuest) async throws -> Int? {
        let event = try await guest.event { $0.type == SDL_USEREVENT.rawValue }
        return try await guest.frames(2) == nil ? nil : Int(event.user.code)
    }

    @available(*, deprecated)
    func steps(_ simulation: Simulation) throws { try simulation.run(frames: 3) }
}

extension SDL {
    @Suite @MainActor struct FaceTests {
        @Test func aTickOfTheGuestsLoopIsATickOfTheGuest() throws {
            try withGuest { guest in
                let numbers = Box<[Int]>([])
                guest.run {
                    for await frame in guest.frames { numbers.value.append(frame.number) }
                }
                for _ in 0..<4 { guest.loop.tick() }
                #expect(numbers.value.count == 4)
                guest.tick()
                #expect(numbers.value.count == 5)
                #expect(zip(numbers.value, numbers.value.dropFirst()).allSatisfy { $1 == $0 + 1 })
            }
        }

        @Test func aGuestsLoopThatOutlivesItStillTicks() throws {
            let loop = try withGuest { guest in
                guest.loop.callSoon {}
                #expect(guest.loop.tick().callbacks == 1)
                return guest.loop
            }
            #expect(loop.tick().isEmpty)
        }

        @Test func ofTwoFrameLoopsTheOneIsStoppedThatIsAsked() throws {
            try withGuest { guest in
                let outer = FrameLoop(guest, pace: .fixed(framesPerSecond: 1000))
                let inner = FrameLoop(guest, pace: .fixed(framesPerSecond: 1000))
                var innerFrames = 0
                let same = outer
                let frames = outer.run(update: { frame in
                    guard frame.number == 2 else { return }
                    same.stop()
                    innerFrames = inner.run(update: { if $0.number == 4 { inner.stop() } })
                })
                #expect(frames == 3 && innerFrames == 5)
            }
        }

        @Test func settingsThatChangeInARunAreTheNextOnes() throws {
            try withGuest { guest in
                let frames = FrameLoop(guest, pace: .fixed(framesPerSecond: 1000))
                frames.frameLimit = 3
                #expect(frames.run(update: { _ in frames.frameLimit = 5 }) == 3)
                #expect(frames.run() == 5)
            }
        }

        @Test func theFormerNamesDoWhatTheyDid() throws {
            let names: any UsesFormerNames = FormerNames()
            try withGuest { guest in
                var outcome: Result<Int?, any Error>?
                guest.run({ try await names.waits(guest) }, onDone: { outcome = $0 })
                guest.tick()
                var event = SDL_Event()
                event.user.type = SDL_USEREVENT.rawValue
                event.user.code = 7
                #expect(guest.handle(event) == false)
                for _ in 0..<5 where outcome == nil { guest.tick() }
                let code = try outcome?.get()
                #expect(code == 7)
            }
            try Simulation.run { simulation in
                try names.steps(simulation)
                #expect(simulation.frames == 3)
            }
        }
    }
}
