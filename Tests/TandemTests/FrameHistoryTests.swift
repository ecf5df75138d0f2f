// SPDX-License-Identifier: Apache-2.0
// FrameHistoryTests: what the last frames took.

import Testing

@testable import Tandem

extension Core {
    @Suite struct FrameHistoryTests {
        private let start = ContinuousClock.now

        private func statistics(callbacks: Int, ticks: Duration = .zero, overruns: Int = 0) -> Statistics {
            var statistics = Statistics()
            statistics.callbacks = callbacks
            statistics.timeInTicks = ticks
            statistics.budgetOverruns = overruns
            return statistics
        }

        @Test func itKeepsTheLastFramesOldestFirst() {
            var history = FrameHistory(capacity: 3)
            for number in 0...5 {
                history.note(
                    statistics(callbacks: number * number), at: start.advanced(by: .milliseconds(10 * number * number)))
            }
            #expect(history.count == 3)
            #expect((0..<3).map { history[$0].callbacks } == [5, 7, 9])
            #expect((0..<3).map { history[$0].frameTime } == [.milliseconds(50), .milliseconds(70), .milliseconds(90)])
        }

        @Test func aFrameHasWhatWasDoneInIt() {
            var history = FrameHistory()
            history.note(statistics(callbacks: 100, ticks: .seconds(9), overruns: 4), at: start)
            #expect(history.count == 0)
            history.note(
                statistics(callbacks: 103, ticks: .seconds(9) + .milliseconds(2), overruns: 5),
                at: start.advanced(by: .milliseconds(16)))
            #expect(history[0].callbacks == 3 && history[0].jobs == 0)
            #expect(history[0].timeInTicks == .milliseconds(2) && history[0].isOverBudget)
        }

        @Test func aPauseIsNoFrame() {
            var history = FrameHistory()
            history.note(statistics(callbacks: 0), at: start)
            history.pause()
            history.note(statistics(callbacks: 50), at: start.advanced(by: .seconds(60)))
            #expect(history.count == 0)
            history.note(statistics(callbacks: 51), at: start.advanced(by: .seconds(61)))
            #expect(history.count == 1 && history[0].callbacks == 1)
        }
    }
}
