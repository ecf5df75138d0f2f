// SPDX-License-Identifier: Apache-2.0
// Schedules: plays schedules of the real code, from seeds. `Tests/Schedules/run` builds and starts it.
//
//     Schedules --scenario asked --first 1 --count 1000 [--mutant NAME]
//     Schedules --scenario asked --first 17 --count 1 --trace       every step of one schedule
//
// Ends with 1 at the first schedule that fails, with its seed, the reason and the last steps.

import Tandem

var options = Options()
options.read(CommandLine.arguments.dropFirst())
Mutant.current = options.mutant
installAlarm()

let clock = ContinuousClock()
let began = clock.now
var (steps, digest, longest) = (0, UInt64(14_695_981_039_346_656_037), 0)
for seed in options.first..<options.first + options.count {
    let trace = play(options.scenario, seed: seed, showsTrace: options.showsTrace)
    steps += trace.count
    longest = max(longest, trace.count)
    if options.digests { digest = digest &* 1_099_511_628_211 ^ digestOf(trace) }
}
let taken = clock.now - began
let each = taken / Double(max(options.count, 1)) / .microseconds(1)
print(
    "\(options.scenario.rawValue): \(options.count) schedules, \(steps / Int(max(options.count, 1))) steps on average, \(longest) at most, \(Int(each)) us each"
        + (options.digests ? ", digest \(String(digest, radix: 16))" : ""))
