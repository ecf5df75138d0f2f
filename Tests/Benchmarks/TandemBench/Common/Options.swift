// SPDX-License-Identifier: Apache-2.0
// Options: what a program is asked for, the lines it prints, and what a workload needs besides its subject. The peer on swift-nio has this folder, too.

import CBench
import Glibc

/// Something that this program does not do here.
struct Unsupported: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// A system call or an expectation of the workload's failed; the figures would mean nothing.
struct Failed: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = "\(description) (errno \(errno))" }
}

/// What stood behind the workload's name.
struct Options {
    private var values: [String: String] = [:]

    init(_ arguments: some Sequence<String>) throws {
        for argument in arguments {
            let parts = argument.split(separator: "=", maxSplits: 1)
            guard parts.count == 2 else { throw Unsupported("\(argument) is not of the form key=value") }
            values[String(parts[0])] = String(parts[1])
        }
    }

    func number(_ key: String, _ standard: Int, least: Int = 1) throws -> Int {
        guard let text = values[key] else { return standard }
        guard let number = Int(text), number >= least else {
            throw Unsupported("\(key)=\(text): expected a whole number of at least \(least)")
        }
        return number
    }

    /// `nil`: nothing was asked for.
    func milliseconds(_ key: String) throws -> Duration? {
        values[key] == nil ? nil : .milliseconds(try number(key, 1))
    }

    func word(_ key: String, _ standard: String) -> String { values[key] ?? standard }
}

func metric(_ name: String, _ unit: String, _ value: Double) {
    let places = abs(value) >= 1000 ? 0 : abs(value) >= 10 ? 2 : 4
    let scale = pow(10, Double(places))
    print("\(name) \(unit) \((value * scale).rounded() / scale)")
}

func metric(_ name: String, _ unit: String, _ value: Int) { print("\(name) \(unit) \(value)") }

/// The present in nanoseconds, of the clock that every peer uses.
func now() -> Int64 { bench_now() }

/// Measured values; a fraction of them lies below what `percentile` gives.
struct Samples {
    private(set) var values: [Int64] = []

    init(capacity: Int) { values.reserveCapacity(capacity) }
    var count: Int { values.count }
    mutating func add(_ value: Int64) { values.append(value) }

    func percentile(_ fraction: Double) -> Double {
        guard !values.isEmpty else { return .nan }
        let sorted = values.sorted()
        return Double(sorted[min(sorted.count - 1, Int(Double(sorted.count) * fraction))])
    }
}

/// xorshift64: the same numbers in every peer.
struct XorShift {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}
