// SPDX-License-Identifier: Apache-2.0
// WatchdogTests: what keeps the UI thread is reported while it does.

import Foundation
import Synchronization
import TandemTesting
import Testing

@testable import Tandem

/// Reports, as they come.
private final class Reports: @unchecked Sendable {
    // Safe to send: touched with `lock` held.
    private let lock = NSLock()
    private var reports: [WatchdogReport] = []

    func add(_ report: WatchdogReport) { lock.withLock { reports.append(report) } }
    var first: WatchdogReport? { lock.withLock { reports.first } }
}

extension Core {
    @Suite struct WatchdogTests {
        private let reports = Reports()

        private func configuration(limit: Duration, tickLimit: Duration) -> Configuration {
            var configuration = Configuration.unhurried
            configuration.watchdog = Watchdog(limit: limit, tickLimit: tickLimit) { [reports] in reports.add($0) }
            return configuration
        }

        /// Keeps the thread until somebody has reported it.
        private func keepThread() {
            let end = ContinuousClock.now.advanced(by: .seconds(20))
            while reports.first == nil, ContinuousClock.now < end { usleep(1000) }
        }

        @Test func aCallbackIsReportedWhileItRunsWithItsPlaceAndTheStack() throws {
            // The test runner's threads block signals; a game's do not.
            var signals = sigset_t()
            var before = sigset_t()
            sigemptyset(&signals)
            sigaddset(&signals, SIGURG)
            pthread_sigmask(SIG_UNBLOCK, &signals, &before)
            defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
            try withLoop(configuration: configuration(limit: .milliseconds(40), tickLimit: .seconds(60))) {
                host, loop in
                let line = UInt32(#line) + 1
                loop.callSoon { keepThread() }
                host.tick()
                let report = try #require(reports.first, "it was not reported while it ran")
                #expect(report.activity == "callback" && report.duration >= .milliseconds(40))
                #expect(report.site?.description == "TandemTests/WatchdogTests.swift:\(line)")
                #expect(!report.stack.isEmpty)
                #expect("\(report)".contains("a callback scheduled at TandemTests/WatchdogTests.swift:\(line)"))
                // Whoever asks later hears of it, too. The log has it before the receiver has.
                #expect(loop.watchdogReports.first?.site == report.site)
                #expect(loop.watchdogReports.first?.time == report.time)
            }
        }

        @Test func aJobIsReportedByTheWaitThatItGoesOnFrom() throws {
            try withLoop(configuration: configuration(limit: .milliseconds(40), tickLimit: .seconds(60))) {
                host, loop in
                let line = UInt32(#line) + 3
                let isOver = Box(false)
                loop.run {
                    try await loop.sleep(for: .milliseconds(1))
                    keepThread()
                    isOver.value = true
                }
                #expect(host.run { isOver.value })
                let report = try #require(reports.first)
                #expect(report.activity == "job")
                #expect(report.site?.description == "TandemTests/WatchdogTests.swift:\(line)")
            }
        }

        @Test func aLoopThatAsksForATickAndGetsNoneIsReported() throws {
            try withLoop(configuration: configuration(limit: .seconds(60), tickLimit: .milliseconds(40))) {
                host, loop in
                try loop.post {}
                keepThread()
                let report = try #require(reports.first)
                #expect(report.activity == nil && report.site == nil && report.duration >= .milliseconds(40))
                #expect("\(report)".contains("call tick() once a frame"))
                host.tick()
            }
        }

        /// Looks at given times; what they find.
        private func verdicts(_ looks: [(Int64, UInt64, Bool, Bool)]) -> [WatchdogJudge.Verdict?] {
            var judge = WatchdogJudge(
                Watchdog(limit: .nanoseconds(100), tickLimit: .nanoseconds(500), minimumInterval: .nanoseconds(1000)))
            return looks.map {
                judge.judge(WatchdogJudge.Look(now: $0.0, sequence: $0.1, isWatched: $0.2, isAsking: $0.3))
            }
        }

        @Test func eachStretchIsReportedOnceAndNotTooOften() {
            #expect(
                verdicts([
                    (0, 1, true, false), (99, 1, true, false), (100, 1, true, false), (400, 1, true, false),
                    (500, 2, true, false), (650, 2, true, false), (1200, 3, true, false), (1350, 3, true, false),
                ]) == [nil, nil, .runs(100, leftOut: 0), nil, nil, nil, nil, .runs(150, leftOut: 1)])
        }

        @Test func aLoopThatWaitsForNothingIsNoCaseForAReport() {
            // Idle; asked and ticked in time; a request that is under way while something runs.
            #expect(verdicts([(0, 1, false, false), (9000, 1, false, false)]) == [nil, nil])
            #expect(verdicts([(0, 1, false, true), (400, 3, false, true), (800, 5, false, true)]) == [nil, nil, nil])
            #expect(
                verdicts([(0, 1, false, true), (499, 1, false, true), (500, 1, false, true), (900, 1, false, true)])
                    == [nil, nil, .isNotTicked(500, leftOut: 0), nil])
        }
    }
}
