// SPDX-License-Identifier: Apache-2.0
// CallFuzzer: what libFuzzer drives; built without it, a program that plays the files that are named, to see a finding again.
// Owner:  the main thread.

import CallFuzz
import FuzzDriver

/// Called by libFuzzer with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOne(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // Longer ones say nothing new, and take their time.
    let bytes = Array(UnsafeBufferPointer(start: start, count: min(count, 512)))
    if let failure = CallFuzz.play(bytes) { fatalError("\(failure)\n\(CallSequence(bytes))") }
    return 0
}

#if FUZZING
    @main struct CallFuzzer {
        static func main() { runLibFuzzer { fuzzOne($0, $1) } }
    }
#else
    @main struct CallFuzzer {
        static func main() throws {
            guard CommandLine.arguments.count > 1 else {
                print("Usage: CallFuzzer FILE… plays each file's calls. To fuzz: make fuzz SECONDS=60")
                return
            }
            try playFiles(CommandLine.arguments.dropFirst()) { CallFuzz.play($0) }
        }
    }
#endif
