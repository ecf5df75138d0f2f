// SPDX-License-Identifier: Apache-2.0
// Display: what the loop does, frame by frame, for F3.

import SkirmishProtocol
import Tandem

struct Display {
    private static let kept = 120
    private(set) var frameTimes: [Double] = []
    private(set) var tickTimes: [Double] = []
    private var last: Statistics?
    private var lastTime: ContinuousClock.Instant?
    private var callbacks = 0
    private var jobs = 0

    mutating func take(_ frame: Frame, _ statistics: Statistics) {
        defer { (last, lastTime) = (statistics, frame.time) }
        guard let last, let lastTime else { return }
        add(lastTime.duration(to: frame.time) / .milliseconds(1), to: &frameTimes)
        add((statistics.timeInTicks - last.timeInTicks) / .milliseconds(1), to: &tickTimes)
        callbacks = statistics.callbacks - last.callbacks
        jobs = statistics.jobs - last.jobs
    }

    private func add(_ value: Double, to values: inout [Double]) {
        values.append(value)
        if values.count > Self.kept { values.removeFirst() }
    }

    func lines(_ stage: Stage) -> [String] {
        let now = stage.guest.loop.statistics
        let latency = now.latency
        var lines = [
            "this frame: \(callbacks) callbacks, \(jobs) jobs",
            "timers \(now.timers)  descriptors \(now.registrations)",
            "wake p50 \(Int(latency.p50 / .microseconds(1))) us  p99 \(Int(latency.p99 / .microseconds(1))) us",
            "over budget \(now.budgetOverruns) of \(now.ticks) ticks",
            "longest callback \((now.longestCallback / .milliseconds(1) * 10).rounded() / 10) ms",
            "gamepads \(stage.input.gamepads.count)",
        ]
        if let party = stage.party { lines += party.figures }
        return lines
    }
}
