// SPDX-License-Identifier: Apache-2.0
// Bursts: little at a time, as a game has it, measured in three conditions.
// Idea:   `first` is the process's first burst, which pays for fresh memory and code; `cold` the median of those before which the caches were emptied;
//         `warm` of those that follow another one at once. A burst's time, as a whole.
// Owner:  the main thread.

import Glibc

/// One kind of burst, in its three conditions.
@MainActor
struct Bursts {
    private let rounds: Int
    private let cache = UnsafeMutableRawPointer.allocate(byteCount: Bursts.cacheSize, alignment: 64)
    private static let cacheSize = 4 << 20

    init(_ options: Options) throws { rounds = try options.number("rounds", 100) }

    /// `burst` gives the time of each of its parts, in nanoseconds.
    func measure(_ names: [String], _ burst: () -> [Int64]) {
        report("first", names, [burst()])
        report(
            "cold", names,
            repeated { number in
                memset(cache, Int32(number & 0xFF), Self.cacheSize)
            } burst: {
                burst()
            })
        _ = burst()
        report(
            "warm", names,
            repeated { _ in
            } burst: {
                burst()
            })
    }

    private func repeated(_ prepare: (Int) -> Void, burst: () -> [Int64]) -> [[Int64]] {
        (0..<rounds).map {
            prepare($0)
            return burst()
        }
    }

    private func report(_ condition: String, _ names: [String], _ times: [[Int64]]) {
        for (part, name) in names.enumerated() {
            var samples = Samples(capacity: times.count)
            for time in times { samples.add(time[part]) }
            metric("\(name)\(condition)", "us", samples.percentile(0.5) / 1000)
        }
    }
}
