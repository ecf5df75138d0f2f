// SPDX-License-Identifier: Apache-2.0
// LeastFrame: a game's small frame (W12) by the least Swift that does it, for counting instructions. Takes TandemBench's options of `smallframe`.

runProgram("LeastFrame", ["smallframe": leastFrame, "events": countEvents])
