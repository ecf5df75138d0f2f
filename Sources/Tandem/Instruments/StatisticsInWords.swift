// SPDX-License-Identifier: Apache-2.0
// StatisticsInWords: a loop's statistics as a text for people.

extension Statistics: CustomStringConvertible {
    /// The statistics in sentences, one line for each subject.
    public var description: String {
        """
        ticks: \(ticks), of which \(emptyTicks) had nothing to do; \(nestedTicks) from inside a tick were refused
        run: \(callbacks) callbacks (\(callbackErrors) threw) and \(jobs) jobs of async code
        timers: \(timers) armed now; \(timersArmed) were armed, \(timersFired) came due, \(timersCancelled) were called off
        descriptors: \(registrations) watched now; \(ioEvents) reports, and \(staleEvents) that came too late
        from other threads: \(inboxEntries) entries in the inbox; \(posts) closures posted, \(waitsHandedOver) waits handed over
        requests for a tick: \(hintsPosted) taken by the host, \(hintsCoalesced) not needed, \(hintsDropped) dropped by the host
        backend thread: given the turn \(turnsPassed) times, woken \(wakePipeWrites) times; \(hotPolls) polls by the UI thread instead
        time: \(timeInTicks.inWords) in ticks; the longest callback took \(longestCallback.inWords); \(budgetOverruns) ticks took longer than their budget
        from ready to run: \(latency.p50.inWords) in the median, \(latency.p99.inWords) for 99 of 100, \(latency.max.inWords) at most
        """
    }
}

extension Duration {
    /// Three digits and a unit that suits them.
    var inWords: String {
        let nanoseconds = nanosecondsRoundedUp
        let (divisor, unit): (Int64, String) =
            switch nanoseconds.magnitude {
            case ..<1_000: (1, "ns")
            case ..<1_000_000: (1_000, "µs")
            case ..<1_000_000_000: (1_000_000, "ms")
            default: (1_000_000_000, "s")
            }
        let (whole, rest) = nanoseconds.quotientAndRemainder(dividingBy: divisor)
        let decimals = divisor == 1 || whole.magnitude >= 100 ? 0 : whole.magnitude >= 10 ? 1 : 2
        guard decimals > 0 else { return "\(whole) \(unit)" }
        let digits = (rest.magnitude * (decimals == 1 ? 10 : 100)) / UInt64(divisor)
        return "\(whole).\(decimals == 2 && digits < 10 ? "0" : "")\(digits) \(unit)"
    }
}
