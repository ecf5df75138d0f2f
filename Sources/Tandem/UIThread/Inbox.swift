// SPDX-License-Identifier: Apache-2.0
// Inbox: where other threads leave work for the UI thread.
// Idea:   a locked array that the UI thread swaps for an empty one, so that the lock is held for a moment however much arrived.
// Owner:  filled on any thread, emptied on the UI thread.
// Breaks: work taken in after the last emptying would never run; `close` therefore decides under the same lock.

import CLinux
import Synchronization

final class Inbox: Sendable {
    struct Entry {
        let work: Work
        let readyAt: Nanoseconds
    }

    /// What the inbox still takes.
    private enum Door { case open, jobsOnly, closed }

    private struct State {
        var door = Door.open
        var entries: [Entry] = []
    }

    private let lock = Lock()
    // Safe: touched with `lock` held, and nowhere else.
    private nonisolated(unsafe) var state = State()
    // Safe: UI thread only; what was swapped out last, and how much of it has been moved on. Kept, so that a steady state
    // allocates nothing.
    private nonisolated(unsafe) var taken: [Entry] = []
    private nonisolated(unsafe) var moved = 0
    // Safe: UI thread only; the inbox has been announced, and not looked into since.
    private nonisolated(unsafe) var isAnnounced = false
    /// Signalled for each entry once somebody waits for them (a loop that closes).
    let arrivals = Semaphore()

    /// Any thread: takes the entry in, or says that it is too late.
    func append(_ work: Work) -> Bool {
        let entry = Entry(work: work, readyAt: LoopClock.machine)
        lock.lock()
        defer { lock.unlock() }
        switch state.door {
        case .open: break
        case .jobsOnly:
            guard case .job = work else { return false }
            arrivals.signal()
        case .closed: return false
        }
        state.entries.append(entry)
        return true
    }

    /// UI thread: moves what has arrived into the queue, in order of arrival, at most `limit` of it: a flood must not keep a tick
    /// beyond its budget. Returns how much was moved.
    func empty(into queue: TaskQueue, limit: Int = .max) -> Int {
        if moved == taken.count { swapOut() }
        let end = limit < taken.count - moved ? moved + limit : taken.count
        let count = end - moved
        for index in moved..<end { queue.append(taken[index].work, readyAt: taken[index].readyAt) }
        moved = end
        return count
    }

    /// UI thread: there is more than the last pass moved.
    var hasLeftovers: Bool { isAnnounced || moved < taken.count }
    var leftovers: Int { taken.count - moved }

    /// UI thread: there is something to look at. Remembered, as a pass may have to finish with the last look first.
    func announce() { isAnnounced = true }

    private func swapOut() {
        isAnnounced = false
        moved = 0
        if taken.capacity > 4096 {
            taken = []  // A rare flood does not keep its memory.
        } else {
            taken.removeAll(keepingCapacity: true)
        }
        lock.lock()
        swap(&state.entries, &taken)
        lock.unlock()
    }

    /// Takes no more posts, but still the jobs of tasks that are ending.
    func closeToPosts() {
        lock.lock()
        defer { lock.unlock() }
        state.door = .jobsOnly
    }

    /// Takes nothing more.
    func close() {
        lock.lock()
        defer { lock.unlock() }
        state.door = .closed
    }

    /// UI thread.
    var isEmpty: Bool {
        lock.lock()
        defer { lock.unlock() }
        return state.entries.isEmpty && !hasLeftovers
    }
}

/// A lock that the thread sanitizer sees; see the facts about `Mutex` under contention.
final class Lock: Sendable {
    // Safe: allocated once at a stable address, freed in deinit.
    private nonisolated(unsafe) let raw: UnsafeMutablePointer<pthread_mutex_t>

    init() {
        raw = .allocate(capacity: 1)
        pthread_mutex_init(raw, nil)
    }

    deinit {
        pthread_mutex_destroy(raw)
        raw.deallocate()
    }

    func lock() { pthread_mutex_lock(raw) }
    func unlock() { pthread_mutex_unlock(raw) }
}
