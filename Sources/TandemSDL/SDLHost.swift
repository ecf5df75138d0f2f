// SPDX-License-Identifier: Apache-2.0
// SDLHost: the part of the host that other threads call: it wakes the UI thread where that sleeps.
// Idea:   while the UI thread waits on our semaphore, the semaphore is all that is signalled; else the SDL event is pushed, which
//         wakes SDL's own wait and any loop that takes SDL's events.
// Order:  the UI thread says that it waits, then looks at the loop; a request announces its work, then looks whether somebody
//         waits. One of the two sees the other.
// Owner:  `requestTick` runs on any thread; the waits are the UI thread's.

import Synchronization
import Tandem

final class SDLHost: GuestHost {
    private let eventType: UInt32
    private let isWaiting = Atomic<Bool>(false)
    let semaphore = Semaphore()

    init(eventType: UInt32) {
        self.eventType = eventType
    }

    func requestTick() -> Bool {
        if isWaiting.load(ordering: .sequentiallyConsistent) {
            semaphore.signal()
            return true
        }
        return AsyncioMessage.push(eventType)
    }

    /// UI thread: `body` may wait on the semaphore, after it has looked at the loop.
    @MainActor
    func whileWaiting<Result>(_ body: () -> Result) -> Result {
        isWaiting.store(true, ordering: .sequentiallyConsistent)
        defer { isWaiting.store(false, ordering: .sequentiallyConsistent) }
        // Signals of an earlier wait have been answered.
        while semaphore.tryWait() {}
        return body()
    }
}
