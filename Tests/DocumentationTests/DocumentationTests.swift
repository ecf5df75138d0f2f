// SPDX-License-Identifier: Apache-2.0
// DocumentationTests: what the README says is what is compiled.

import Foundation
import Testing

@Suite struct DocumentationTests {
    private let root = Repository.root

    @Test func theReadmesProgramIsTheFirstExample() throws {
        let readme = try String(contentsOf: root.appendingPathComponent("README.md"), encoding: .utf8)
        let block = try #require(
            readme.components(separatedBy: "```swift\n").dropFirst().first?.components(separatedBy: "```").first)
        let example = try String(
            contentsOf: root.appendingPathComponent("Examples/01-hello-guest/main.swift"), encoding: .utf8)
        // The example has a header of comments; the README has prose around its program.
        let program = example.split(separator: "\n", omittingEmptySubsequences: false).drop {
            $0.hasPrefix("//") || $0.isEmpty
        }
        #expect(block == program.joined(separator: "\n"))
    }

    @Test(arguments: [
        ("README.md", "## Testing\n", "            // README\n"),
        ("Sources/TandemSDL/TandemSDL.docc/AGameInAnHour.md", "## A test\n", "        // ARTICLE\n"),
    ]) func theSimulationsOfThePagesAreTests(_ page: String, heading: String, mark: String) throws {
        let text = try String(contentsOf: root.appendingPathComponent(page), encoding: .utf8)
        let section = try #require(text.components(separatedBy: heading).last)
        let block = try #require(
            section.components(separatedBy: "```swift\n").dropFirst().first?.components(separatedBy: "```").first)
        let test = try String(
            contentsOf: root.appendingPathComponent("Tests/TandemSDLTests/ReadmeTests.swift"), encoding: .utf8)
        let marked = try #require(test.components(separatedBy: mark).dropFirst().first)
        let indentation = mark.prefix { $0 == " " }.count
        let lines = marked.split(separator: "\n", omittingEmptySubsequences: false).map { $0.dropFirst(indentation) }
        #expect(block == lines.joined(separator: "\n"))
    }

    @Test func everyExampleIsShortAndBeginsWithItsIdea() throws {
        let folder = root.appendingPathComponent("Examples")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        #expect(names.count >= 6)
        for name in names {
            // One with heavy dependencies is a package of its own.
            let isPackage = FileManager.default.fileExists(
                atPath: folder.appendingPathComponent("\(name)/Package.swift").path)
            let main = isPackage ? "\(name)/Sources/\(name)/main.swift" : "\(name)/main.swift"
            let text = try String(contentsOf: folder.appendingPathComponent(main), encoding: .utf8)
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
            #expect(lines.count < 150, "\(name) has \(lines.count) lines")
            #expect(lines[1].hasPrefix("// \(name): "), "\(name) does not begin with its name")
            #expect(lines[2].hasPrefix("// Idea: "), "\(name) does not say its idea")
        }
    }
}
