// SPDX-License-Identifier: Apache-2.0
// RunAToolTests: swift-subprocess, awaited in the frames of a game.

import Foundation
import Subprocess
import Tandem
import TandemSDL
import Testing
import ToolRunning

/// The loop of the frames that a test runs.
@MainActor private var currentLoop: GuestLoop?
/// How many frames it has had.
@MainActor private var frameCount = 0

@Suite(.serialized) @MainActor struct RunAToolTests {
    /// Frames, until the run has ended; gives what it returns.
    private func frames<Value: Sendable>(_ main: @escaping @MainActor () async throws -> Value) throws -> Value {
        setenv("SDL_VIDEODRIVER", "dummy", 1)
        try #require(SDL_Init(SDL_INIT_VIDEO) == 0)
        defer { SDL_Quit() }
        let guest = try SDLGuest(handlesInterrupts: false)
        defer { guest.close() }
        currentLoop = guest.loop
        let loop = FrameLoop(guest, pace: .fixed(framesPerSecond: 60))
        loop.frameLimit = 60 * 60
        let frames = loop
        var outcome: Result<Value, any Error>?
        guest.run(main) { result in
            outcome = result
            frames.stop()
        }
        frameCount = 0
        frames.run(update: { _ in frameCount += 1 })
        return try #require(outcome).get()
    }

    /// What `script` prints, line by line.
    private func shell(_ script: String, onLine: (String) -> Void) async throws -> TerminationStatus {
        try await runTool(["sh", "-c", script], on: try #require(currentLoop)) {
            onLine($0.trimmingCharacters(in: .newlines))
        }
    }

    @Test func linesArriveOnTheFramesThreadAsTheyAreWritten() throws {
        let here = pthread_self()
        var lines: [String] = []
        let status = try frames {
            var status = TerminationStatus.exited(-1)
            // A busy machine may have no frame for as long as one tool takes.
            for round in 0..<50 where round == 0 || frameCount < 4 {
                (frameCount, lines) = (0, [])
                status = try await shell("for i in 1 2 3 4 5; do echo line $i; sleep 0.03; done") { line in
                    MainActor.assertIsolated()
                    #expect(pthread_equal(pthread_self(), here) != 0)
                    lines.append(line)
                }
            }
            return status
        }
        #expect(status == .exited(0))
        #expect(lines == (1...5).map { "line \($0)" })
        // The tool slept for 150 ms, the game did not.
        #expect(frameCount >= 4)
    }

    @Test func aTorrentOfLinesIsComplete() throws {
        var sum = 0
        let status = try frames { try await shell("seq 1 20000") { sum += Int($0) ?? 0 } }
        #expect(status == .exited(0))
        #expect(sum == 20_000 * 20_001 / 2)
    }

    @Test func aToolThatFailsSaysSo() throws {
        let status = try frames { try await shell("exit 3") { _ in } }
        #expect(status == .exited(3))
    }

    /// A task of its own has no executor of the loop to fall back to: what leaves its actor is on the pool's threads.
    @Test func aTasksLinesArriveOnItsActorToo() throws {
        var lines: [String] = []
        let status = try frames {
            let task = Task { @MainActor in
                try await shell("for i in 1 2 3; do echo line $i; done") { line in
                    MainActor.assertIsolated()
                    lines.append(line)
                }
            }
            return try await task.value
        }
        #expect(status.isSuccess)
        #expect(lines == ["line 1", "line 2", "line 3"])
    }

