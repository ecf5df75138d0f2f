// SPDX-License-Identifier: Apache-2.0
// RunAToolTests: swift-subprocess, awaited in the frames of a game.

import Foundation
import Subprocess
import Tandem
import TandemSDL
import Testing

@Suite(.serialized) @MainActor struct RunAToolTests {
    /// Frames, until the run has ended; gives its outcome and how many frames there were.
    private func frames<Value: Sendable>(
        _ main: @escaping @MainActor () async throws -> Value
    ) throws -> (value: Value, frames: Int) {
        setenv("SDL_VIDEODRIVER", "dummy", 1)
        try #require(SDL_Init(SDL_INIT_VIDEO) == 0)
        defer { SDL_Quit() }
        let guest = try SDLGuest(handlesInterrupts: false)
        defer { guest.close() }
        var loop = FrameLoop(guest, pace: .fixed(framesPerSecond: 60))
        loop.frameLimit = 60 * 60
        let frames = loop
        var outcome: Result<Value, any Error>?
        guest.run(main) { result in
            outcome = result
            frames.stop()
        }
        let count = frames.run()
        return (try #require(outcome).get(), count)
    }

    private func shell(_ script: String, onLine: (String) -> Void) async throws -> TerminationStatus {
        var platform = PlatformOptions()
        platform.createSession = true
        platform.teardownSequence = [
            .gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: .milliseconds(100))
        ]
        return try await run(
            .name("sh"), arguments: ["-c", script], platformOptions: platform, input: .none, output: .sequence,
            error: .discarded
        ) { execution in
            for try await line in execution.standardOutput.strings() { onLine(line.trimmingCharacters(in: .newlines)) }
        }.terminationStatus
    }

    @Test func linesArriveOnTheFramesThreadAsTheyAreWritten() throws {
        let here = pthread_self()
        var lines: [String] = []
        let (status, frames) = try frames {
            try await shell("for i in 1 2 3 4 5; do echo line $i; sleep 0.03; done") { line in
                MainActor.assertIsolated()
                #expect(pthread_equal(pthread_self(), here) != 0)
                lines.append(line)
            }
        }
        #expect(status == .exited(0))
        #expect(lines == (1...5).map { "line \($0)" })
        // The tool slept for 150 ms, the game did not.
        #expect(frames > 3)
    }

    @Test func aTorrentOfLinesIsComplete() throws {
        var sum = 0
        let (status, _) = try frames { try await shell("seq 1 20000") { sum += Int($0) ?? 0 } }
        #expect(status == .exited(0))
        #expect(sum == 20_000 * 20_001 / 2)
    }

    @Test func aToolThatFailsSaysSo() throws {
        let (status, _) = try frames { try await shell("exit 3") { _ in } }
        #expect(status == .exited(3))
    }

    @Test func aToolThatIsNotThereIsAnError() throws {
        #expect(throws: SubprocessError.self) {
            try frames { try await run(.name("no-such-tool-anywhere"), output: .discarded).terminationStatus }
        }
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
        // The tool has been waited for; what it started is adopted and reaped by somebody else, soon.
        #expect(kill(numbers[0], 0) == -1 && errno == ESRCH)
        #expect(waitUntil { !isRunning(numbers[1]) })
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
