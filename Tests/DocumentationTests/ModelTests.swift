// SPDX-License-Identifier: Apache-2.0
// ModelTests: the model in `Tests/Model` is about the code as it is. The checker itself is run by `make model`.

import Foundation
import Testing

@Suite struct ModelTests {
    private let root = Repository.root

    private func text(_ path: String) throws -> String {
        try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
    }

    /// All of the model.
    private func model() throws -> String {
        let names = try FileManager.default.contentsOfDirectory(
            atPath: root.appendingPathComponent("Tests/Model").path)
        return try names.filter { $0.hasSuffix(".pml") }.map { try text("Tests/Model/\($0)") }.joined(separator: "\n")
    }

    /// The sources by the names of their files.
    private func sources() throws -> [String: String] {
        let folder = root.appendingPathComponent("Sources")
        let files = try #require(FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil))
        var sources: [String: String] = [:]
        for case let file as URL in files where file.pathExtension == "swift" && file.path.contains("/Tandem") {
            sources[file.lastPathComponent] = try String(contentsOf: file, encoding: .utf8)
        }
        return sources
    }

    @Test func everyStepOfTheModelStillHasItsLineOfCode() throws {
        let page = try text("Sources/Tandem/Tandem.docc/TheModel.md")
        let table = try #require(
            page.components(separatedBy: "| step of the model | file | code |\n|---|---|---|\n").last)
        let (sources, model) = (try sources(), try model())
        var count = 0
        for row in table.split(separator: "\n") where row.hasPrefix("| `") {
            let cells = row.dropFirst(2).dropLast(2).components(separatedBy: " | ")
            try #require(cells.count == 3, "a row needs a step, a file and a line of code: \(row)")
            let step = cells[0].trimmingCharacters(in: ["`"])
            let code = cells[2].trimmingCharacters(in: ["`"]).replacingOccurrences(of: "\\|", with: "|")
            #expect(model.contains("\(step)(") || model.contains("\(step):"), "the model has no step \(step)")
            let elsewhere = sources.filter { $0.value.contains(code) }.keys.sorted()
            #expect(
                sources[cells[1]]?.contains(code) ?? false,
                "\(step): \"\(code)\" is not in \(cells[1]) any more, but in \(elsewhere). Does the model still do what the code does? Then mend the table"
            )
            count += 1
        }
        #expect(count >= 60)
    }

    /// The walks of the article *Where each part of the design lives*: true, and no longer than it says.
    @Test func everyWalkThroughThePartsHasItsLinesOfCodeAndFewStops() throws {
        let page = try text("Sources/Tandem/Tandem.docc/DesignMap.md")
        let table = try #require(
            page.components(separatedBy: "| walk | stop | file | code |\n|---|---|---|---|\n").last)
        let sources = try sources()
        var stops: [String: Int] = [:]
        for row in table.components(separatedBy: "\n\n")[0].split(separator: "\n") {
            let cells = row.dropFirst(2).dropLast(2).components(separatedBy: " | ")
            try #require(cells.count == 4, "a row needs a walk, a stop, a file and a line of code: \(row)")
            let code = cells[3].trimmingCharacters(in: ["`"]).replacingOccurrences(of: "\\|", with: "|")
            #expect(
                sources[cells[2]]?.contains(code) ?? false,
                "\(cells[0]): \"\(code)\" is not in \(cells[2]) any more; is this still its way? Then mend the table")
            stops[cells[0], default: 0] += 1
        }
        #expect(stops.keys.sorted().contains("a post") && stops.count >= 6)
        for (walk, count) in stops { #expect(count <= (walk == "a post" ? 5 : 6), "\(walk) has \(count) stops") }
    }

    @Test func everyMutantIsInTheModelAndIsRun() throws {
        let names = { (text: String, pattern: String) throws -> Set<String> in
            let expression = try NSRegularExpression(pattern: pattern)
            return Set(
                expression.matches(in: text, range: NSRange(text.startIndex..., in: text)).compactMap {
                    Range($0.range(at: 1), in: text).map { String(text[$0]) }
                })
        }
        let inTheModel = try names(model(), "#ifn?def M_([A-Z_]+)")
        let run = try names(text("Tests/Model/run"), "\\(\"([A-Z_]+)\", \"")
        #expect(inTheModel == run)
        #expect(run.count >= 12)
        // As code, for schedules; which ones only the model or only the code can have stands there.
        let code = try text("Tests/Schedules/mutants.py")
        let parts = code.components(separatedBy: "MODEL_ONLY = ")
        try #require(parts.count == 2)
        let inCode = try names(parts[0], "mutant\\(\\s*\"([A-Z_]+)\"")
        let inTheModelOnly = try names(parts[1].components(separatedBy: "\n")[0], "\"([A-Z_]+)\"")
        let lists = parts[1].components(separatedBy: "CODE_ONLY = ")
        try #require(lists.count == 2)
        let inTheCodeOnly = try names(lists[1].components(separatedBy: "\n")[0], "\"([A-Z_]+)\"")
        #expect(inCode.subtracting(inTheCodeOnly).union(inTheModelOnly) == run)
        #expect(inCode.isDisjoint(with: inTheModelOnly) && inTheModelOnly.count <= 2)
        #expect(inTheCodeOnly.isSubset(of: inCode) && inTheCodeOnly.count <= 2)
    }
}
