// SPDX-License-Identifier: Apache-2.0
// SkirmishOptionsTests: the options file, the keys, and the command line of the networked game.

import Foundation
import SkirmishRules
import TandemSDL
import Testing

@testable import Skirmish

extension SDL {
    @Suite @MainActor struct SkirmishOptionsTests {
        /// A file in a folder of its own, which goes with the test.
        private func withFile(_ body: (SettingsFile) throws -> Void) throws {
            let folder = NSTemporaryDirectory() + "skirmish-\(UUID())"
            defer { try? FileManager.default.removeItem(atPath: folder) }
            try body(SettingsFile(path: folder + "/skirmish/options.json"))
        }

        private func put(_ text: String, _ file: SettingsFile) throws {
            let folder = (file.path as NSString).deletingLastPathComponent
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try Data(text.utf8).write(to: URL(fileURLWithPath: file.path))
        }

        @Test func optionsAreThereAgainTheNextEvening() throws {
            try withFile { file in
                #expect(try file.read() == Settings())
                var settings = Settings()
                settings.name = "Ann"
                settings.volume = 3
                settings.bind(.fire, to: "Left Ctrl")
                try file.write(settings)
                #expect(try file.read() == settings)
                // Nothing else lies beside it.
                let folder = (file.path as NSString).deletingLastPathComponent
                #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["options.json"])
            }
        }

        @Test(arguments: [
            ("", "damaged"), ("{", "damaged"), ("[]", "damaged"), (#"{"version": 1}"#, "something is missing"),
            (#"{"version": 2, "colour": "blue"}"#, "a newer game's"),
        ])
        func aDamagedOrNewerFileIsReportedAndLeftAlone(_ text: String, _ reason: String) throws {
            try withFile { file in
                try put(text, file)
                let error = #expect(throws: Trouble.self) { try file.read() }
                #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
                #expect(FileManager.default.contents(atPath: file.path) == Data(text.utf8))
            }
        }

        @Test func valuesOutsideOfTheirRangesAreNamed() {
            func fault(_ change: (inout Settings) -> Void) -> String {
                var settings = Settings()
                change(&settings)
                return settings.fault ?? ""
            }
            #expect(fault { _ in } == "")
            #expect(fault { $0.name = "" }.contains("name"))
            #expect(fault { $0.volume = 11 }.contains("volume is 11"))
            #expect(fault { $0.width = 1 }.contains("1 by 540"))
            #expect(fault { $0.keys["fire"] = "No such key" }.contains("No such key"))
            #expect(fault { $0.keys["dance"] = "D" }.contains("dance"))
            #expect(fault { $0.keys["fire"] = "W" }.contains("same key"))
        }

        @Test func aFileThatCannotBeReplacedStaysAsItWas() throws {
            try withFile { file in
                try put("old", file)
                // A folder of the new file's name is in the way.
                try FileManager.default.createDirectory(
                    atPath: file.path + ".new-\(getpid())", withIntermediateDirectories: true)
                #expect(throws: Trouble.self) { try file.write(Settings()) }
                #expect(FileManager.default.contents(atPath: file.path) == Data("old".utf8))
            }
        }

        @Test func aKeyThatWasAnothersIsExchanged() {
            var settings = Settings()
            settings.bind(.fire, to: "W")
            #expect(settings.key(.fire) == "W" && settings.key(.up) == "Space")
            #expect(settings.fault == nil)
            var input = Input()
            input.bind(settings)
            var event = SDL_Event()
            event.key.type = SDL_KEYDOWN.rawValue
            event.key.keysym.sym = Int32(SDLK_SPACE.rawValue)
            input.take(event)
            #expect(input.intent(World(seed: 1, bots: 0), ship: 0).thrust == Vector(0, -1))
        }

        @Test(arguments: [
            (["--host", "--join", "x"], "both"), (["--host", "nowhere"], "in figures"), (["--join", "a b"], "ADDRESS"),
            (["--join", "a:99999"], "ADDRESS"), (["--join", "a:0"], "ADDRESS"), (["--name", ""], "--name"),
            (["--name", "Ann\u{7}"], "--name"), (["--code", String(repeating: "x", count: 33)], "--code"),
            (["--latency", "-1"], "--latency"), (["--jitter", "5000"], "--jitter"), (["--loss", "91"], "--loss"),
            (["--window", "big"], "--window"), (["--host", "--virtual-time", "--seconds", "1"], "others"),
            (["--join", "a", "--record", "b"], "others"),
            (["--matches", "2"], "--headless and --host"), (["--headless", "--host", "--matches", "513"], "1 to 512"),
            (["--headless", "--host", "0.0.0.0:65530", "--matches", "8"], "lower port"),
        ])
        func wrongUseIsToldWithWhatWasExpected(_ arguments: [String], _ word: String) {
            do {
                _ = try SkirmishCommand.parse(arguments)
                Issue.record("\(arguments) were taken")
            } catch {
                let message = SkirmishCommand.message(for: error)
                #expect(message.contains(word), "\(message)")
                // A secret is not repeated.
                #expect(!message.contains("xxx"))
            }
        }

        @Test func addressesAreReadInAllTheirForms() {
            func read(_ text: String) -> String? {
                SkirmishCommand.address(text, standard: 9).map { "\($0.host) \($0.port)" }
            }
            #expect(read("10.0.0.5") == "10.0.0.5 9")
            #expect(read("10.0.0.5:80") == "10.0.0.5 80")
            #expect(read("[::1]:80") == "::1 80")
            #expect(read("[::1]") == "::1 9")
            #expect(read("fe80::1") == "fe80::1 9")
            #expect(read("example.org:80") == "example.org 80")
            for text in ["", ":80", "a:", "a:b", "a:70000", "[::1]80"] { #expect(read(text) == nil, "\(text)") }
        }
    }
}
