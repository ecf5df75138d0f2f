// SPDX-License-Identifier: Apache-2.0
// Sample: one metric, and how it is written.

import CoreMetrics
import Synchronization

/// A name that Prometheus takes, and the labels.
struct Key: Hashable, Comparable {
    let name: String
    /// `{a="b"}`, or nothing.
    let labels: String

    init(_ label: String, _ kind: Sample.Kind, _ dimensions: [(String, String)]) {
        name = Self.name(label) + kind.suffix
        let parts = dimensions.map { #"\#(Self.name($0.0))="\#(Self.escaped($0.1))""# }
        labels = parts.isEmpty ? "" : "{\(parts.joined(separator: ","))}"
    }

    static func < (a: Key, b: Key) -> Bool { (a.name, a.labels) < (b.name, b.labels) }

    /// Letters, figures, underscores; no figure at the beginning.
    private static func name(_ text: String) -> String {
        let kept = String(text.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
        return kept.first?.isNumber == true ? "_" + kept : kept
    }

    private static func escaped(_ text: String) -> String {
        var escaped = ""
        for character in text {
            switch character {
            case "\\": escaped += #"\\"#
            case "\"": escaped += #"\""#
            case "\n": escaped += #"\n"#
            default: escaped.append(character)
            }
        }
        return escaped
    }
}

final class Sample: CounterHandler, FloatingPointCounterHandler, MeterHandler, RecorderHandler, TimerHandler {
    enum Kind: Hashable {
        case counter, gauge, summary
        /// A summary of times, which come in nanoseconds and are written in seconds.
        case seconds

        var type: String {
            switch self {
            case .counter: "counter"
            case .gauge: "gauge"
            case .summary, .seconds: "summary"
            }
        }

        var suffix: String {
            switch self {
            case .counter: "_total"
            case .gauge, .summary: ""
            case .seconds: "_seconds"
            }
        }
    }

    private struct Value {
        var sum = 0.0
        var count = 0
    }

    let kind: Kind
    private let value = Mutex(Value())

    init(_ kind: Kind) { self.kind = kind }

    func lines(_ key: Key) -> [String] {
        let value = value.withLock { $0 }
        switch kind {
        case .counter, .gauge: return ["\(key.name)\(key.labels) \(Self.number(value.sum))"]
        case .summary, .seconds:
            return [
                "\(key.name)_sum\(key.labels) \(Self.number(value.sum))",
                "\(key.name)_count\(key.labels) \(value.count)",
            ]
        }
    }

    private static func number(_ value: Double) -> String {
        if let whole = Int64(exactly: value) { return "\(whole)" }
        return value.isNaN ? "NaN" : value.isInfinite ? (value > 0 ? "+Inf" : "-Inf") : "\(value)"
    }

    func increment(by amount: Int64) { increment(by: Double(amount)) }
    func increment(by amount: Double) { value.withLock { $0.sum += amount } }
    func decrement(by amount: Double) { value.withLock { $0.sum -= amount } }
    func reset() { value.withLock { $0 = Value() } }
    func set(_ amount: Int64) { set(Double(amount)) }
    func set(_ amount: Double) { value.withLock { $0 = Value(sum: amount, count: 1) } }
    func record(_ amount: Int64) { record(Double(amount)) }
    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }

    func record(_ amount: Double) {
        if kind == .gauge { return set(amount) }
        value.withLock {
            $0.sum += amount
            $0.count += 1
        }
    }
}
