// SPDX-License-Identifier: Apache-2.0
// StatisticsTests: a loop's figures in words, and a configuration of which only what matters is named.

import Logging
import TandemTesting
import Testing

@testable import Tandem

@Suite struct StatisticsTests {
    @Test func statisticsPrintInWords() {
        var statistics = Statistics()
        (statistics.ticks, statistics.emptyTicks, statistics.nestedTicks) = (120, 96, 1)
        (statistics.callbacks, statistics.callbackErrors, statistics.jobs) = (1200, 2, 340)
        (statistics.timers, statistics.timersArmed, statistics.timersFired, statistics.timersCancelled) = (
            12, 500, 480, 8
        )
        (statistics.registrations, statistics.ioEvents, statistics.staleEvents) = (3, 900, 4)
        (statistics.inboxEntries, statistics.posts, statistics.waitsHandedOver) = (45, 40, 5)
        (statistics.hintsPosted, statistics.hintsCoalesced, statistics.hintsDropped) = (60, 13, 7)
        (statistics.turnsPassed, statistics.wakePipeWrites, statistics.hotPolls) = (55, 6, 70)
        statistics.timeInTicks = .milliseconds(1250)
        statistics.longestCallback = .microseconds(1234)
        statistics.budgetOverruns = 9
        statistics.latency.record(800)
        #expect(
            "\(statistics)" == """
                ticks: 120, of which 96 had nothing to do; 1 from inside a tick were refused
                run: 1200 callbacks (2 threw) and 340 jobs of async code
                timers: 12 armed now; 500 were armed, 480 came due, 8 were called off
                descriptors: 3 watched now; 900 reports, and 4 that came too late
                from other threads: 45 entries in the inbox; 40 closures posted, 5 waits handed over
                requests for a tick: 60 taken by the host, 13 not needed, 7 dropped by the host
                backend thread: given the turn 55 times, woken 6 times; 70 polls by the UI thread instead
                time: 1.25 s in ticks; the longest callback took 1.23 ms; 9 ticks took longer than their budget
                from ready to run: 800 ns in the median, 800 ns for 99 of 100, 800 ns at most
                """)
        // Every figure that there is.
        let fields = Mirror(reflecting: statistics).children.count
        #expect(fields == 26, "a figure was added or taken away: say it in Statistics.description, too")
    }

    @Test func durationsHaveThreeDigitsAndAUnit() {
        let written: [(Duration, String)] = [
            (.zero, "0 ns"), (.nanoseconds(999), "999 ns"), (.nanoseconds(1000), "1.00 µs"),
            (.nanoseconds(12_345), "12.3 µs"), (.microseconds(999), "999 µs"), (.nanoseconds(1_056_000), "1.05 ms"),
            (.milliseconds(16), "16.0 ms"), (.seconds(75), "75.0 s"), (.seconds(86_400), "86400 s"),
        ]
        for (duration, text) in written { #expect(duration.inWords == text) }
    }

    @Test func everyParameterOfAConfigurationIsOptional() throws {
        let plain = Configuration()
        #expect(plain.budget == .milliseconds(4) && plain.closeGrace == .milliseconds(250))
        #expect(plain.sceneGrace == .seconds(1) && plain.timeSource == nil && plain.errorHandler == nil)
        let clock = VirtualClock()
        #expect(Configuration(timeSource: clock).timeSource as? VirtualClock === clock)
        #expect(Configuration(closeGrace: .seconds(2)).closeGrace == .seconds(2))
        #expect(Configuration(logger: Logger(label: "game"), sceneGrace: .seconds(3)).logger.label == "game")
    }
}
