// SPDX-License-Identifier: Apache-2.0
// Compiler: what Swift's compiler says of a small program, which is checked and not run.

import Foundation
import Testing

enum Repository {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
}

enum Compiler {
    /// A line for each error and warning. `options` say where the modules are that the program imports.
    static func complaints(about program: String, _ options: [String]) throws -> [String] {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("program-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appendingPathComponent("Program.swift")
        try program.write(to: file, atomically: true, encoding: .utf8)

        let compiler = Process()
        compiler.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        compiler.arguments =
            [
                "swiftc", "-swift-version", "6", "-parse-as-library", "-typecheck", "-diagnostic-style", "llvm",
            ] + options + [file.path]
        let output = Pipe()
        compiler.standardError = output
        compiler.standardOutput = output
        try compiler.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        compiler.waitUntilExit()
        let lines = text.split(separator: "\n").map(String.init).filter {
            $0.contains(": error:") || $0.contains(": warning:")
        }
        // A compiler that did not get as far as the program has said something else.
        #expect(lines.allSatisfy { $0.hasPrefix(file.path) }, "\(text)")
        #expect(compiler.terminationStatus == 0 || !lines.isEmpty, "\(text)")
        return lines
    }
}
