// SPDX-License-Identifier: Apache-2.0
// TandemBench: one workload, once, in one process.
//
//     TandemBench WORKLOAD key=value…
//
// prints lines of `metric unit value` and ends with 0. It ends with 3, and a sentence, where it has no such workload or no such
// driver here, and with 1 where the workload failed. Peers speak the same way, so that one runner can interleave them all.

import Glibc

let arguments = Array(CommandLine.arguments.dropFirst())
do {
    guard let name = arguments.first, let workload = workloads[name] else {
        throw Unsupported(
            "the workloads are \(workloads.keys.sorted().joined(separator: ", ")); keys are written as key=value")
    }
    try workload(try Options(arguments.dropFirst()))
} catch let error as Unsupported {
    complain(error.description)
    exit(3)
} catch {
    complain("\(error)")
    exit(1)
}

func complain(_ text: String) {
    let line = "TandemBench: \(text)\n"
    write(STDERR_FILENO, line, line.utf8.count)
}