    @Test func aToolThatIsNotThereEndsAsAShellSays() throws {
        let status = try frames {
            try await runTool(["no-such-tool-anywhere"], on: try #require(currentLoop)) { _ in }
        }
        #expect(status == .exited(127))
    }

    /// `yes` prints as fast as it is read. The frames go on, and so does a modest task beside it.
    @Test func aToolThatPrintsWithoutEndDoesNotKeepTheFrames() throws {
        var lines = 0
        let beats = try frames {
            let task = Task { @MainActor in _ = try await shell("yes") { _ in lines += 1 } }
            while lines == 0 { try await Task.sleep(for: .milliseconds(1)) }
            var beats = 0
            frameCount = 0
            for try await _ in try #require(currentLoop).clock.timer(every: .milliseconds(20)) {
                beats += 1
                // 15 beats are 300 ms: 18 frames at 60 a second, were there nothing else on this machine.
                if beats >= 15 && frameCount >= 5 || beats == 1000 { break }
            }
            task.cancel()
            _ = await task.result
            return beats
        }
        #expect(beats >= 15)
        #expect(lines > 1000)
        #expect(frameCount >= 5)
    }

    /// The game is killed: it can end nothing any more. Neither the tool nor what it has started is left.
    @Test func aToolDoesNotOutliveAGameThatIsKilled() throws {
        // Nobody else's sleep, who may run the same test beside.
        let sleep = "sleep \(Int.random(in: 1000...9999)).\(Int.random(in: 1000...9999))"
        let name = sleep.replacingOccurrences(of: " ", with: "\u{0}")
        let game = Process()
        game.executableURL = Self.besideTests("13-run-a-tool")
        game.environment = ["SDL_VIDEODRIVER": "dummy", "PATH": ProcessInfo.processInfo.environment["PATH"] ?? ""]
        game.arguments = ["sh", "-c", "echo $$; sh -c 'exec \(sleep)' & wait"]
        try game.run()
        try #require(waitUntil { !Self.processes(named: name).isEmpty })
        kill(game.processIdentifier, SIGKILL)
        game.waitUntilExit()
        #expect(waitUntil { Self.processes(named: name).isEmpty })
    }

    /// The processes whose command line holds `text`, where arguments are separated by zeros.
    private static func processes(named text: String) -> [pid_t] {
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return entries.compactMap { pid_t($0) }.filter {
            guard let line = try? Data(contentsOf: URL(fileURLWithPath: "/proc/\($0)/cmdline")) else { return false }
            return String(decoding: line, as: UTF8.self).hasPrefix(text)
        }
    }

    /// The runner may be the toolchain's; then the programs are beside the file that it was given.
    private static func besideTests(_ program: String) -> URL {
        let own = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? ""
        let folder =
            FileManager.default.isExecutableFile(atPath: own.appendingPathComponent(program).path)
            ? own : URL(fileURLWithPath: bundle).deletingLastPathComponent()
        return folder.appendingPathComponent(program)
    }

    @Test func cancellationEndsTheToolAndWhatItStarted() throws {
        // Both ignore the polite request, so that force is needed.
        let script = "trap '' TERM; echo $$; (trap '' TERM; sh -c 'echo $$; while :; do sleep 0.01; done'); :"
        var numbers: [pid_t] = []
        _ = try frames {
            let task = Task { @MainActor in
                _ = try await shell(script) { line in if let number = pid_t(line) { numbers.append(number) } }
            }
            while numbers.count < 2 { try await Task.sleep(for: .milliseconds(1)) }
            task.cancel()
            _ = await task.result
        }
        try #require(numbers.count == 2)
        // Both are the guard's, which is killed with them: somebody else adopts and reaps them, soon.
        #expect(waitUntil { !isRunning(numbers[0]) && !isRunning(numbers[1]) })
    }

    @Test func theToolInheritsNoDescriptorOfTheLoops() throws {
        var names: [String] = []
        _ = try frames { try await shell("for f in /proc/self/fd/*; do readlink $f || :; done") { names.append($0) } }
        #expect(!names.isEmpty)
        #expect(!names.contains { $0.contains("eventpoll") || $0.contains("eventfd") || $0.contains("signalfd") })
    }

    private func isRunning(_ process: pid_t) -> Bool {
        guard let status = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else { return false }
        return !status.contains(") Z ")
    }

    private func waitUntil(_ condition: () -> Bool) -> Bool {
        for _ in 0..<20_000 {
            if condition() { return true }
            usleep(1000)
        }
        return false
    }
}
