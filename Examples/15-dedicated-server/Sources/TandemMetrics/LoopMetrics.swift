// SPDX-License-Identifier: Apache-2.0
// LoopMetrics: a loop's statistics, as swift-metrics has them.
// Idea:   the loop counts anyway. A timer of the loop's reads the counts at a steady pace and hands on what was added since the last time:
//         nothing is paid for in between.
// Owner:  the loop's thread.

public import CoreMetrics
public import Tandem

/// Exports a loop's statistics to a metrics backend: counters (`tandem.ticks`, `tandem.jobs`, …), what stands now as gauges
/// (`tandem.timers`, `tandem.registrations`) and latencies as timers (`tandem.latency.p50`, `tandem.callback.longest`, …).
///
/// ```swift
/// let metrics = LoopMetrics(loop, every: .seconds(10))     // until metrics.stop()
/// ```
public final class LoopMetrics {
    private let loop: GuestLoop
    private let interval: Duration
    private let counters: [(counter: Counter, value: KeyPath<Statistics, Int>)]
    private let gauges: [(gauge: Gauge, value: KeyPath<Statistics, Int>)]
    private let timeInTicks: Counter
    private let p50, p99, maximum, longest: Timer
    private var last: Statistics?
    private var timer: CallbackHandle?

    /// Begins to export, at first after one interval. The loop's thread.
    ///
    /// - Parameters:
    ///   - label: What the names begin with.
    ///   - dimensions: For each of the metrics; the name of the loop, say, where there are several.
    ///   - factory: The backend's; by default that of the process (`MetricsSystem`).
    public init(
        _ loop: GuestLoop, every interval: Duration = .seconds(10), label: String = "tandem",
        dimensions: [(String, String)] = [], factory: any MetricsFactory = MetricsSystem.factory
    ) {
        precondition(interval > .zero, "LoopMetrics was given an interval of \(interval); expected more than zero")
        self.loop = loop
        self.interval = interval
        func counter(_ name: String) -> Counter {
            Counter(label: "\(label).\(name)", dimensions: dimensions, factory: factory)
        }
        func gauge(_ name: String) -> Gauge {
            Gauge(label: "\(label).\(name)", dimensions: dimensions, factory: factory)
        }
        func timer(_ name: String) -> Timer {
            Timer(label: "\(label).\(name)", dimensions: dimensions, factory: factory)
        }
        counters = [
            (counter("ticks"), \.ticks), (counter("ticks.empty"), \.emptyTicks), (counter("callbacks"), \.callbacks),
            (counter("callbacks.failed"), \.callbackErrors), (counter("jobs"), \.jobs), (counter("posts"), \.posts),
            (counter("io.events"), \.ioEvents), (counter("timers.fired"), \.timersFired),
            (counter("hints.posted"), \.hintsPosted), (counter("hints.dropped"), \.hintsDropped),
            (counter("wakes"), \.wakePipeWrites), (counter("budget.overruns"), \.budgetOverruns),
        ]
        gauges = [(gauge("timers"), \.timers), (gauge("registrations"), \.registrations)]
        timeInTicks = counter("ticks.nanoseconds")
        p50 = timer("latency.p50")
        p99 = timer("latency.p99")
        maximum = timer("latency.max")
        longest = timer("callback.longest")
        arm()
    }

    /// Exports what has been added since the last time, and stops. Harmless when repeated.
    public func stop() {
        guard let timer else { return }
        timer.cancel()
        self.timer = nil
        export()
    }

    private func arm() {
        timer = loop.callLater(interval) { [weak self] in
            self?.export()
            self?.arm()
        }
    }

    private func export() {
        let now = loop.statistics
        for (counter, value) in counters { counter.increment(by: now[keyPath: value] - (last?[keyPath: value] ?? 0)) }
        for (gauge, value) in gauges { gauge.record(now[keyPath: value]) }
        timeInTicks.increment(by: Self.nanoseconds(now.timeInTicks) - Self.nanoseconds(last?.timeInTicks ?? .zero))
        p50.recordNanoseconds(Self.nanoseconds(now.latency.p50))
        p99.recordNanoseconds(Self.nanoseconds(now.latency.p99))
        maximum.recordNanoseconds(Self.nanoseconds(now.latency.max))
        longest.recordNanoseconds(Self.nanoseconds(now.longestCallback))
        last = now
    }

    private static func nanoseconds(_ duration: Duration) -> Int64 { Int64(duration / .nanoseconds(1)) }
}
