// SPDX-License-Identifier: Apache-2.0
// Stage: a loop in virtual time on which one scene is played, with its log and its errors written down.

import Foundation
import Logging
import TandemTesting
import Testing

@testable import Tandem

/// Waits off the UI thread and is deaf to cancellation.
func elsewhere(until gate: DispatchSemaphore) async {
    await withUnsafeContinuation { continuation in
        DispatchQueue.global().async {
            gate.wait()
            continuation.resume()
        }
    }
}

/// A loop in virtual time, with its log and its errors written down.
final class Stage {
    let host = ManualHost()
    let loop: GuestLoop
    let clock: VirtualClock
    let journal = Journal([])
    let errors = Journal([])
    let log = Log()

    init() throws {
        var (configuration, clock) = virtualConfiguration()
        configuration.logger = log.logger
        configuration.errorHandler = { [errors] error, _ in errors.note("\(error)") }
        self.clock = clock
        loop = try host.makeLoop(configuration: configuration)
    }

    /// Plays one scene to its end.
    func play(_ body: @escaping @Sendable (GuestLoop, GuestScene, Journal) async throws -> Int) -> Box<
        Result<Int, any Error>?
    > {
        let outcome = Box<Result<Int, any Error>?>(nil)
        let (loop, journal) = (loop, journal)
        loop.run({ try await loop.withScene { try await body(loop, $0, journal) } }) { outcome.value = $0 }
        pass { outcome.value != nil }
        return outcome
    }

    /// Ticks, and jumps to the nearest deadline when nothing is ready, until `condition` holds.
    func pass(until condition: () -> Bool) {
        let end = ContinuousClock.now.advanced(by: .seconds(20))
        while !condition(), ContinuousClock.now < end {
            host.tick()
            if condition() { return }
            if !loop.hasWork, let deadline = loop.nextDeadline { clock.advance(to: deadline) }
        }
    }

    func pass(for duration: Duration) {
        clock.advance(by: duration)
        for _ in 0..<5 { host.tick() }
    }

    func expectNothingLeft(_ location: SourceLocation = #_sourceLocation) {
        #expect(loop.members.scenes.isEmpty, sourceLocation: location)
        #expect(loop.members.runs.isEmpty, sourceLocation: location)
        #expect(loop.statistics.timers == 0, sourceLocation: location)
        #expect(loop.statistics.registrations == 0, sourceLocation: location)
    }
}

func withStage(_ body: (Stage) throws -> Void) throws {
    let stage = try Stage()
    defer { stage.loop.close() }
    try body(stage)
}

/// What was logged.
final class Log: @unchecked Sendable {
    // Safe to send: `entries` is touched with `lock` held.
    private let lock = NSLock()
    private var entries: [String] = []

    var lines: [String] { lock.withLock { entries } }
    var logger: Logger { Logger(label: "test") { _ in Handler(log: self) } }

    private struct Handler: LogHandler {
        let log: Log
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }
        func log(event: LogEvent) {
            log.lock.withLock { log.entries.append("\(event.message)") }
        }
    }
}
