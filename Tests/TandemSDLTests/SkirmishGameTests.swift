// SPDX-License-Identifier: Apache-2.0
// SkirmishGameTests: the whole game on SDL's dummy driver and a clock that jumps, with keys pressed at chosen frames.

import Foundation
import SkirmishRules
import Tandem
import TandemSDL
import TandemTesting
import Testing

@testable import Skirmish

extension SDL {
    @Suite @MainActor struct SkirmishGameTests {
        private func press(_ key: SDL_KeyCode) {
            var event = SDL_Event()
            event.key.type = SDL_KEYDOWN.rawValue
            event.key.keysym.sym = Int32(bitPattern: UInt32(key.rawValue))
            #expect(SDL_PushEvent(&event) == 1)
            event.key.type = SDL_KEYUP.rawValue
            #expect(SDL_PushEvent(&event) == 1)
        }

        private func name(_ screen: Screen) -> String {
            switch screen {
            case .loading: "loading"
            case .title: "title"
            case .match(_, let isPaused): isPaused ? "pause" : "match"
            case .over: "over"
            case .lobby: "lobby"
            case .scores: "scores"
            }
        }

        /// Plays with these keys, pressed in these frames. Returns the screens, in order, and whether the game ended by itself.
        private func play(
            _ arguments: [String], _ keys: [Int: SDL_KeyCode], frames limit: Int,
            watch: @escaping (Int, Stage) -> Void = { _, _ in }
        ) throws -> (screens: [String], hasEnded: Bool, report: RunReport) {
            setenv("SDL_VIDEODRIVER", "dummy", 1)
            setenv("SDL_AUDIODRIVER", "dummy", 1)
            try #require(SDL_Init(SDL_INIT_VIDEO) == 0)
            defer { SDL_Quit() }
            let window = try Window(isHeadless: true)
            var configuration = Configuration()
            configuration.timeSource = VirtualClock()
            let guest = try SDLGuest(configuration: configuration, handlesInterrupts: false)
            defer { guest.close() }
            let options = try #require(try SkirmishCommand.parseAsRoot(arguments) as? SkirmishCommand)
            let stage = Stage(options, guest, window)
            var frames = FrameLoop(guest, pace: .fixed(framesPerSecond: 60), fixedStep: .seconds(1) / 60)
            frames.frameLimit = limit
            var screens: [String] = []
            var hasEnded = false
            var failure: (any Error)?
            guest.run {
                try await Game(stage: stage).play()
            } onDone: { [frames] result in
                if case .failure(let error) = result { failure = error }
                hasEnded = true
                frames.stop()
            }
            frames.run(update: { frame in
                if let key = keys[frame.number] { self.press(key) }
                watch(frame.number, stage)
                let now = self.name(stage.screen)
                if screens.last != now { screens.append(now) }
            })
            if let failure { throw failure }
            // Nothing of the game waits once it has ended.
            if hasEnded { #expect(guest.loop.waiting.isEmpty, "\(guest.loop.waiting)") }
            return (screens, hasEnded, stage.report())
        }

        @Test func keysLeadFromSceneToScene() throws {
            var steps: [Int] = []
            let (screens, hasEnded, report) = try play(
                ["--bots", "1"],
                [
                    10: SDLK_RETURN, 100: SDLK_p, 200: SDLK_p, 300: SDLK_ESCAPE, 320: SDLK_RETURN, 400: SDLK_ESCAPE,
                    420: SDLK_ESCAPE,
                ],
                frames: 1000
            ) { frame, stage in
                if [110, 190, 290].contains(frame), case .match(let match, _) = stage.screen {
                    steps.append(match.world.steps)
                }
            }
            #expect(screens == ["title", "match", "pause", "match", "title", "match", "title"])
            #expect(hasEnded)
            // The pause held the match, and nothing else did.
            #expect(steps.count == 3)
            #expect(steps[0] == steps[1])
            #expect(steps[2] > steps[1] + 80)
            #expect(report.matches == 2)
            #expect(report.inputEvents == 14)
        }

        @Test func aMatchThatIsLostShowsTheEndAndGoesOn() throws {
            var framesOfTheEnd: [Int] = []
            let (screens, _, report) = try play(
                ["--bots", "0", "--seed", "3"], [10: SDLK_RETURN], frames: 12_000
            ) { frame, stage in
                // Nobody defends the beacon. Enter at once is too early, a second later it is not.
                if case .over(let match, _) = stage.screen {
                    if match.world.isOver, stage.matches == 1 { framesOfTheEnd.append(frame) }
                    if frame % 10 == 0 { self.press(SDLK_RETURN) }
                }
            }
            #expect(screens.prefix(5) == ["title", "match", "over", "match", "over"])
            #expect(report.matches >= 2)
            #expect((60...75).contains(framesOfTheEnd.count), "\(framesOfTheEnd.count) frames")
        }

        @Test func aHostGoesFromTheLobbyToAMatchAndBackToTheTitle() throws {
            var menus: [String] = []
            var people: [Int] = []
            let (screens, hasEnded, _) = try play(
                ["--host", "127.0.0.1:0", "--local", "--name", "Ann", "--bots", "3"],
                [
                    30: SDLK_RETURN, 120: SDLK_ESCAPE, 150: SDLK_UP, 160: SDLK_RETURN, 300: SDLK_ESCAPE,
                ],
                frames: 1000
            ) { frame, stage in
                if let title = stage.menu?.title, menus.last != title { menus.append(title) }
                if frame == 100, case .match(let match, _) = stage.screen {
                    people = match.world.ships.map { Int($0.pilot.rawValue) }
                    #expect(match.world.steps > 60)
                    #expect(match.names[0] == "Ann")
                }
            }
            #expect(screens == ["lobby", "match", "title"])
            #expect(menus == ["", "The match goes on", ""])
            #expect(people == [2, 1, 1, 1, 0, 0, 0, 0])
            #expect(hasEnded)
        }

        @Test func whatGoesWrongWithAHostIsANoticeOnTheTitle() throws {
            var notice = ""
            // No address of this machine: it is documentation's.
            let (screens, hasEnded, _) = try play(
                ["--host", "192.0.2.1:4000", "--local"], [60: SDLK_ESCAPE], frames: 200
            ) { frame, stage in if frame == 50 { notice = stage.notice ?? "" } }
            #expect(screens.last == "title" && hasEnded)
            #expect(notice.contains("192.0.2.1:4000"), "\(notice)")
        }

        @Test func optionsChangeByKeysAndShowAtOnce() throws {
            var volumes: [Int] = []
            var key = ""
            let (_, hasEnded, _) = try play(
                [],
                [
                    // Options; one down to the volume; left twice; up twice from the top to the key for talking; bind X; back.
                    10: SDLK_DOWN, 15: SDLK_DOWN, 20: SDLK_DOWN, 25: SDLK_RETURN, 40: SDLK_DOWN, 45: SDLK_LEFT,
                    50: SDLK_LEFT, 60: SDLK_UP, 65: SDLK_UP, 70: SDLK_UP, 75: SDLK_RETURN, 85: SDLK_x, 100: SDLK_ESCAPE,
                    120: SDLK_ESCAPE,
                ],
                frames: 300
            ) { frame, stage in
                if volumes.last != stage.settings.volume { volumes.append(stage.settings.volume) }
                key = stage.settings.key(.chat)
            }
            #expect(hasEnded)
            #expect(volumes == [7, 6, 5])
            #expect(key == "X")
        }

        @Test func aRunWithoutAPlayerEndsAtItsFrame() throws {
            let (screens, hasEnded, report) = try play(
                ["--headless", "--frames", "90", "--bots", "2"], [:], frames: 1000)
            #expect(screens == ["match"])
            #expect(hasEnded)
            #expect(report.frames == 90)
            #expect(report.wave == 1)
        }
    }
}
