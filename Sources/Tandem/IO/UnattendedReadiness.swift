// SPDX-License-Identifier: Apache-2.0
// UnattendedReadiness: what keeps a handler that does nothing from eating a whole core.
// Idea:   level-triggered data that nobody reads is reported at once, again and again. After a long run of reports for one watch
//         the loop compares what is unread (or, for a writer, unsent) before and after the handler. Several runs in a row that
//         moved nothing earn the watch a pause, which doubles up to a limit; one that moves something ends all that.
// Owner:  the UI thread. A busy, healthy descriptor pays two ioctl calls in 64 reports.

import CLinux

struct Streak {
    static let reportsUntilSuspicion: UInt32 = 64
    static let fruitlessUntilPause = 3
    static let shortestPause: Nanoseconds = 1_000_000
    static let longestPause: Nanoseconds = 16_000_000

    private var reports: UInt32 = 0
    private var fruitless = 0
    private var pause: Nanoseconds = 0

    /// Called before the handler: how many bytes are waiting, if this report is one to be looked at.
    mutating func begin(_ fd: Int32, _ direction: IOHandle.Direction) -> Int32? {
        reports &+= 1
        guard fruitless > 0 || pause > 0 || reports % Self.reportsUntilSuspicion == 0 else { return nil }
        return Self.waiting(fd, direction)
    }

    /// Called after it with what `begin` gave: how long to leave the descriptor alone, if the handler moved nothing.
    mutating func end(_ fd: Int32, _ direction: IOHandle.Direction, before: Int32) -> Nanoseconds? {
        let after = Self.waiting(fd, direction)
        let isFruitless = before >= 0 && (direction == .readable ? after >= before : after <= before && after >= 0)
        guard isFruitless else {
            fruitless = 0
            pause = 0
            return nil
        }
        fruitless += 1
        guard fruitless >= Self.fruitlessUntilPause else { return nil }
        pause = pause == 0 ? Self.shortestPause : min(2 * pause, Self.longestPause)
        return pause
    }

    /// True at the first pause, which is worth a line in the log.
    var isFirstPause: Bool { pause == Self.shortestPause }

    private static func waiting(_ fd: Int32, _ direction: IOHandle.Direction) -> Int32 {
        direction == .readable ? tandem_unread_bytes(fd) : tandem_unsent_bytes(fd)
    }
}
