// SPDX-License-Identifier: Apache-2.0
// CallbackTests: what the article "C callbacks" says of the compiler.
// Idea: a closure that SDL calls on a thread of its own must not touch the game's state. That is for the compiler to find, so the programs here are
// checked by the compiler and not run. They need SDL's C module alone, and no build of Tandem.

import Testing

@Suite struct CallbackTests {
    private static let game = """
        import TandemCSDL
        @MainActor enum Game {
            static var calls = 0
            static func hear() { calls += 1 }
        }

        """

    private func complaints(about program: String) throws -> [String] {
        try Compiler.complaints(
            about: Self.game + program,
            ["-Xcc", "-fmodule-map-file=\(Repository.root.path)/Sources/TandemCSDL/module.modulemap"])
    }

    @Test func anAudioCallbackThatTouchesTheGamesStateDoesNotCompile() throws {
        let lines = try complaints(
            about: """
                @MainActor func open() -> SDL_AudioSpec {
                    var wanted = SDL_AudioSpec()
                    wanted.callback = { _, _, _ in Game.hear() }
                    return wanted
                }
                """)
        #expect(lines.count == 1)
        #expect(lines.allSatisfy { $0.contains("error: call to main actor-isolated static method 'hear()'") })
    }

    @Test func theCompilerFindsEachCallbackOfAnotherThreadThatTouchesTheGamesState() throws {
        let calls = [
            "SDL_AddTimer(10, { interval, _ in Game.hear(); return interval }, nil)",
            "SDL_AddEventWatch({ _, _ in Game.hear(); return 0 }, nil)",
            "SDL_SetEventFilter({ _, _ in Game.hear(); return 1 }, nil)",
            "SDL_LogSetOutputFunction({ _, _, _, _ in Game.hear() }, nil)",
            "_ = SDL_CreateThread({ _ in Game.hear(); return 0 }, \"reader\", nil)",
        ]
        let lines = try complaints(about: "@MainActor func start() {\n\(calls.joined(separator: "\n"))\n}")
        #expect(lines.count == calls.count)
        #expect(lines.allSatisfy { $0.contains("call to main actor-isolated static method 'hear()'") })
    }

    @Test func callbacksThatBelongToNoActorCompileSilently() throws {
        let lines = try complaints(
            about: """
                nonisolated func fill(_ data: UnsafeMutableRawPointer?, _ stream: UnsafeMutablePointer<Uint8>?, _ length: Int32) {}
                let filter: SDL_EventFilter = { _, _ in 1 }
                @MainActor func start(_ callback: @escaping SDL_AudioCallback) -> SDL_AudioSpec {
                    var wanted = SDL_AudioSpec()
                    wanted.callback = { _, _, _ in }
                    wanted.callback = callback
                    wanted.callback = fill
                    SDL_AddTimer(10, { interval, _ in interval }, nil)
                    SDL_AddEventWatch(filter, nil)
                    SDL_SetEventFilter(nil, nil)
                    return wanted
                }
                """)
        #expect(lines == [])
    }

    @Test func aCallbackThatSDLCallsBeforeItReturnsMayTouchTheGamesState() throws {
        let lines = try complaints(
            about: "@MainActor func look() { SDL_FilterEvents({ _, _ in Game.hear(); return 1 }, nil) }")
        #expect(lines == [])
    }
}
