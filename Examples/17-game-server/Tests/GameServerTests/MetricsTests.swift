// SPDX-License-Identifier: Apache-2.0
// MetricsTests: what Prometheus reads.

import Metrics
import PrometheusText
import SkirmishServer
import Tandem
import Testing
import WebServing

@Suite struct PrometheusTextTests {
    @Test func eachKindOfMetricIsWrittenAsPrometheusReadsIt() {
        let registry = PrometheusRegistry()
        Counter(label: "game.matches", factory: registry).increment(by: 3)
        Counter(label: "game.matches", factory: registry).increment()
        Gauge(label: "game.players", factory: registry).record(7)
        Gauge(label: "game.players", factory: registry).record(2)
        Meter(label: "load", factory: registry).set(0.5)
        let recorder = Recorder(label: "size", aggregate: true, factory: registry)
        recorder.record(10)
        recorder.record(32)
        Timer(label: "wait", factory: registry).recordNanoseconds(1_500_000_000)
        #expect(
            registry.text == """
                # TYPE game_matches_total counter
                game_matches_total 4
                # TYPE game_players gauge
                game_players 2
                # TYPE load gauge
                load 0.5
                # TYPE size summary
                size_sum 42
                size_count 2
                # TYPE wait_seconds summary
                wait_seconds_sum 1.5
                wait_seconds_count 1

                """)
    }

    @Test func labelsAreEscapedAndNamesAreThoseThatAreAllowed() {
        let registry = PrometheusRegistry()
        Counter(label: "1st-try", dimensions: [("who is", "a \"b\"\\\n")], factory: registry).increment()
        Counter(label: "1st-try", dimensions: [("who is", "c")], factory: registry).increment()
        #expect(
            registry.text == #"""
                # TYPE _1st_try_total counter
                _1st_try_total{who_is="a \"b\"\\\n"} 1
                _1st_try_total{who_is="c"} 1

                """#)
    }

    @Test func aMetricThatIsDestroyedIsForgotten() {
        let registry = PrometheusRegistry()
        let counter = Counter(label: "a", factory: registry)
        Counter(label: "b", factory: registry).increment()
        counter.destroy()
        #expect(registry.text == "# TYPE b_total counter\nb_total 1\n")
    }
}

extension MainLoop {
    @Suite @MainActor struct MetricsTests {
        @Test func theServersAndTheLoopsFiguresAreServed() throws {
            try Table.open({ $0.hasExhibition = true }) { table in
                let registry = PrometheusRegistry()
                let metrics = Task { try await ServerMetrics(table.server, on: table.loop, factory: registry).run() }
                defer { metrics.cancel() }
                try await serve({ WebService(registry.router, onListening: $0) }) { port in
                    try await table.wait("the figures") {
                        let text = try await exchange(table.loop, port, request("GET /metrics")).content
                        let lines = text.split(separator: "\n")
                        return lines.contains("skirmish_matches_total 1") && lines.contains("skirmish_players 0")
                            && lines.contains("skirmish_players_capacity 8")
                            && lines.contains { $0.hasPrefix("tandem_ticks_total ") && $0 != "tandem_ticks_total 0" }
                    }
                }
            }
        }
    }
}
