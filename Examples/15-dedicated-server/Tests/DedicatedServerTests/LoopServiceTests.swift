// SPDX-License-Identifier: Apache-2.0
// LoopServiceTests: start, graceful shutdown, cancellation and failure of a loop that is a service.

import Foundation
import Logging
import ServiceLifecycle
import ServiceLifecycleTestKit
import Synchronization
import Tandem
import TandemServiceLifecycle
import Testing

@Suite struct LoopServiceTests {
    private let journal = Journal()

    @Test func theMainFunctionRunsOnTheLoopsThread() async throws {
        let journal = journal
        try await LoopService { loop, _ in
            for _ in 0..<3 {
                try await loop.sleep(for: .milliseconds(1))
                loop.checkIsolated()
            }
            journal.note("done")
        }.run()
        #expect(journal.lines == ["done"])
    }

    @Test func aGracefulShutdownLetsTheMatchEnd() async throws {
        let journal = journal
        try await testGracefulShutdown { trigger in
            async let service: Void = LoopService { loop, shutdown in
                journal.note("begun")
                await shutdown.requested()
                // It is no cancellation: what has to be done still can be.
                try await loop.sleep(for: .milliseconds(5))
                journal.note("saved")
            }.run()
            await journal.wait(for: "begun")
            trigger.triggerGracefulShutdown()
            try await service
        }
        #expect(journal.lines == ["begun", "saved"])
    }

    @Test func aCancellationCancelsTheMainFunction() async throws {
        let journal = journal
        let service = Task {
            try await LoopService { loop, _ in
                journal.note("begun")
                try await loop.sleep(for: .seconds(1000))
            }.run()
        }
        await journal.wait(for: "begun")
        service.cancel()
        await #expect(throws: CancellationError.self) { try await service.value }
    }

    @Test func aServiceThatIsCancelledBeforeItBeginsEnds() async throws {
        let service = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await LoopService { loop, _ in try await loop.sleep(for: .seconds(1000)) }.run()
        }
        await #expect(throws: CancellationError.self) { try await service.value }
    }

    @Test func whatTheMainFunctionThrowsEndsTheGroup() async throws {
        struct Lost: Error {}
        let group = ServiceGroup(services: [LoopService { _, _ in throw Lost() }], logger: Logger(label: "test"))
        await #expect(throws: Lost.self) { try await group.run() }
    }

    @Test func severalLoopsInOneGroup() async throws {
        let journal = journal
        let services = (0..<4).map { number in
            LoopService { loop, shutdown in
                journal.note("begun")
                while !shutdown.isRequested { try await loop.sleep(for: .milliseconds(1)) }
                journal.note("ended")
            }
        }
        let group = ServiceGroup(services: services, logger: Logger(label: "test"))
        async let running: Void = group.run()
        await journal.wait(for: "begun", times: 4)
        await group.triggerGracefulShutdown()
        try await running
        #expect(journal.lines.count { $0 == "ended" } == 4)
    }

    @Test func aTermSignalEndsTheServerAfterItsRound() throws {
        let (process, output) = try startServer()
        process.terminate()
        let text = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        let lines = String(decoding: text, as: UTF8.self).split(separator: "\n")
        let last = try #require(lines.last { $0.hasPrefix("the match ended") })
        #expect(last.hasSuffix("as it was asked to"))
        let steps = try #require(last.split(separator: " ").compactMap { Int($0) }.first)
        #expect(steps > 0 && steps % 30 == 0)
    }

    /// A write to a pipe that nobody reads is SIGPIPE, which would end the program on the spot.
    @Test func aServerWhoseOutputNobodyReadsEndsInOrder() throws {
        let (process, output) = try startServer()
        try output.fileHandleForReading.close()
        // It notices with the next line of its metrics, within a second.
        #expect(waitUntil { !process.isRunning })
        #expect(process.terminationReason == .exit)
        #expect(process.terminationStatus == 0)
    }

    /// The example, whose match has begun. The group listens for signals before it starts the service, whose loop has a thread.
    private func startServer() throws -> (Process, Pipe) {
        let process = Process()
        process.executableURL = tool
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let tasks = "/proc/\(process.processIdentifier)/task"
        let hasBegun = waitUntil {
            (try? FileManager.default.contentsOfDirectory(atPath: tasks))?.contains {
                (try? String(contentsOfFile: "\(tasks)/\($0)/comm", encoding: .utf8)) == "tandem-backend\n"
            } ?? false
        }
        try #require(hasBegun)
        return (process, output)
    }

    /// Beside the test bundle.
    private var tool: URL {
        let runner = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") }.map { URL(fileURLWithPath: $0) } ?? runner
        return bundle.deletingLastPathComponent().appendingPathComponent("15-dedicated-server")
    }
}

/// What happened, on whatever thread.
final class Journal: Sendable {
    private let entries = Mutex<[String]>([])

    func note(_ line: String) { entries.withLock { $0.append(line) } }
    var lines: [String] { entries.withLock { $0 } }

    func wait(for line: String, times: Int = 1) async {
        for _ in 0..<20_000 {
            if lines.count(where: { $0 == line }) >= times { return }
            try? await Task.sleep(for: .milliseconds(1))
        }
        Issue.record("\(line) was not noted \(times) times within 20 s")
    }
}

private func waitUntil(_ condition: () -> Bool) -> Bool {
    for _ in 0..<20_000 {
        if condition() { return true }
        usleep(1000)
    }
    return false
}
