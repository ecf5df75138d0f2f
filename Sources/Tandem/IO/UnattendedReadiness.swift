// SPDX-License-Identifier: Apache-2.0
// UnattendedReadiness: what keeps a handler that does nothing from eating a whole core.
// Idea:   level-triggered data that nobody reads is reported at once, again and again. After a long run of reports for one watch
//         the loop compares what is unread (or, for a writer, unsent) before and after the handler. Several runs in a row that
//         moved nothing earn the watch a pause, which doubles up to a limit; one that moves something ends all that.
// Owner:  the UI thread. A busy, healthy descriptor pays two ioctl calls in 256 reports.

import TandemCLinux

/// Four bytes, as every watch has one.
struct Streak {
    private static let reportsUntilSuspicion: UInt16 = 256
    private static let fruitlessUntilPause: UInt8 = 3
    private static let shortestPause: Nanoseconds = 1_000_000
    /// Sixteen milliseconds are the longest.
    private static let mostPauses: UInt8 = 5

    private var reports: UInt16 = 0
    private var fruitless: UInt8 = 0
    /// How many pauses in a row, up to the one that is the longest.
    private var pauses: UInt8 = 0

    /// Called before the handler: how many bytes are waiting, if this report is one to be looked at.
    @inline(__always) mutating func begin(_ fd: Int32, _ direction: IOHandle.Direction) -> Int32? {
        reports &+= 1
        guard fruitless > 0 || pauses > 0 || reports % Self.reportsUntilSuspicion == 0 else { return nil }
        return Self.waiting(fd, direction)
    }

    /// Called after it with what `begin` gave: how long to leave the descriptor alone, if the handler moved nothing.
    mutating func end(_ fd: Int32, _ direction: IOHandle.Direction, before: Int32) -> Nanoseconds? {
        let after = Self.waiting(fd, direction)
        let isFruitless = before >= 0 && (direction == .readable ? after >= before : after <= before && after >= 0)
        guard isFruitless else {
            fruitless = 0
            pauses = 0
            return nil
        }
        fruitless = min(fruitless + 1, Self.fruitlessUntilPause)
        guard fruitless == Self.fruitlessUntilPause else { return nil }
        pauses = min(pauses + 1, Self.mostPauses)
        return Self.shortestPause << Nanoseconds(pauses - 1)
    }

    /// True at the first pause, which is worth a line in the log.
    var isFirstPause: Bool { pauses == 1 }

    private static func waiting(_ fd: Int32, _ direction: IOHandle.Direction) -> Int32 {
        direction == .readable ? tandem_unread_bytes(fd) : tandem_unsent_bytes(fd)
    }
}
