// SPDX-License-Identifier: Apache-2.0
// LeastFrame: a game's small frame (W12) by the least Swift that does it, for counting instructions. Takes TandemBench's options of `smallframe`.

import Glibc

do {
    let options = try Options(CommandLine.arguments.dropFirst(2))
    if CommandLine.arguments.dropFirst().first == "events" { try countEvents(options) } else { try leastFrame(options) }
    exit(0)
} catch {
    let text = "LeastFrame: \(error)\n"
    write(STDERR_FILENO, text, text.utf8.count)
    exit(1)
}
