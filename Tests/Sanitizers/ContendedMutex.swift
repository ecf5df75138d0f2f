// SPDX-License-Identifier: Apache-2.0
// ContendedMutex: the proof for lines of .ci/races. Nothing of Tandem is in it: four threads add to a number under a
// mutex of the standard library. A thread that has to wait for it does so inside the library, which the thread sanitizer
// does not see into, so that it tells of a race. Few rounds are enough. Many can take half an hour: the kernel hands
// a contended mutex from one thread to the next.

import Foundation
import Synchronization

let sum = Mutex(0)
let rounds = 5_000
let threads = 4

let done = DispatchSemaphore(value: 0)
for _ in 0..<threads {
    Thread.detachNewThread {
        for _ in 0..<rounds { sum.withLock { $0 += 1 } }
        done.signal()
    }
}
for _ in 0..<threads { done.wait() }
let total = sum.withLock { $0 }
print("\(total) of \(threads * rounds) were added")
exit(total == threads * rounds ? 0 : 1)
