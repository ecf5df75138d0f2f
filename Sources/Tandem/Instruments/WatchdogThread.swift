// SPDX-License-Identifier: Apache-2.0
// WatchdogThread: looks at the UI thread now and then.
// Idea:   the UI thread stores a number and a place at each beginning and end; this thread looks whether the number stands still. It is a thread of its
//         own since what it does may block (a logger, a report of the user's), and the backend must not.
// Owner:  `WatchdogProbe` is the UI thread's; `Watched` is atomic; the rest is the watchdog's thread.
// Breaks: a probe that is not told of an end would have the loop's own waits reported.

import Glibc
import Logging
import Synchronization
import TandemCLinux

/// What the UI thread does at the moment, for another thread to see.
final class Watched: Sendable {
    private let sequence = Atomic<UInt64>(0)
    private let place = Atomic<UInt64>(0)
    private let activity = Atomic<UInt8>(.max)

    /// UI thread: nothing that is watched runs, or this does.
    func store(_ new: Activity?, _ site: CallSite) {
        // The number is stored last: whoever sees it sees what belongs to it, or something later, with a later number.
        place.store(site.bits, ordering: .relaxed)
        activity.store(new?.rawValue ?? .max, ordering: .relaxed)
        sequence.store(sequence.load(ordering: .relaxed) &+ 1, ordering: .releasing)
    }

    /// Any thread. Of two changes at a time the parts may be mixed, which the next look finds out: the number has changed.
    var present: (sequence: UInt64, activity: Activity?, site: CallSite?) {
        let number = sequence.load(ordering: .acquiring)
        let site = CallSite(bits: place.load(ordering: .relaxed)).known
        return (number, Activity(rawValue: activity.load(ordering: .relaxed)), site)
    }
}

/// Tells the watchdog what begins and ends.
final class WatchdogProbe {
    private let watched = Watched()
    private let watchdog: Watchdog
    private let logger: Logger
    private let thread = tandem_thread_id()
    private var watch: WatchdogThread?
    /// What was reported.
    let log = WatchdogLog()

    init(_ watchdog: Watchdog, logger: Logger) {
        self.watchdog = watchdog
        self.logger = logger
    }

    /// Begins to watch, once the loop has what both threads share.
    func start(_ shared: SharedState) {
        watch = WatchdogThread(watchdog, watched, shared, log, logger: logger, uiThread: thread)
    }

    /// What the UI thread does from here on; `nil`: nothing that is known of.
    func present(_ present: OpenActivity?) {
        if let present, present.activity.isWatched {
            watched.store(present.activity, present.site)
        } else {
            watched.store(nil, .unknown)
        }
    }

    func loopEnded() {
        watch?.stop()
        watch = nil
    }
}

/// The thread that looks.
final class WatchdogThread: Sendable {
    private let watchdog: Watchdog
    private let watched: Watched
    private let shared: SharedState
    private let log: WatchdogLog
    private let logger: Logger
    private let uiThread: Int32
    private let ending = Semaphore()
    // Safe: written in `init`, before anybody else has this.
    private nonisolated(unsafe) var thread = pthread_t()

    /// `nil` if the kernel has no thread to give, which the log says.
    init?(
        _ watchdog: Watchdog, _ watched: Watched, _ shared: SharedState, _ log: WatchdogLog, logger: Logger,
        uiThread: Int32
    ) {
        self.watchdog = watchdog
        self.watched = watched
        self.shared = shared
        self.log = log
        self.logger = logger
        self.uiThread = uiThread
        if watchdog.takesStack, !tandem_stack_prepare() {
            logger.notice("the program handles SIGURG by itself, so that the watchdog's reports have no stack")
        }
        let argument = Unmanaged.passRetained(self)  // Safe: balanced in the thread's body, or just below.
        let failure = tandem_thread_start(
            &thread, "tandem-watchdog",
            { argument in
                // Safe: takes over the reference that was retained for this thread.
                Unmanaged<WatchdogThread>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            }, argument.toOpaque())
        guard failure == 0 else {
            argument.release()
            logger.warning("the watchdog's thread could not be started (errno \(failure)); nobody watches")
            return nil
        }
    }

    func stop() {
        ending.signal()
        pthread_join(thread, nil)
    }

    private func run() {
        var judge = WatchdogJudge(watchdog)
        let interval = max(.milliseconds(1), min(watchdog.limit, watchdog.tickLimit) / 4)
        while !ending.wait(for: interval) {
            let present = watched.present
            let look = WatchdogJudge.Look(
                now: tandem_trace_clock(), sequence: present.sequence, isWatched: present.activity != nil,
                isAsking: shared.isAskingForTick)
            switch judge.judge(look) {
            case .runs(let time, let leftOut): report(present.activity, present.site, time, leftOut)
            case .isNotTicked(let time, let leftOut): report(nil, nil, time, leftOut)
            case nil: break
            }
        }
    }

    private func report(_ activity: Activity?, _ site: CallSite?, _ time: Nanoseconds, _ leftOut: Int) {
        let report = WatchdogReport(
            activity: activity.map { "\($0.title)" }, site: site, duration: .nanoseconds(time), stack: stack(),
            leftOut: leftOut, time: .now)
        log.add(report)
        if let tell = watchdog.report { tell(report) } else { logger.warning("\(report)") }
    }

    private func stack() -> [String] {
        guard watchdog.takesStack, tandem_stack_prepare() else { return [] }
        return withUnsafeTemporaryAllocation(of: UnsafeMutableRawPointer?.self, capacity: 64) { frames in
            let count = Int(tandem_stack_of(uiThread, frames.baseAddress!, 64, 200_000_000))
            // The first two are the handler and what the kernel calls it by.
            return frames.prefix(count).dropFirst(2).compactMap { frame in
                guard let text = tandem_stack_frame(frame) else { return nil }
                defer { free(text) }
                return String(cString: text)
            }
        }
    }
}
