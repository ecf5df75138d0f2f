// SPDX-License-Identifier: Apache-2.0
// Program: one workload, once, in one process. All programs of the bench speak the same way, so that one runner can interleave them.

import Glibc

/// Runs the workload that the command line names, with its `key=value`s, and ends the process, whatever threads it has: with 0; with 3, and a sentence, where
/// there is no such workload or no such driver here; with 1 where the workload failed.
@MainActor func runProgram(_ program: String, _ workloads: [String: @MainActor (Options) throws -> Void]) -> Never {
    let arguments = CommandLine.arguments.dropFirst()
    do {
        guard let name = arguments.first, let workload = workloads[name] else {
            throw Unsupported(
                "the workloads are \(workloads.keys.sorted().joined(separator: ", ")); keys are written as key=value")
        }
        try workload(try Options(arguments.dropFirst()))
        exit(0)
    } catch let error as Unsupported {
        complain(program, error.description)
        exit(3)
    } catch {
        complain(program, "\(error)")
        exit(1)
    }
}

private func complain(_ program: String, _ text: String) {
    let line = "\(program): \(text)\n"
    write(STDERR_FILENO, line, line.utf8.count)
}

/// How often a piece of work was done.
final class Tally: @unchecked Sendable {
    // Safe: used on one thread.
    var ran = 0
}
