// SPDX-License-Identifier: Apache-2.0
// Stage: what a part of the probe expects, and what became of it.
// Idea:   each expectation is a run of its own. Once one fails, the others are cancelled, as a program would do it: their peer has gone. What has neither
//         succeeded nor been told of an error when the time is over is lost.
// Owner:  the main actor.

import Foundation
import Glibc
import Logging
import Synchronization
import Tandem

/// Something came that is not what was expected.
struct Wrong: Error { let text: String }

@MainActor final class Stage {
    enum Outcome: String { case done, error, wrong, lost }

    let loop: GuestLoop
    private(set) var outcome: (Outcome, String)?
    private var waiting: [String: GuestRun<Void>] = [:]
    private var failure: (Outcome, String)?

    init(_ loop: GuestLoop) { self.loop = loop }

    func expect(_ name: String, _ body: @escaping @MainActor @Sendable () async throws -> Void) {
        waiting[name] = loop.run(
            { try await body() },
            onDone: { result in
                MainActor.assumeIsolated { self.ended(name, result) }
            })
    }

    /// Whether nothing is waited for any more.
    var isOver: Bool { waiting.isEmpty }

    private func ended(_ name: String, _ result: Result<Void, any Error>) {
        waiting[name] = nil
        guard case .failure(let error) = result, failure == nil else { return }
        failure = Self.judge(error, in: name)
        for run in waiting.values { run.cancel() }
    }

    /// What an error means. Anything but an error of Tandem's is not documented.
    static func judge(_ error: any Error, in name: String) -> (Outcome, String) {
        FileHandle.standardError.write(Data("\(name): \(error)\n".utf8))
        return switch error {
        case let error as GuestError:
            // The rules promise a sentence with what to do.
            error.context.isEmpty ? (.wrong, "\(name): \(error.code) without words") : (.error, "\(error.code)")
        case let error as Wrong: (.wrong, "\(name): \(error.text)")
        default: (.wrong, "\(name): \(type(of: error)) \(error)")
        }
    }

    /// The time is over, or nothing is waited for.
    var verdict: (Outcome, String) {
        if !waiting.isEmpty { return (.lost, waiting.keys.sorted().joined(separator: ", ")) }
        return failure ?? (.done, "")
    }
}

/// Counts what the loop's log is told; each is something that was not swallowed.
final class LogCounter: LogHandler, @unchecked Sendable {
    // Safe: atomic; the others are never written after the logger was made.
    let count = Atomic<Int>(0)
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.notice
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }
    func log(event: LogEvent) {
        count.add(1, ordering: .relaxed)
        FileHandle.standardError.write(Data("\(event.level): \(event.message)\n".utf8))
    }
}

/// What a process can leak.
enum Machine {
    static var descriptors: Int { names(in: "/proc/self/fd").count }

    /// The threads that a closed loop has ended.
    static var threads: Int {
        names(in: "/proc/self/task").count { number in
            guard let name = try? String(contentsOfFile: "/proc/self/task/\(number)/comm", encoding: .utf8) else {
                return false
            }
            return ["tandem-backend", "tandem-watchdo", "tandem-trace"].contains { name.hasPrefix($0) }
        }
    }

    /// What all threads have computed, in milliseconds.
    static var processor: Int {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }

    private static func names(in folder: String) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    }
}
