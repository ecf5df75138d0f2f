// SPDX-License-Identifier: Apache-2.0
// Limits: the least that Swift and the machine need for the work of one of Tandem's goals, for counting instructions.
//
//     Limits WORK n=COUNT key=value…
//
// does it so many times, and says so. What is counted is the difference of two runs. Tasks that would wait for more are left.

runProgram(
    "Limits",
    [
        "wait": countWaits, "call": countCalls, "job": countJobs, "primitive": countPrimitive,
        "idletick": countIdleTicks, "post": countPosts, "timer": countTimers, "io": countEvents, "wake": countWakes,
        "batch": countBatches,
    ])
