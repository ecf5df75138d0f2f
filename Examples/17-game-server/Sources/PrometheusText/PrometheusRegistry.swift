// SPDX-License-Identifier: Apache-2.0
// PrometheusRegistry: a backend of swift-metrics that gives what it has in the text format which Prometheus reads.
// Idea:   a metric is a name, labels and one or two numbers. A lock around each suffices: a loop exports ten times a minute, not in its hot paths.
// Owner:  any thread.

public import CoreMetrics
import Synchronization

/// Keeps what it is told, under names that Prometheus takes: `tandem.ticks` is `tandem_ticks_total`.
///
/// A `Counter` is a counter; a `Meter` and a `Gauge` are gauges; a `Recorder` is a summary of a count and a sum, and a `Timer` one in seconds.
public final class PrometheusRegistry: MetricsFactory {
    private let samples = Mutex<[Key: Sample]>([:])

    /// A registry without metrics.
    public init() {}

    /// Everything, sorted by name.
    public var text: String {
        let all = samples.withLock { Array($0) }.sorted { $0.key < $1.key }
        var lines: [String] = []
        var last: String?
        for (key, sample) in all {
            if key.name != last { lines.append("# TYPE \(key.name) \(sample.kind.type)") }
            last = key.name
            lines += sample.lines(key)
        }
        return lines.map { $0 + "\n" }.joined()
    }

    // MARK: - MetricsFactory

    /// For the library.
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        sample(.counter, label, dimensions)
    }

    /// For the library.
    public func makeFloatingPointCounter(label: String, dimensions: [(String, String)])
        -> any FloatingPointCounterHandler
    { sample(.counter, label, dimensions) }

    /// For the library.
    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        sample(.gauge, label, dimensions)
    }

    /// For the library.
    public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        sample(aggregate ? .summary : .gauge, label, dimensions)
    }

    /// For the library.
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        sample(.seconds, label, dimensions)
    }

    /// For the library.
    public func destroyCounter(_ handler: any CounterHandler) { forget(handler) }
    /// For the library.
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { forget(handler) }
    /// For the library.
    public func destroyMeter(_ handler: any MeterHandler) { forget(handler) }
    /// For the library.
    public func destroyRecorder(_ handler: any RecorderHandler) { forget(handler) }
    /// For the library.
    public func destroyTimer(_ handler: any TimerHandler) { forget(handler) }

    /// One name and its labels are one sample, however often it is asked for.
    private func sample(_ kind: Sample.Kind, _ label: String, _ dimensions: [(String, String)]) -> Sample {
        let key = Key(label, kind, dimensions)
        return samples.withLock { samples in
            if let known = samples[key], known.kind == kind { return known }
            let sample = Sample(kind)
            samples[key] = sample
            return sample
        }
    }

    private func forget(_ handler: any AnyObject) {
        samples.withLock { samples in samples = samples.filter { $0.value !== handler } }
    }
}
