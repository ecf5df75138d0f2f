// SPDX-License-Identifier: Apache-2.0
// Limits: the least that Swift and the machine need for the work of one of Tandem's goals, for counting instructions.
//
//     Limits WORK n=COUNT key=value…
//
// does it so many times, and says so. What is counted is the difference of two runs.

import Glibc

let works: [String: @MainActor (Options) throws -> Void] = [
    "wait": countWaits, "call": countCalls, "job": countJobs, "primitive": countPrimitive, "idletick": countIdleTicks,
    "post": countPosts,
    "timer": countTimers, "io": countEvents, "wake": countWakes, "batch": countBatches,
]

do {
    let arguments = CommandLine.arguments.dropFirst()
    guard let name = arguments.first, let work = works[name] else {
        throw Unsupported("the works are \(works.keys.sorted().joined(separator: ", "))")
    }
    try work(Options(arguments.dropFirst()))
    // Tasks that would wait for more are left.
    exit(0)
} catch {
    let text = "Limits: \(error)\n"
    write(STDERR_FILENO, text, text.utf8.count)
    exit(1)
}
