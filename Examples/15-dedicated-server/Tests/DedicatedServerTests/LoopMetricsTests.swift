// SPDX-License-Identifier: Apache-2.0
// LoopMetricsTests: what a backend gets is what the loop counted.

import Metrics
import MetricsTestKit
import Tandem
import TandemMetrics
import TandemTesting
import Testing

@Suite struct LoopMetricsTests {
    /// A loop in virtual time, on the calling thread.
    private func withLoop(_ body: (ManualHost, VirtualClock, TestMetrics) throws -> Void) throws {
        let host = ManualHost()
        let clock = VirtualClock()
        var configuration = Configuration()
        configuration.timeSource = clock
        let loop = try host.makeLoop(configuration: configuration)
        defer { loop.close() }
        try body(host, clock, TestMetrics())
    }

    @Test func countersGetWhatWasAdded() throws {
        try withLoop { host, clock, backend in
            let metrics = LoopMetrics(host.loop, every: .seconds(10), factory: backend)
            for round in 1...3 {
                for _ in 0..<round { host.loop.callSoon {} }
                host.tick()
                clock.advance(by: .seconds(10))
                host.tick()
            }
            // Ticks that began before the export: the exporting one included.
            try #expect(backend.expectCounter("tandem.ticks").values == [2, 2, 2])
            // The exporting callback is counted when it has run, in the next export.
            try #expect(backend.expectCounter("tandem.callbacks").totalValue == 1 + 2 + 3 + 2)
            try #expect(backend.expectCounter("tandem.timers.fired").totalValue >= 2)
            withExtendedLifetime(metrics) {}
        }
    }

    @Test func gaugesTellWhatStands() throws {
        try withLoop { host, clock, backend in
            let metrics = LoopMetrics(host.loop, every: .seconds(1), factory: backend)
            let handles = (0..<5).map { _ in host.loop.callLater(.seconds(1000)) {} }
            clock.advance(by: .seconds(1))
            host.tick()
            try #expect(backend.expectGauge("tandem.timers").lastValue == 5)
            for handle in handles.prefix(3) { handle.cancel() }
            clock.advance(by: .seconds(1))
            host.tick()
            try #expect(backend.expectGauge("tandem.timers").lastValue == 2)
            withExtendedLifetime(metrics) {}
        }
    }

    @Test func latenciesAreTimers() throws {
        try withLoop { host, clock, backend in
            let metrics = LoopMetrics(host.loop, every: .seconds(1), factory: backend)
            for _ in 0..<100 { host.loop.callSoon {} }
            host.tick()
            metrics.stop()
            let statistics = host.loop.statistics
            try #expect(
                backend.expectTimer("tandem.latency.max").lastValue
                    == Int64(statistics.latency.max / .nanoseconds(1)))
            try #expect(
                backend.expectTimer("tandem.callback.longest").lastValue
                    == Int64(statistics.longestCallback / .nanoseconds(1)))
            try #expect(backend.expectTimer("tandem.latency.p50").lastValue ?? 0 > 0)
        }
    }

    @Test func stopExportsTheRestOnce() throws {
        try withLoop { host, clock, backend in
            let metrics = LoopMetrics(host.loop, every: .seconds(10), factory: backend)
            host.loop.callSoon {}
            host.tick()
            metrics.stop()
            metrics.stop()
            try #expect(backend.expectCounter("tandem.callbacks").values == [1])
            #expect(host.loop.statistics.timers == 0)
            clock.advance(by: .seconds(100))
            host.tick()
            try #expect(backend.expectCounter("tandem.callbacks").values == [1])
        }
    }

    @Test func namesAndDimensionsAreTheCallers() throws {
        try withLoop { host, _, backend in
            let metrics = LoopMetrics(
                host.loop, label: "game.loop", dimensions: [("loop", "main")], factory: backend)
            host.tick()
            metrics.stop()
            try #expect(backend.expectCounter("game.loop.ticks", [("loop", "main")]).totalValue == 1)
        }
    }

    @Test func anExporterThatIsLetGoStops() throws {
        try withLoop { host, clock, backend in
            _ = LoopMetrics(host.loop, every: .seconds(1), factory: backend)
            for _ in 0..<3 {
                clock.advance(by: .seconds(1))
                host.tick()
            }
            try #expect(backend.expectCounter("tandem.ticks").values.isEmpty)
            #expect(host.loop.statistics.timers == 0)
        }
    }
}
