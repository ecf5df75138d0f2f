// SPDX-License-Identifier: Apache-2.0
// ResumedBeforeItSuspends: the proof for a line of .ci/races. Nothing of Tandem is in it: a thread writes a value and
// resumes the continuation of a task that has not suspended yet; the task reads the value. The continuation orders the
// two, but the thread sanitizer tells of a race.

import Foundation

// Safe: written before the continuation is resumed, read after the wait.
final class Value: @unchecked Sendable { var number = 0 }

let rounds = 200
Task.detached {
    var sum = 0
    for _ in 0..<rounds {
        let value = Value()
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            Thread.detachNewThread {
                value.number = 1
                continuation.resume()
            }
            // The other thread is done before this task suspends.
            usleep(300)
        }
        sum += value.number
    }
    print("\(sum) of \(rounds) values were read")
    exit(sum == rounds ? 0 : 1)
}
dispatchMain()
