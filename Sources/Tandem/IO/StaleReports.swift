// SPDX-License-Identifier: Apache-2.0
// StaleReports: finds events that belong to no watch and come again and again. Pure.
// Idea:   if a watch ends between a poll and its tick, one event at most is left. If the same one comes twice, an entry
//         of the epoll set has outlived its registration: the descriptor was closed first, and a duplicate keeps its
//         file open.
// Owner:  the UI thread.

struct StaleReports {
    /// How many entries are remembered, to see whether they come again.
    private static let capacity = 16
    private static let shortestPause: Nanoseconds = 1_000_000
    private static let longestPause: Nanoseconds = 1_000_000_000

    private var seen: [UInt64] = []
    /// The time from which on a new epoll set may be made again, after one failed.
    private var nextAttempt = Nanoseconds.min
    private var pause = shortestPause
    private var isLogged = false

    /// Notes an event that belongs to no watch. Returns whether its entry reports again and again, and something can be
    /// done about it now.
    mutating func noteReport(_ data: UInt64, at now: Nanoseconds) -> Bool {
        guard seen.contains(data) else {
            if seen.count == Self.capacity { seen.removeFirst() }
            seen.append(data)
            return false
        }
        return now >= nextAttempt
    }

    /// Notes whether the new set could be made. Returns whether that should be logged: not each failure is.
    mutating func noteRenewal(succeeded isRenewed: Bool, at now: Nanoseconds) -> Bool {
        guard !isRenewed else {
            self = StaleReports()
            return true
        }
        nextAttempt = now.addingClamped(pause)
        pause = min(2 * pause, Self.longestPause)
        defer { isLogged = true }
        return !isLogged
    }
}
