// SPDX-License-Identifier: Apache-2.0
// LateJobs: what happens to a Swift job that reaches a loop after its close.
// Idea:   if the job were dropped, its task, and everybody who awaits the task, would wait for ever. If it ran on the
//         thread that enqueued it, it could deadlock inside the runtime. So such jobs run one at a time, on one queue
//         of the process, so that no two of them run at once, and a warning in the log says that the loop was closed
//         too early.
// Owner:  any thread. A wait on the closed loop throws at once, so that such a task comes to its end.

import Dispatch
import Logging

enum LateJobs {
    private static let queue = DispatchQueue(label: "tandem-late-jobs")

    /// Runs `body` on the same queue, so that it does not run at the same time as a late job.
    static func run(_ body: @escaping @Sendable () -> Void) { queue.async(execute: body) }

    static func run(_ job: UnownedJob, logger: Logger, _ body: @escaping @Sendable (UnownedJob) -> Void) {
        logger.warning(
            "a task went on after its loop had closed; it runs off the UI thread now. Await or cancel it before close()."
        )
        queue.async { body(job) }
    }
}
