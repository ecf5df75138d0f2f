// SPDX-License-Identifier: Apache-2.0
// NIOBench: swift-nio in a game with SDL, as a program does it today: event loops on threads of their own, whose results go to the main actor; the
//           main queue is pumped each frame. It speaks as TandemBench does.

import CBench
import Glibc

let workloads: [String: @MainActor (Options) throws -> Void] = [
    "smallframe": smallFrame,
    "server": server,
    "start": start,
]

let arguments = Array(CommandLine.arguments.dropFirst())
do {
    guard let name = arguments.first, let workload = workloads[name] else {
        throw Unsupported("the workloads are \(workloads.keys.sorted().joined(separator: ", "))")
    }
    try workload(try Options(arguments.dropFirst()))
    // The event loops' threads end with the process.
    exit(0)
} catch let error as Unsupported {
    complain(error.description)
    exit(3)
} catch {
    complain("\(error)")
    exit(1)
}

func complain(_ text: String) {
    let line = "NIOBench: \(text)\n"
    write(STDERR_FILENO, line, line.utf8.count)
}
