// SPDX-License-Identifier: Apache-2.0
// Watchdog: what is said of code that keeps the UI thread, while it does.

import TandemCLinux

/// Watches the UI thread, and reports what keeps it while it still runs: where it was scheduled, for how long it has run, and the thread's stack.
///
/// ```swift
/// var configuration = Configuration()
/// configuration.watchdog = Watchdog()
/// ```
///
/// It has a thread of its own, which wakes four times in ``limit``. The UI thread does not look at a clock for it: it writes down what it begins and
/// ends. So it costs little, but for the stack: that is taken by sending the UI thread a signal (SIGURG), which ends a call that blocks there with
/// `EINTR`, as any signal does. Meant for development.
public struct Watchdog: Sendable {
    /// How long a callback, a job, a handler, or a frame's events, update or drawing may run. Two frames at 60 Hz would be 33 ms.
    public var limit: Duration
    /// How long the loop may wait for a tick that it has asked for.
    public var tickLimit: Duration
    /// Whether a report has the UI thread's stack.
    public var takesStack: Bool
    /// The distance of two reports. What is left out meanwhile is counted.
    public var minimumInterval: Duration
    /// Gets the reports, on the watchdog's thread. `nil`: the loop's logger, as warnings.
    public var report: (@Sendable (WatchdogReport) -> Void)?

    /// The defaults but for what is named.
    public init(
        limit: Duration = .milliseconds(100), tickLimit: Duration = .seconds(2), takesStack: Bool = true,
        minimumInterval: Duration = .seconds(1), report: (@Sendable (WatchdogReport) -> Void)? = nil
    ) {
        self.limit = limit
        self.tickLimit = tickLimit
        self.takesStack = takesStack
        self.minimumInterval = minimumInterval
        self.report = report
    }
}

extension GuestLoop {
    /// What the watchdog has reported lately, the oldest first, at most 32; empty without a watchdog. UI thread.
    public var watchdogReports: [WatchdogReport] {
        thread.check("GuestLoop.watchdogReports")
        return instruments.watchdog?.log.reports ?? []
    }
}

/// The last reports, for whoever asks later.
final class WatchdogLog: Sendable {
    private static let kept = 32
    private let lock = Lock()
    // Safe: read and written only while `lock` is held.
    private nonisolated(unsafe) var kept: [WatchdogReport] = []

    var reports: [WatchdogReport] {
        lock.lock()
        defer { lock.unlock() }
        return kept
    }

    func add(_ report: WatchdogReport) {
        lock.lock()
        defer { lock.unlock() }
        if kept.count == Self.kept { kept.removeFirst() }
        kept.append(report)
    }
}

/// Something that keeps the UI thread.
public struct WatchdogReport: Sendable, CustomStringConvertible {
    /// What it is: "timer", "job", "update", …; `nil`: the loop has asked for a tick and gets none.
    public let activity: String?
    /// Where it was scheduled; of a job, where its task had waited or was started. `nil` where nobody knows.
    public let site: CallSite?
    /// For how long it has run, or the loop has waited.
    public let duration: Duration
    /// The UI thread's stack, the innermost function first. A function of an executable has its name only if the program was linked with
    /// `-Xlinker --export-dynamic`; without that, the file and an offset, which `addr2line -f -e` turns into a function and a line. Empty if the
    /// stack was not to be had: the thread blocks the signal, or the program handles SIGURG by itself.
    public let stack: [String]
    /// How many reports were left out since the last one.
    public let leftOut: Int
    /// When it was made, by the machine's clock.
    public let time: ContinuousClock.Instant

    /// In some lines: what, since when, and the stack.
    public var description: String {
        var text: String
        if let activity {
            text =
                "a \(activity)\(site.map { " scheduled at \($0)" } ?? "") has kept the UI thread for \(duration.inWords), and still does"
        } else {
            text =
                "the loop asked for a tick \(duration.inWords) ago and has not got one: its host does something else; call tick() once a frame"
        }
        if leftOut > 0 { text += " (\(leftOut) reports before this one were left out)" }
        return ([text] + stack.map { "    \($0)" }).joined(separator: "\n")
    }
}

/// When there is something to report. Pure, and tested alone.
struct WatchdogJudge {
    /// What one look at the UI thread has found.
    struct Look {
        let now: Nanoseconds
        /// A number that changes with each activity that begins or ends.
        let sequence: UInt64
        /// Something runs that ought to end soon.
        let isWatched: Bool
        /// The loop has asked for a tick and has not got it.
        let isAsking: Bool
    }

    enum Verdict: Equatable {
        case runs(Nanoseconds, leftOut: Int)
        case isNotTicked(Nanoseconds, leftOut: Int)
    }

    private let limit: Nanoseconds
    private let tickLimit: Nanoseconds
    private let minimumInterval: Nanoseconds
    private var sequence: UInt64 = .max
    /// When this sequence number was first seen.
    private var since: Nanoseconds = 0
    private var askingSince: Nanoseconds?
    private var hasReported = false
    private var lastReport: Nanoseconds?
    private var leftOut = 0

    init(_ watchdog: Watchdog) {
        limit = max(1, watchdog.limit.nanosecondsRoundedUp)
        tickLimit = max(1, watchdog.tickLimit.nanosecondsRoundedUp)
        minimumInterval = watchdog.minimumInterval.nanosecondsRoundedUp
    }

    /// Each stretch is reported once.
    mutating func judge(_ look: Look) -> Verdict? {
        if look.sequence != sequence {
            sequence = look.sequence
            since = look.now
            askingSince = nil
            hasReported = false
        }
        guard look.isAsking, !look.isWatched else {
            askingSince = nil
            guard look.isWatched, !hasReported, look.now - since >= limit else { return nil }
            return mayReport(look.now) ? .runs(look.now - since, leftOut: takeLeftOut()) : nil
        }
        let began = askingSince ?? look.now
        askingSince = began
        guard !hasReported, look.now - began >= tickLimit else { return nil }
        return mayReport(look.now) ? .isNotTicked(look.now - began, leftOut: takeLeftOut()) : nil
    }

    private mutating func mayReport(_ now: Nanoseconds) -> Bool {
        hasReported = true
        if let lastReport, now - lastReport < minimumInterval {
            leftOut += 1
            return false
        }
        lastReport = now
        return true
    }

    private mutating func takeLeftOut() -> Int {
        defer { leftOut = 0 }
        return leftOut
    }
}
