// SPDX-License-Identifier: Apache-2.0
// ServerProgram: the server as a process, as it was built beside the tests.

import Foundation
import Synchronization
import Tandem

final class ServerProgram: Sendable {
    /// What a process said, as it comes; a thread of its own reads it.
    private final class Words: Sendable {
        private let kept = Mutex("")
        let pipe = Pipe()

        func collect() {
            let handle = pipe.fileHandleForReading
            Thread.detachNewThread { [self] in
                while true {
                    let data = handle.availableData
                    if data.isEmpty { return }
                    kept.withLock { $0 += String(decoding: data, as: UTF8.self) }
                }
            }
        }

        var text: String { kept.withLock { $0 } }
    }

    private let process = Process()
    private let output = Words(), errors = Words()

    init(_ arguments: [String], _ environment: [String: String] = [:]) throws {
        let folder = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        process.executableURL = folder.appendingPathComponent("17-game-server")
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardOutput = output.pipe
        process.standardError = errors.pipe
        try process.run()
        output.collect()
        errors.collect()
    }

    /// The exit code; `nil` while it runs.
    var status: Int32? { process.isRunning ? nil : process.terminationStatus }

    /// What it wrote to its standard error.
    var complaint: String { errors.text }

    /// SIGTERM.
    func terminate() { process.terminate() }

    /// A test that has failed leaves nothing behind.
    func kill() {
        if process.isRunning { Glibc.kill(process.processIdentifier, SIGKILL) }
    }

    /// The port in the line that begins so.
    @MainActor func port(_ loop: GuestLoop, after beginning: String) async throws -> UInt16 {
        var port: UInt16?
        try await eventually(loop, "\(beginning); it said: \(output.text) \(errors.text)") {
            let line = output.text.split(separator: "\n").first { $0.hasPrefix(beginning) }
            port = line.flatMap { $0.split(separator: ":").last }.flatMap { UInt16($0.prefix { $0.isNumber }) }
            return port != nil
        }
        return port ?? 0
    }
}
