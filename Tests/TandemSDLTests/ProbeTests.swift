// SPDX-License-Identifier: Apache-2.0
// ProbeTests: what can only be seen in a program with a main of its own. Behaviour 39, on both paths of adoption.

import Foundation
import Testing

/// Runs a program that was built beside the tests.
struct BuiltProgram {
    static func run(_ name: String, _ arguments: [String]) async throws -> (status: Int32, output: String) {
        let folder = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        let process = Process()
        process.executableURL = folder.appendingPathComponent(name)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(["SDL_VIDEODRIVER": "dummy"]) { $1 }
        let pipe = Pipe()
        process.standardOutput = pipe
        return try await withCheckedThrowingContinuation { continuation in
            // Off the runtime's few threads: reading blocks.
            Thread.detachNewThread {
                do {
                    try process.run()
                    let data = pipe.fileHandleForReading.readDataToEndOfFile()
                    process.waitUntilExit()
                    continuation.resume(
                        returning: (process.terminationStatus, String(decoding: data, as: UTF8.self)))
                } catch {
                    continuation.resume(throwing: error)
                }
            }
        }
    }
}

@Suite struct ProbeTests {
    @Test(arguments: ["executor", "dispatchQueue"])
    func mainActorCodeAndTheMainQueueRunOnTheUIThreadAndWakeAnIdleHost(path: String) async throws {
        let (status, output) = try await BuiltProgram.run("MainActorProbe", [path])
        #expect(status == 0, "\(output)")
        #expect(output.hasSuffix("ok\n"))
        #expect(!output.contains("NO:"))
    }

    /// Behaviour 57, and what is left of waits whose descriptors something has closed.
    @Test(
        arguments: [
            "headless", "headlessKept", "ownLoop", "frameLoop", "waitEvent", "waitEventKept", "timeout", "sdlTimeout",
            "backendIsLate", "closedBell", "closedTurn", "closedWakes",
            "closedAsleep", "closedAsleepKept", "closedTimer", "refusedSleeps",
        ])
    func aWaitThatTheMachineSleepsThroughOrWhoseDescriptorIsClosedEnds(mode: String) async throws {
        let (status, output) = try await BuiltProgram.run("WaitProbe", [mode])
        #expect(status == 0, "\(output)")
        #expect(output.hasSuffix("ok\n"), "\(output)")
    }

    @Test func anAsyncMainRunsFrames() async throws {
        let (status, output) = try await BuiltProgram.run("07-main-actor", ["--frames", "20"])
        #expect(status == 0)
        #expect(output.hasPrefix("20 frames, "), "\(output)")
    }
}
