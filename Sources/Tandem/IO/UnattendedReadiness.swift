// SPDX-License-Identifier: Apache-2.0
// UnattendedReadiness: what keeps a handler that does nothing from eating a whole core, and every other one from harm.
//
// Level-triggered data that nobody reads is reported at once, again and again. What tells a handler that reads slowly, or whose peer refills,
// from one that does nothing? Facts about Linux that this code rests on:
//  - FIONREAD is what is unread in a pipe, a stream, a terminal and inotify; on a datagram socket it is the next one's size; a listening socket,
//    eventfd, timerfd, signalfd, pidfd and a nested epoll set do not answer. It falls with each read, unless the peer has made up for it.
//  - SIOCOUTQ (a pipe: FIONREAD) is what is unsent; a quick peer takes it at once. TCP_INFO counts the bytes ever written.
//  - /proc/thread-self/io counts the bytes that this thread reads and writes by read(2) and write(2), which is all there is for what is no socket.
//  - An edge-triggered entry (EPOLLET) reports whatever the peer adds, and on a datagram socket what was sent; not what merely is still there.
//    Setting it up reports once.
//  - What does not tell its amount holds a limited number of items (a receive buffer, a backlog): a handler that takes one at each report runs
//    it dry unless something new comes.
// Decision, in three steps:
//  1. After 64 reports a look at what can be known before and after the handler: with any sign of work the watch is innocent for the next 64.
//  2. Without one, in 64 reports in a row (where no amount is known: in as many as the descriptor could hold items), and, where it is no socket, after
//     four looks at the thread's own count: the entry becomes edge-triggered for 1 ms. What the peer does, or the handler, is still
//     reported at once, so that a handler that works is not slowed, whatever the numbers failed to show; one that does nothing is quiet.
//  3. Then level-triggered again: nothing that is unread stays unreported. If nothing at all had come meanwhile, the next step to 2, for twice as
//     long, comes after one report instead of 64; 16 ms are the longest. After three such pauses in a row it is certain, and the log says so once.
// What remains: a handler that does nothing is called for each new edge, as often as its peer makes one. One that reads nothing from an eventfd
// (or writes nothing to a pipe), but reads from (writes to) some other file each time, is taken for one that works.
//
// Owner:  the UI thread. A busy, healthy descriptor pays two to four small system calls in 64 reports.

import Logging
import TandemCLinux

/// Two bytes, as every watch has one.
struct Streak {
    private static let reportsUntilSuspicion: UInt8 = 64

    private var reports: UInt8 = 0
    /// Each report is looked at.
    var isSuspected = false

    /// Is this report one to be looked at?
    @inline(__always) mutating func isDue() -> Bool {
        reports &+= 1
        return isSuspected || reports % Self.reportsUntilSuspicion == 0
    }
}

/// A watch that has shown no sign of work so far. Pure: what is seen goes in, what is to be done comes out.
struct Suspicion {
    enum Verdict: Equatable {
        /// It works.
        case innocent
        case unclear
        /// Report changes only, for so long.
        case slow(Nanoseconds)
        /// The same, as something has ended that early.
        case slowAgain
    }

    /// What is looked at before and after the handler.
    enum Sign { case kernel, thread }

    static let samples = 64
    /// Reports between two of these samples, where readiness is all that there is to see.
    static let reportsPerSample = 64
    private static let leastBacklog: UInt32 = 16_384
    private static let threadSamples = 4
    private static let samplesAfterNews = 8
    private static let shortestPause: Nanoseconds = 1_000_000
    /// A thread that is kept from running may miss what one pause has brought.
    private static let quietPausesUntilCertain = 3
    /// Sixteen milliseconds are the longest.
    private static let mostDoublings = 4

    let work: tandem_work
    private let writes: Bool
    private(set) var sign = Sign.kernel
    private var hasAskedThread = false
    /// In a row, without a sign of work.
    private var fruitless = 0
    private var fruitlessUntilSlow: Int
    private var pauses = 0
    private(set) var isSlowed = false
    private var callsWhileSlowed = 0
    /// In a row.
    private var quietPauses = 0

    init(_ work: tandem_work, writes: Bool) {
        self.work = work
        self.writes = writes
        fruitlessUntilSlow =
            work.kind == TANDEM_WORK_READINESS
            ? Int(max(work.backlog, Self.leastBacklog)) / Self.reportsPerSample : Self.samples
    }

    /// Whether every report is to be looked at, or only one now and then.
    var isDense: Bool { work.kind != TANDEM_WORK_READINESS || pauses > 0 || sign == .thread }

    /// After a handler. The numbers grow with the work done; negative ones of the thread: it does not count.
    mutating func judge(before: Int64, after: Int64) -> Verdict {
        if after > before { return .innocent }
        if sign == .thread, before < 0 {
            // Nothing can be known of one that writes to a pipe whose reader is quick.
            if writes { return .innocent }
            sign = .kernel
        }
        guard !isSlowed else {
            callsWhileSlowed += 1
            return callsWhileSlowed % Self.samplesAfterNews == 0 ? .slowAgain : .unclear
        }
        fruitless += 1
        guard fruitless >= fruitlessUntilSlow else { return .unclear }
        if !work.is_socket, !hasAskedThread {
            hasAskedThread = true
            sign = .thread
            fruitlessUntilSlow += Self.threadSamples
            return .unclear
        }
        isSlowed = true
        callsWhileSlowed = 0
        pauses += 1
        return .slow(Self.shortestPause << Nanoseconds(min(pauses - 1, Self.mostDoublings)))
    }

    /// The time is over. `hasSeenAll`: no report of that time is still on its way. `true`: the handler does nothing.
    mutating func pauseEnds(hasSeenAll: Bool) -> Bool {
        // One report is what slowing down itself makes.
        let wasQuiet = hasSeenAll && callsWhileSlowed <= 1
        isSlowed = false
        fruitless = 0
        quietPauses = wasQuiet ? quietPauses + 1 : 0
        let afterNews = work.kind == TANDEM_WORK_READINESS ? Self.samplesAfterNews * 32 : Self.samplesAfterNews
        fruitlessUntilSlow = wasQuiet ? 1 : afterNews
        return quietPauses >= Self.quietPausesUntilCertain
    }
}
