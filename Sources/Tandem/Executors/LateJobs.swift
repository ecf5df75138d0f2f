// SPDX-License-Identifier: Apache-2.0
// LateJobs: the fate of a Swift job that reaches a loop after its close.
// Idea:   dropping it would leave its task, and whoever awaits that, waiting for ever; running it where it was enqueued could
//         deadlock inside the runtime. It runs, one at a time, on one queue of the process, so that isolation still holds, and
//         a line in the log names the loop's end as what to mend.
// Owner:  any thread. Waits of the closed loop throw at once, so that such a task comes to its end.

import Dispatch
import Logging

enum LateJobs {
    private static let queue = DispatchQueue(label: "tandem-late-jobs")

    /// What is not to run beside a late job.
    static func run(_ body: @escaping @Sendable () -> Void) { queue.async(execute: body) }

    static func run(_ job: UnownedJob, logger: Logger, _ body: @escaping @Sendable (UnownedJob) -> Void) {
        logger.warning(
            "a task went on after its loop had closed; it runs off the UI thread now. Await or cancel it before close()."
        )
        queue.async { body(job) }
    }
}
