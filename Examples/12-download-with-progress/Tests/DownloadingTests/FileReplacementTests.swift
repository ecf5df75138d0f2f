// SPDX-License-Identifier: Apache-2.0
// FileReplacementTests: the old file or the new one, whole.

import Downloading
import Foundation
import Glibc
import NIOCore
import SystemPackage
import Testing

@Suite struct FileReplacementTests {
    private let folder: URL
    private var file: URL { folder.appendingPathComponent("save") }
    private var path: FilePath { FilePath(file.path) }

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("tandem-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    private func check(_ content: String) throws {
        #expect(try String(contentsOf: file, encoding: .utf8) == content)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["save"])
        try FileManager.default.removeItem(at: folder)
    }

    @Test func aSaveMakesTheFileAndReplacesIt() async throws {
        for content in ["old", "new, and longer", "x"] {
            try await replaceFile(at: path) { try await $0.write(ByteBuffer(string: content)) }
            #expect(try String(contentsOf: file, encoding: .utf8) == content)
        }
        try check("x")
    }

    @Test func readersSeeTheOldFileUntilTheNewOneIsComplete() async throws {
        try await replaceFile(at: path) { try await $0.write(ByteBuffer(string: "old")) }
        try await replaceFile(at: path) { new in
            for _ in 0..<3 {
                try await new.write(ByteBuffer(string: "new"))
                #expect(try String(contentsOf: file, encoding: .utf8) == "old")
            }
        }
        try check("newnewnew")
    }

    @Test func aSaveThatFailsInTheMiddleLeavesTheOldFile() async throws {
        struct Full: Error {}
        try await replaceFile(at: path) { try await $0.write(ByteBuffer(string: "old")) }
        await #expect(throws: Full.self) {
            try await replaceFile(at: path) { new in
                try await new.write(ByteBuffer(string: "ne"))
                throw Full()
            }
        }
        try check("old")
    }

    @Test func aCancelledSaveLeavesTheOldFile() async throws {
        try await replaceFile(at: path) { try await $0.write(ByteBuffer(string: "old")) }
        let path = path
        let save = Task {
            try await replaceFile(at: path) { new in
                try await new.write(ByteBuffer(string: "ne"))
                withUnsafeCurrentTask { $0?.cancel() }
            }
        }
        await #expect(throws: (any Error).self) { try await save.value }
        try check("old")
    }

    @Test func aFolderThatIsNotThereIsAnError() async throws {
        await #expect(throws: (any Error).self) {
            try await replaceFile(at: FilePath(folder.path + "/none/save")) { _ in Issue.record("there is no folder") }
        }
        try FileManager.default.removeItem(at: folder)
    }

    @Test func aProcessThatIsKilledLeavesAWholeFile() throws {
        let tool = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            .appendingPathComponent("SaveForEver")
        var contents: Set<UInt8> = []
        for round in 0..<20 {
            let process = Process()
            process.executableURL = FileManager.default.isExecutableFile(atPath: tool.path) ? tool : Self.besideTests
            process.arguments = [file.path]
            let output = Pipe()
            process.standardOutput = output
            try process.run()
            // The first save has been made; some later one is under way when the process is killed.
            #expect(try output.fileHandleForReading.read(upToCount: 5) == Data("saved".utf8))
            usleep(UInt32(500 + round * 731))
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
            let content = try Data(contentsOf: file)
            let number = try #require(content.first)
            #expect(content.allSatisfy { $0 == number })
            #expect(content.count == (16 + Int(number) % 16) * 16_384)
            contents.insert(number)
        }
        // It was really in the middle of saving.
        #expect(contents.count > 1)
        try FileManager.default.removeItem(at: folder)
    }

    /// The runner may be the toolchain's; then the tests are in the file that it was given.
    private static var besideTests: URL {
        let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? ""
        return URL(fileURLWithPath: bundle).deletingLastPathComponent().appendingPathComponent("SaveForEver")
    }
}
