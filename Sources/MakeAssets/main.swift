// SPDX-License-Identifier: Apache-2.0
// MakeAssets: makes every picture and sound of Skirmish, the same at every making.

import ArgumentParser
import Foundation

struct MakeAssets: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Makes the pictures, the font and the sounds of Skirmish.")

    @Option(help: "The folder to write to.") var output = "Assets"
    @Flag(help: "Write nothing; fail if a file in the folder is not what would be made.") var check = false

    func run() throws {
        var files = (sprites + fonts).map { ($0.name, $0.canvas().bmp) }
        files += sounds.map { ($0.name, $0.data()) }
        let folder = URL(fileURLWithPath: output, isDirectory: true)
        var stale: [String] = []
        for (name, data) in files {
            let file = folder.appendingPathComponent(name)
            if check {
                if (try? Data(contentsOf: file)) != data { stale.append(name) }
            } else {
                try data.write(to: file)
            }
        }
        guard stale.isEmpty else {
            throw ValidationError(
                "not what MakeAssets makes: \(stale.joined(separator: ", ")); run it without --check and commit the result"
            )
        }
        print("\(files.count) files \(check ? "checked" : "made")")
    }
}

MakeAssets.main()
