// SPDX-License-Identifier: Apache-2.0
// LeastFrame: a game's small frame (W12) by the least Swift that does it, and the server (W13), the start (W14) and bursts of timers. Takes TandemBench's options.

runProgram(
    "LeastFrame",
    [
        "smallframe": leastFrame, "server": leastServer, "start": leastStart, "burst/timers": leastBurstOfTimers,
        "events": countEvents,
    ])
