// SPDX-License-Identifier: Apache-2.0
// Misuse: warnings about a program that blocks the UI thread, never ticks the loop, or ticks it from inside a tick.
// Idea:   none of them is an error of the loop, but each looks like one, since nothing happens any more. So the log
//         names the cause, once.
// Owner:  the UI thread.

import Logging

extension GuestLoop {
    /// A callback or job that takes this long has blocked the thread: no frame was drawn meanwhile. In nanoseconds.
    static let blockingTime: Nanoseconds = 1_000_000_000

    /// One callback, or one job of a task, has taken `time`.
    @inline(never) func reportBlockedThread(_ time: Nanoseconds) {
        // A watchdog has said it, while it was so.
        guard configuration.watchdog == nil, instruments.noteBlockedThread() else { return }
        configuration.logger.warning(
            "one callback, or one task between two awaits, kept the UI thread for \(Duration.nanoseconds(time)); meanwhile no frame was drawn and nothing else of the loop ran. Put long work and calls that block (a lookup, a lock, a slow file) into offload { }, and a loop that waits into runModal { }. Configuration.watchdog names what it is, with the stack, while it runs. This is said once; Statistics.longestCallback has the longest."
        )
    }

    /// Called when the loop closes: warns if its host has never ticked it although there was work.
    func reportForgottenTicks() {
        guard instruments.statistics.ticks == 0,
            hasAcceptedWork || timers.count > 0 || !members.runs.isEmpty
        else { return }
        configuration.logger.warning(
            "the loop made at \(site) closes with work waiting, and tick() was never called on it; call it once a frame, and whenever requestTick() of the host was called"
        )
    }

    /// `tick` was called inside a tick that is not paused for a modal loop: runs nothing, and says so.
    func refuseNestedTick() -> TickReport {
        // Logged once, since an inner loop would otherwise log it in each of its frames.
        if instruments.countNestedTick() {
            logger.warning(
                "tick() was called from inside a tick, by a callback or a task, and ran nothing; put an inner loop into runModal { }, which steps out of the tick. This is said once; Statistics.nestedTicks counts."
            )
        }
        var report = TickReport()
        report.isNested = true
        return report
    }
}
