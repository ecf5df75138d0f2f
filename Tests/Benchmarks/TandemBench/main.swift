// SPDX-License-Identifier: Apache-2.0
// TandemBench: one workload, once, in one process.
//
//     TandemBench WORKLOAD key=value…
//
// prints lines of `metric unit value`; `runProgram` says how it ends.

runProgram("TandemBench", workloads)
