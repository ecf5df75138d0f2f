// SPDX-License-Identifier: Apache-2.0
// StaleReports: which reports that belong to nobody come again and again. Pure.
// Idea:   a watch that ends between a poll and its tick leaves one report at the most. The same one twice is an entry that has outlived its
//         registration: the descriptor was closed first, and a duplicate keeps its file open.
// Owner:  the UI thread.

struct StaleReports {
    /// As many entries as can be waited for to come again.
    private static let capacity = 16
    private static let shortestPause: Nanoseconds = 1_000_000
    private static let longestPause: Nanoseconds = 1_000_000_000

    private var seen: [UInt64] = []
    /// Since when a new set may be asked for again, after one was refused.
    private var nextAttempt = Nanoseconds.min
    private var pause = shortestPause
    private var isTold = false

    /// Is this an entry that reports for ever, and may something be done about it now?
    mutating func isRepeated(_ data: UInt64, at now: Nanoseconds) -> Bool {
        guard seen.contains(data) else {
            if seen.count == Self.capacity { seen.removeFirst() }
            seen.append(data)
            return false
        }
        return now >= nextAttempt
    }

    /// What came of it. Whether it is worth a word: not each of the refusals is.
    mutating func isRenewed(_ isRenewed: Bool, at now: Nanoseconds) -> Bool {
        guard !isRenewed else {
            self = StaleReports()
            return true
        }
        nextAttempt = now.addingClamped(pause)
        pause = min(2 * pause, Self.longestPause)
        defer { isTold = true }
        return !isTold
    }
}
