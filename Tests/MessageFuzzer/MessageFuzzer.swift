// SPDX-License-Identifier: Apache-2.0
// MessageFuzzer: what libFuzzer drives; built without it, a program that plays the files that are named, to see a finding again, and that writes the good
// messages from which libFuzzer begins.
// Owner:  the main thread.

import Foundation
import FuzzDriver
import MessageFuzz

/// Called by libFuzzer with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOne(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // Safe: libFuzzer's bytes live as long as this call.
    if let failure = MessageFuzz.play(Array(UnsafeBufferPointer(start: start, count: count))) { fatalError(failure) }
    return 0
}

#if FUZZING
    @main struct MessageFuzzer {
        static func main() { runLibFuzzer { fuzzOne($0, $1) } }
    }
#else
    @main struct MessageFuzzer {
        static func main() throws {
            let arguments = CommandLine.arguments.dropFirst()
            if arguments.count == 2, arguments.first == "--originals" {
                return try writeOriginals(URL(fileURLWithPath: arguments.last!))
            }
            guard !arguments.isEmpty else {
                print(
                    """
                    Usage: MessageFuzzer FILE…              plays each file's messages
                           MessageFuzzer --originals FOLDER  writes good messages there
                    To fuzz: make fuzz SECONDS=60
                    """)
                return
            }
            try playFiles(arguments) { MessageFuzz.play($0) }
        }

        private static func writeOriginals(_ folder: URL) throws {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            for reader in MessageFuzz.Reader.allCases {
                let messages = MessageFuzz.originals(reader)
                // Each alone, and all in turn.
                for (number, sequence) in (messages.map { [$0] } + [messages]).enumerated() {
                    try Data(MessageFuzz.sequence(reader, sequence))
                        .write(to: folder.appendingPathComponent("\(reader)-\(number)"))
                }
            }
        }
    }
#endif
