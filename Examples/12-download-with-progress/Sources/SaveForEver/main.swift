// SPDX-License-Identifier: Apache-2.0
// SaveForEver: saves to the file that is named, again and again, until it is killed. The n-th save is full of n, and longer than the last.

import Downloading
import Glibc
import NIOCore
import SystemPackage

// Nobody may be left to kill it.
alarm(60)
let path = FilePath(CommandLine.arguments[1])
for number in 1... {
    try await replaceFile(at: path) { file in
        for _ in 0..<(16 + number % 16) {
            try await file.write(ByteBuffer(repeating: UInt8(truncatingIfNeeded: number), count: 16_384))
        }
    }
    // The test waits for the first one.
    if number == 1 { _ = try FileDescriptor.standardOutput.writeAll("saved".utf8) }
}
