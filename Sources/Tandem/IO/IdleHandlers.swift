// SPDX-License-Identifier: Apache-2.0
// IdleHandlers: finds handlers that do nothing, and reports their descriptors less often, so that such a handler does
//               not use a whole core. No other handler is slowed down by it.
//
// A watch is level-triggered: data that nobody reads is reported again at once. A handler that does nothing has to be
// told from one that reads slowly, and from one whose peer sends as fast as it reads. Facts about Linux that this code
// rests on:
//  - FIONREAD gives the bytes that are unread in a pipe, a stream, a terminal and inotify; on a datagram socket the
//    size of the next datagram. A listening socket, an eventfd, a timerfd, a signalfd, a pidfd and a nested epoll set
//    do not answer. The number falls with each read, unless the peer has sent as much meanwhile.
//  - SIOCOUTQ (for a pipe: FIONREAD) gives the bytes that are unsent; a quick peer takes them at once. TCP_INFO counts
//    the bytes that were ever written.
//  - /proc/thread-self/io counts the bytes that this thread reads and writes by read(2) and write(2). Where the
//    descriptor is no socket, there is nothing else.
//  - An edge-triggered entry (EPOLLET) reports what the peer adds, and on a datagram socket also that something was
//    sent. It does not report what is merely still there. Setting it up reports once.
//  - A descriptor that does not tell its amount holds a limited number of items (a receive buffer, a backlog). A
//    handler that takes one at each report empties it, unless something new comes.
// Decision, in three steps:
//  1. Each 64th report is checked: a number that grows with the work done is read before and after the handler. If it
//     has grown, the handler works, and the next 64 reports are not checked.
//  2. The handler seems idle if 64 checks in a row (where no amount is known: as many reports as the descriptor can
//     hold items) have found no work, and, where it is no socket, four checks of the thread's own count. Then the entry
//     becomes edge-triggered for 1 ms. What the peer or the handler does is still reported at once, so that a handler
//     that works is not slowed down, whatever the numbers have failed to show. One that does nothing is called no more.
//  3. Then the entry is level-triggered again, so that nothing that is unread stays unreported. If nothing at all came
//     during the pause, the next pause begins after one report instead of 64 and is twice as long, up to 16 ms. After
//     three such pauses in a row it is certain, and logged once.
// What remains: a handler that does nothing is called for each change, as often as its peer makes one. A handler that
// reads nothing from its eventfd (or writes nothing to its pipe), but reads from (or writes to) some other file each
// time, is taken for one that works.
//
// Owner:  the UI thread. A busy descriptor whose handler works pays two to four small system calls in 64 reports.

import Logging
import TandemCLinux

/// Counts the reports of a watch, and says which of them are checked. Two bytes, since every watch has one.
struct Streak {
    private static let reportsUntilCheck: UInt8 = 64

    private var reports: UInt8 = 0
    /// Each report is checked, instead of one in 64.
    var checksEach = false

    /// Counts a report. Returns whether it is checked.
    @inline(__always) mutating func countReport() -> Bool {
        reports &+= 1
        return checksEach || reports % Self.reportsUntilCheck == 0
    }
}

/// Decides whether a handler does nothing. Pure: the numbers before and after its calls go in, a decision comes out.
struct IdleHandlerCheck {
    enum Verdict: Equatable {
        /// The handler works.
        case works
        /// Not known yet; go on checking.
        case unclear
        /// The handler seems idle: report changes only, for so many nanoseconds.
        case pause(Nanoseconds)
        /// Report changes only until the end of the present pause; an event for another watch may have ended that
        /// early.
        case pauseGoesOn
    }

    /// Which number is read before and after the handler: the kernel's for the descriptor, or the count of the thread.
    enum Sign { case kernel, thread }

    static let samples = 64
    /// Reports between two of these samples, where the kernel tells only whether the descriptor is ready.
    static let reportsPerSample = 64
    private static let leastBacklog: UInt32 = 16_384
    private static let threadSamples = 4
    private static let samplesAfterNews = 8
    private static let shortestPause: Nanoseconds = 1_000_000
    /// More than one: if the thread was not running during a pause, it may have missed what that brought.
    private static let quietPausesUntilCertain = 3
    /// Of the shortest pause: 16 ms are the longest.
    private static let mostDoublings = 4

    let work: tandem_work
    private let writes: Bool
    private(set) var sign = Sign.kernel
    private var hasAskedThread = false
    /// How many checks in a row have found no work, and after how many a pause begins.
    private var checksWithoutWork = 0
    private var checksUntilPause: Int
    private var pauses = 0
    private(set) var isPaused = false
    private var callsInPause = 0
    /// How many pauses in a row have brought nothing.
    private var quietPauses = 0

    init(_ work: tandem_work, writes: Bool) {
        self.work = work
        self.writes = writes
        checksUntilPause =
            work.kind == TANDEM_WORK_READINESS
            ? Int(max(work.backlog, Self.leastBacklog)) / Self.reportsPerSample : Self.samples
    }

    /// Whether every report is checked, or only one in 64.
    var checksEachReport: Bool { work.kind != TANDEM_WORK_READINESS || pauses > 0 || sign == .thread }

    /// The handler has run. `before` and `after` grow with the work done. Negative numbers of the thread: it does not
    /// count.
    mutating func judge(before: Int64, after: Int64) -> Verdict {
        if after > before { return .works }
        if sign == .thread, before < 0 {
            // A handler that writes to a pipe whose reader is quick leaves no trace.
            if writes { return .works }
            sign = .kernel
        }
        guard !isPaused else {
            callsInPause += 1
            return callsInPause % Self.samplesAfterNews == 0 ? .pauseGoesOn : .unclear
        }
        checksWithoutWork += 1
        guard checksWithoutWork >= checksUntilPause else { return .unclear }
        if !work.is_socket, !hasAskedThread {
            hasAskedThread = true
            sign = .thread
            checksUntilPause += Self.threadSamples
            return .unclear
        }
        isPaused = true
        callsInPause = 0
        pauses += 1
        return .pause(Self.shortestPause << Nanoseconds(min(pauses - 1, Self.mostDoublings)))
    }

    /// A pause ends. `hasSeenAll`: no report of the pause is still on its way. Returns whether the handler certainly
    /// does nothing.
    mutating func pauseEnds(hasSeenAll: Bool) -> Bool {
        // The change to an edge-triggered entry makes one report itself.
        let wasQuiet = hasSeenAll && callsInPause <= 1
        isPaused = false
        checksWithoutWork = 0
        quietPauses = wasQuiet ? quietPauses + 1 : 0
        let afterNews = work.kind == TANDEM_WORK_READINESS ? Self.samplesAfterNews * 32 : Self.samplesAfterNews
        checksUntilPause = wasQuiet ? 1 : afterNews
        return quietPauses >= Self.quietPausesUntilCertain
    }
}
