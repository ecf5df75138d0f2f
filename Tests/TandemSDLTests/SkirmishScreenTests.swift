// SPDX-License-Identifier: Apache-2.0
// SkirmishScreenTests: pictures of every screen, in three sizes. SKIRMISH_PICTURES names a folder where they are kept, to be looked at.

import Foundation
import TandemSDL
import Testing

@testable import Skirmish

extension SDL {
    @Suite @MainActor struct SkirmishScreenTests {
        /// An evening: what is pressed when, and which screens are taken.
        nonisolated struct Flow: Sendable, CustomTestStringConvertible {
            let testDescription: String
            let arguments: [String]
            var keys: [Int: SDL_KeyCode] = [:]
            var words: [Int: String] = [:]
            var pictures: [Int: String] = [:]
            /// A picture of the first frames in which this screen is shown.
            var end: (screen: String, picture: String)?
            var frames = 2000
        }

        nonisolated static let flows = [
            Flow(
                testDescription: "alone", arguments: ["--bots", "3", "--seed", "7", "--local"],
                keys: [
                    // Join, and back; Options, down to the keys, and back; Single, F3, pause.
                    90: SDLK_DOWN, 95: SDLK_DOWN, 100: SDLK_RETURN, 170: SDLK_ESCAPE, 180: SDLK_DOWN, 185: SDLK_RETURN,
                    190: SDLK_DOWN, 230: SDLK_ESCAPE, 240: SDLK_UP, 245: SDLK_UP, 250: SDLK_UP, 255: SDLK_RETURN,
                    1300: SDLK_F3, 1500: SDLK_F3, 1510: SDLK_p,
                ],
                pictures: [
                    80: "title", 160: "join", 220: "options", 1290: "match", 1490: "display", 1540: "pause",
                ], frames: 1541),
            Flow(
                testDescription: "lost", arguments: ["--bots", "0", "--seed", "3"], keys: [10: SDLK_RETURN],
                end: ("over", "over"), frames: 12_000),
            Flow(
                testDescription: "host",
                arguments: ["--host", "127.0.0.1:0", "--local", "--name", "Ann", "--bots", "5"],
                keys: [
                    20: SDLK_DOWN, 22: SDLK_DOWN, 24: SDLK_DOWN, 26: SDLK_RETURN, 60: SDLK_RETURN, 100: SDLK_RETURN,
                    150: SDLK_RETURN,
                    180: SDLK_UP, 184: SDLK_UP, 188: SDLK_UP, 192: SDLK_RETURN, 1400: SDLK_F3, 1500: SDLK_F3,
                    1510: SDLK_ESCAPE,
                ],
                words: [40: "Good evening!", 120: "Who takes the left side?"],
                pictures: [140: "writing", 175: "lobby", 1390: "match-of-many", 1490: "display-of-many", 1560: "menu"],
                frames: 1561),
            Flow(
                testDescription: "scores",
                arguments: ["--host", "127.0.0.1:0", "--local", "--name", "Ann", "--bots", "0"],
                keys: [10: SDLK_RETURN], end: ("scores", "scores"), frames: 12_000),
        ]

        @Test(arguments: flows, ["640x480", "1280x720", "2560x1440"])
        func everyScreenIsDrawnInEverySize(_ flow: Flow, _ size: String) throws {
            let environment = ProcessInfo.processInfo.environment
            let folder = environment["SKIRMISH_PICTURES"] ?? NSTemporaryDirectory() + "skirmish-\(UUID())"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            defer { if environment["SKIRMISH_PICTURES"] == nil { try? FileManager.default.removeItem(atPath: folder) } }
            var seen: Set<Data> = []
            func take(_ name: String, _ stage: Stage) throws {
                stage.draw()
                let file = "\(folder)/\(name)-\(size).bmp"
                try stage.window.saveScreenshot(file)
                let pixels = try Data(contentsOf: URL(fileURLWithPath: file))
                #expect(pixels.count > stage.options.size!.width * stage.options.size!.height * 4)
                #expect(hasManyColours(pixels), "\(name)")
                #expect(seen.insert(pixels).inserted, "\(name)")
            }
            var isLast = 0
            let assets = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent().appendingPathComponent("Assets").path
            _ = try GameRun.play(
                flow.arguments + ["--window", size], flow.keys, frames: flow.frames, assets: assets
            ) { frame, stage in
                if let words = flow.words[frame] { GameRun.write(words) }
                if let name = flow.pictures[frame] { try take(name, stage) }
                guard let end = flow.end, GameRun.name(stage.screen) == end.screen else { return }
                isLast += 1
                // By then the menu is there.
                guard isLast == 90 else { return }
                try take(end.picture, stage)
                throw GameRun.Enough()
            }
            // Each is another picture than the ones before.
            #expect(seen.count == flow.pictures.count + (flow.end == nil ? 0 : 1))
        }

        private func hasManyColours(_ pixels: Data) -> Bool {
            pixels.withUnsafeBytes { bytes in
                var colours: Set<UInt32> = []
                for place in stride(from: 200, to: bytes.count - 4, by: 4) {
                    colours.insert(bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self))
                    if colours.count == 200 { return true }
                }
                return false
            }
        }
    }
}
