// SPDX-License-Identifier: Apache-2.0
// SkirmishGameTests: the whole game on SDL's dummy driver and a clock that jumps, with keys pressed at chosen frames.

import Foundation
import SkirmishNetwork
import SkirmishProtocol
import SkirmishRules
import Tandem
import TandemSDL
import Testing

@testable import Skirmish

extension SDL {
    @Suite @MainActor struct SkirmishGameTests {
        @Test func keysLeadFromSceneToScene() throws {
            var steps: [Int] = []
            let (screens, hasEnded, report) = try GameRun.play(
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
            let (screens, _, report) = try GameRun.play(
                ["--bots", "0", "--seed", "3"], [10: SDLK_RETURN], frames: 12_000
            ) { frame, stage in
                // Nobody defends the beacon. Enter at once is too early, a second later it is not.
                if case .over(let match, _) = stage.screen {
                    if match.world.isOver, stage.matches == 1 { framesOfTheEnd.append(frame) }
                    if frame % 10 == 0 { GameRun.press(SDLK_RETURN) }
                }
            }
            #expect(screens.prefix(5) == ["title", "match", "over", "match", "over"])
            #expect(report.matches >= 2)
            #expect((60...75).contains(framesOfTheEnd.count), "\(framesOfTheEnd.count) frames")
        }

        @Test func aHostGoesFromTheLobbyToAMatchAndBackToTheTitle() throws {
            var menus: [String] = []
            var people: [Int] = []
            let (screens, hasEnded, _) = try GameRun.play(
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

        @Test func aGuestJoinsByAddressPlaysAndIsBackAtTheTitleWhenTheHostLeaves() throws {
            var host: HostSession?
            var run: GuestRun<Void>?
            var notice = ""
            var (figures, hostsFigures, frameCount): ([String], [String], Int) = ([], [], 0)
            let (screens, _, _) = try GameRun.play(
                ["--local", "--name", "Ann"], frames: 20_000,
                watch: GameRun.watch([
                    .init {
                        $0.menu != nil
                    } _: { stage in
                        var options = HostOptions(address: .loopback(port: 0))
                        options.discoveryPort = nil
                        options.code = MatchCode("blue horse")!
                        let session = try? HostSession(on: stage.guest.loop, options)
                        host = session
                        run = stage.guest.run({ try await session?.runAlone() }) { _ in }
                        GameRun.press(SDLK_DOWN)
                        GameRun.press(SDLK_DOWN)
                        GameRun.press(SDLK_RETURN)
                    },
                    // Whatever games this machine has besides: the last line but one.
                    .init {
                        $0.menu?.title == "Join a game" && $0.menu!.items.count >= 2
                    } _: { stage in
                        stage.menu?.selected = stage.menu!.items.count - 2
                        GameRun.press(SDLK_RETURN)
                    },
                    .init {
                        $0.typed?.prompt == "Address"
                    } _: { _ in
                        GameRun.write("127.0.0.1:\(host?.address.port ?? 0)")
                        GameRun.press(SDLK_RETURN)
                    },
                    .init {
                        $0.typed?.prompt.hasPrefix("Match code") == true
                    } _: { _ in
                        GameRun.write("blue horse")
                        GameRun.press(SDLK_RETURN)
                    },
                    .init {
                        $0.menu?.items.first?.label == "Ready"
                    } _: { _ in
                        GameRun.press(SDLK_RETURN)
                    },
                    .init {
                        $0.party?.phase == .playing
                    } _: { _ in
                        GameRun.press(SDLK_F3)
                    },
                    .init {
                        // Without pictures nothing else is drawn.
                        $0.drawFigures()
                        return $0.party?.seen?.steps ?? 0 > 60 && $0.guest.overlay.frameCount > 60
                    } _: { stage in
                        figures = stage.guest.overlay.writtenLines
                        frameCount = stage.guest.overlay.frameCount
                        hostsFigures = HostParty(host!, stage.guest.loop).figures
                        let session = host
                        stage.guest.run({ await session?.close() }) { _ in }
                    },
                    .init {
                        GameRun.name($0.screen) == "title" && $0.menu != nil
                    } _: { stage in
                        notice = stage.notice ?? ""
                        run?.cancel()
                    },
                ]))
            #expect(screens == ["title", "lobby", "match", "title"])
            #expect(notice == "The host has ended the game")
            // What F3 shows: times of frames and of ticks as graphs, the rest in words; of a host, too, what is its own.
            #expect(frameCount > 60)
            for what in [
                "callbacks", "jobs", "timers", "descriptors", "ready to run", "over budget", "round trip", "snapshot",
            ] { #expect(figures.contains { $0.contains(what) }, "\(what) in \(figures)") }
            for what in ["players 1", "round trip", "snapshot"] {
                #expect(hostsFigures.contains { $0.contains(what) }, "\(what) in \(hostsFigures)")
            }
        }

        @Test func aGamepadThatIsPluggedInPlaysAndItsGoingHarmsNothing() throws {
            var device: Int32 = -1
            var pad: OpaquePointer?
            var counts: [Int] = []
            var starts: [Double] = []
            func button(_ button: SDL_GameControllerButton, _ isDown: Bool) {
                SDL_JoystickSetVirtualButton(pad, button.rawValue, isDown ? 1 : 0)
            }
            let (screens, _, _) = try GameRun.play(
                ["--bots", "0"], frames: 3000, hasGamepads: true,
                watch: GameRun.watch([
                    .init {
                        $0.menu != nil
                    } _: { _ in
                        device = SDL_JoystickAttachVirtual(
                            SDL_JOYSTICK_TYPE_GAMECONTROLLER, Int32(SDL_CONTROLLER_AXIS_MAX.rawValue),
                            Int32(SDL_CONTROLLER_BUTTON_MAX.rawValue), 0)
                        pad = SDL_JoystickOpen(device)
                    },
                    // The stick moves the choice once, however long it is held, and the directional pad once more.
                    .init {
                        $0.input.gamepads.count == 1
                    } _: { _ in
                        SDL_JoystickSetVirtualAxis(pad, SDL_CONTROLLER_AXIS_LEFTY.rawValue, 32_000)
                    },
                    .init {
                        $0.menu?.selected == 1
                    } _: { _ in
                        SDL_JoystickSetVirtualAxis(pad, SDL_CONTROLLER_AXIS_LEFTY.rawValue, 30_000)
                    },
                    .init {
                        $0.menu?.selected == 1
                    } _: { _ in
                        SDL_JoystickSetVirtualAxis(pad, SDL_CONTROLLER_AXIS_LEFTY.rawValue, 0)
                        button(SDL_CONTROLLER_BUTTON_DPAD_UP, true)
                    },
                    .init {
                        $0.menu?.selected == 0
                    } _: { _ in
                        button(SDL_CONTROLLER_BUTTON_A, true)
                    },
                    .init {
                        GameRun.name($0.screen) == "match"
                    } _: { stage in
                        starts.append(x(stage))
                        SDL_JoystickSetVirtualAxis(pad, SDL_CONTROLLER_AXIS_LEFTX.rawValue, 32_000)
                    },
                    .init {
                        x($0) > starts[0] + 40
                    } _: { stage in
                        button(SDL_CONTROLLER_BUTTON_B, true)
                        counts.append(stage.input.gamepads.count)
                    },
                    .init {
                        GameRun.name($0.screen) == "pause"
                    } _: { _ in
                        button(SDL_CONTROLLER_BUTTON_B, false)
                        button(SDL_CONTROLLER_BUTTON_START, true)
                    },
                    .init {
                        GameRun.name($0.screen) == "match"
                    } _: { _ in
                        SDL_JoystickClose(pad)
                        SDL_JoystickDetachVirtual(device)
                    },
                    .init {
                        $0.input.gamepads.count == 0
                    } _: { stage in
                        starts.append(x(stage))
                    },
                    // Nobody holds the stick any more: the ship comes to rest.
                    .init {
                        abs(x($0) - starts.last!) < 0.01
                            || {
                                starts.append(x($0)); return false
                            }($0)
                    } _: { _ in
                    },
                ]))
            #expect(screens == ["title", "match", "pause", "match"])
            #expect(counts == [1])
        }

        private func x(_ stage: Stage) -> Double {
            guard case .match(let match, _) = stage.screen else { return 0 }
            return match.own.position.x
        }

        @Test func aMouseChoosesAndGoesBack() throws {
            var volume = 0
            var titles: [String] = []
            let (screens, hasEnded, _) = try GameRun.play(
                [], frames: 3000,
                watch: GameRun.watch([
                    .init {
                        $0.menu?.items.count == 5
                    } _: {
                        click($0, 3)
                    },
                    .init {
                        $0.menu?.title == "Options"
                    } _: {
                        click($0, 1)
                    },
                    // Writing is given up by the right button.
                    .init {
                        $0.settings.volume == 8
                    } _: {
                        click($0, 0)
                    },
                    .init {
                        $0.typed?.prompt == "Name"
                    } _: { _ in
                        var event = SDL_Event()
                        event.button.type = SDL_MOUSEBUTTONDOWN.rawValue
                        event.button.button = UInt8(SDL_BUTTON_RIGHT)
                        SDL_PushEvent(&event)
                    },
                    .init {
                        $0.typed == nil
                    } _: { stage in
                        volume = stage.settings.volume
                        click(stage, stage.menu!.items.count - 1)
                    },
                    .init {
                        $0.menu?.items.count == 5
                    } _: { stage in
                        titles.append(stage.menu!.title)
                        click(stage, 4)
                    },
                    .init { _ in
                        false
                    } _: { _ in
                    },
                ]))
            #expect(volume == 8 && titles == [""])
            #expect(screens == ["title"])
            #expect(hasEnded)
        }

        private func click(_ stage: Stage, _ line: Int) {
            let place = stage.menu!.place(of: line)
            GameRun.click(place.x, place.y + 8)
        }

        @Test func aDamagedOptionsFileIsReportedAndNotWrittenTo() throws {
            let folder = NSTemporaryDirectory() + "skirmish-\(UUID())"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: folder) }
            let file = folder + "/options.json"
            try Data("{ half a fi".utf8).write(to: URL(fileURLWithPath: file))
            var notices: [String] = []
            let (_, hasEnded, _) = try GameRun.play(
                ["--options-file", file],
                [
                    20: SDLK_DOWN, 25: SDLK_DOWN, 30: SDLK_DOWN, 35: SDLK_RETURN, 45: SDLK_DOWN, 50: SDLK_RIGHT,
                    60: SDLK_ESCAPE, 90: SDLK_ESCAPE,
                ], frames: 300
            ) { _, stage in
                if let notice = stage.notice, notices.last != notice { notices.append(notice) }
            }
            #expect(hasEnded)
            #expect(notices.count == 2 && notices.allSatisfy { $0.contains("damaged") && $0.contains(file) })
            #expect(notices.last?.hasPrefix("The options hold until the game ends") == true)
            #expect(FileManager.default.contents(atPath: file) == Data("{ half a fi".utf8))
        }

        @Test func whatGoesWrongWithAHostIsANoticeOnTheTitle() throws {
            var notice = ""
            // No address of this machine: it is documentation's.
            let (screens, hasEnded, _) = try GameRun.play(
                ["--host", "192.0.2.1:4000", "--local"], [60: SDLK_ESCAPE], frames: 200
            ) { frame, stage in if frame == 50 { notice = stage.notice ?? "" } }
            #expect(screens.last == "title" && hasEnded)
            #expect(notice.contains("192.0.2.1:4000"), "\(notice)")
        }

        @Test func optionsChangeByKeysAndShowAtOnce() throws {
            var volumes: [Int] = []
            var key = ""
            let (_, hasEnded, _) = try GameRun.play(
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
            let (screens, hasEnded, report) = try GameRun.play(
                ["--headless", "--frames", "90", "--bots", "2"], [:], frames: 1000)
            #expect(screens == ["match"])
            #expect(hasEnded)
            #expect(report.frames == 90)
            #expect(report.wave == 1)
        }
    }
}
