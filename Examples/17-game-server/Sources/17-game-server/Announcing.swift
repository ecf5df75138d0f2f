// SPDX-License-Identifier: Apache-2.0
// Announcing: what the server says on its standard output: where it can be reached.

import Foundation

/// On the standard output, at once: whoever started this process waits for it.
@Sendable nonisolated func announce(_ line: String) {
    try? FileHandle.standardOutput.write(contentsOf: Data("\(line)\n".utf8))
}
