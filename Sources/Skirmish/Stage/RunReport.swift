// SPDX-License-Identifier: Apache-2.0
// RunReport: what a run measured: as a file for machines, as a line for people.

import Foundation
import SkirmishRules
import Tandem

/// What is gathered frame by frame.
struct Measurements {
    /// Frames since the first match began.
    private(set) var frames = 0
    private var last: ContinuousClock.Instant?
    private var first: ContinuousClock.Instant?
    private var latest: ContinuousClock.Instant?
    /// The distances of the last ten minutes' frames, in milliseconds.
    private var distances: [Double] = []
    /// What the main thread has used of a processor in each of these frames, in milliseconds: what the rest of the machine does is not in it.
    private var processorTimes: [Double] = []
    private var lastProcessorTime = 0.0
    private static let kept = 36_000

    mutating func take(_ frame: Frame) {
        let now = ContinuousClock.now
        defer { last = now }
        if first == nil { first = frame.time }
        latest = frame.time
        let used = Self.processorTime
        if let last {
            keep(last.duration(to: now) / .milliseconds(1), in: &distances)
            keep(used - lastProcessorTime, in: &processorTimes)
        }
        lastProcessorTime = used
        frames += 1
    }

    private func keep(_ value: Double, in values: inout [Double]) {
        if values.count < Self.kept { values.append(value) } else { values[frames % Self.kept] = value }
    }

    private static var processorTime: Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) * 1e3 + Double(time.tv_nsec) / 1e6
    }

    func report(
        _ statistics: Statistics, _ world: World?, best: Int, inputEvents: Int, matches: Int, network: NetworkReport?
    ) -> RunReport {
        func percentile(_ fraction: Double, _ values: [Double]) -> Double {
            let sorted = values.sorted()
            return sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, Int(Double(sorted.count) * fraction))]
        }
        let latency = statistics.latency
        return RunReport(
            frames: frames, seconds: first.map { $0.duration(to: latest ?? $0) / .seconds(1) } ?? 0,
            frameTimeP50Ms: percentile(0.5, distances), frameTimeP99Ms: percentile(0.99, distances),
            processorTimeP50Ms: percentile(0.5, processorTimes), processorTimeP99Ms: percentile(0.99, processorTimes),
            ticks: statistics.ticks,
            callbacks: statistics.callbacks, jobs: statistics.jobs, timersFired: statistics.timersFired,
            hintsPosted: statistics.hintsPosted, hintsDropped: statistics.hintsDropped,
            wakeP50Us: latency.p50 / .microseconds(1), wakeP99Us: latency.p99 / .microseconds(1),
            budgetOverruns: statistics.budgetOverruns, inputEvents: inputEvents, wave: world?.wave ?? 0,
            score: world?.score ?? 0, bestScore: max(best, world?.score ?? 0), matches: matches,
            playerX: world?.ships.first?.position.x ?? 0, playerY: world?.ships.first?.position.y ?? 0,
            stateHash: world.map { String($0.stateHash, radix: 16) } ?? "", network: network)
    }
}

/// What a run measured. Times of frames are those between the beginnings of two frames.
nonisolated struct RunReport: Codable {
    let frames: Int
    let seconds: Double
    let frameTimeP50Ms: Double
    let frameTimeP99Ms: Double
    let processorTimeP50Ms: Double
    let processorTimeP99Ms: Double
    let ticks: Int
    let callbacks: Int
    let jobs: Int
    let timersFired: Int
    let hintsPosted: Int
    let hintsDropped: Int
    let wakeP50Us: Double
    let wakeP99Us: Double
    let budgetOverruns: Int
    let inputEvents: Int
    let wave: Int
    let score: Int
    let bestScore: Int
    let matches: Int
    let playerX: Double
    let playerY: Double
    let stateHash: String
    /// Of a match with others.
    let network: NetworkReport?

    func save(_ file: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        do {
            try encoder.encode(self).write(to: URL(fileURLWithPath: file))
        } catch {
            throw Trouble("cannot write \(file); choose a folder that exists and is yours")
        }
    }

    var summary: String {
        let rounded = (seconds * 10).rounded() / 10
        return
            "\(frames) frames in \(rounded) s of play, wave \(wave), score \(score), \(jobs) jobs, \(timersFired) timers, state \(stateHash)"
    }
}
