// SPDX-License-Identifier: Apache-2.0
// TimerHeap: which timer is next.
// Idea:   a 4-ary heap, ordered by deadline and, for equal deadlines, by the order of arming. Each handle knows its place, so
//         that cancelling one removes it at once instead of leaving a gravestone.
// Owner:  the UI thread. The backend sees only the first deadline, as one published number.
// Breaks: a handle whose place is stale would remove somebody else's timer; `checkInvariants` looks for that.
//
// Four children instead of two: half the levels, and the four are neighbours in memory (LaMarca and Ladner,
// "The Influence of Caches on the Performance of Heaps", 1996).

struct TimerHeap {
    private struct Entry {
        let deadline: Nanoseconds
        let sequence: UInt64
        let handle: CallbackHandle

        func isBefore(_ other: Entry) -> Bool {
            deadline != other.deadline ? deadline < other.deadline : sequence < other.sequence
        }
    }

    private var entries: [Entry] = []
    private var nextSequence: UInt64 = 0

    var count: Int { entries.count }

    /// The nearest deadline; `never` without timers.
    var firstDeadline: Nanoseconds { entries.first?.deadline ?? .never }

    /// Adds a timer. O(log n).
    mutating func insert(_ handle: CallbackHandle, deadline: Nanoseconds) {
        let entry = Entry(deadline: deadline, sequence: nextSequence, handle: handle)
        nextSequence += 1
        entries.append(entry)
        siftUp(from: entries.count - 1)
    }

    /// Removes and returns the first timer if its deadline has come. O(log n).
    mutating func popDue(at now: Nanoseconds) -> CallbackHandle? {
        // `never` is not a time that comes.
        guard let first = entries.first, first.deadline <= now, first.deadline != .never else { return nil }
        remove(first.handle)
        return first.handle
    }

    /// Removes a timer that is in the heap. O(log n).
    mutating func remove(_ handle: CallbackHandle) {
        let index = handle.heapIndex
        precondition(index >= 0 && entries[index].handle === handle, "a timer's place in the heap is stale")
        handle.heapIndex = -1
        let last = entries.removeLast()
        guard index < entries.count else { return }
        place(last, at: index)
        if index > 0, last.isBefore(entries[(index - 1) / 4]) {
            siftUp(from: index)
        } else {
            siftDown(from: index)
        }
    }

    /// Empties the heap and returns what was in it, in no order.
    mutating func removeAll() -> [CallbackHandle] {
        let handles = entries.map(\.handle)
        for handle in handles { handle.heapIndex = -1 }
        entries = []
        return handles
    }

    /// What is in the heap, in the order in which it is due. O(n log n); for reports.
    var inOrder: [(handle: CallbackHandle, deadline: Nanoseconds)] {
        entries.sorted { $0.isBefore($1) }.map { ($0.handle, $0.deadline) }
    }

    /// The tasks that sleep, in the order in which they are due. O(n log n).
    var waiters: [Waiter] {
        entries.sorted { $0.isBefore($1) }.compactMap {
            if case .resume(let waiter) = $0.handle.action { waiter } else { nil }
        }
    }

    private mutating func place(_ entry: Entry, at index: Int) {
        entries[index] = entry
        entry.handle.heapIndex = index
    }

    private mutating func siftUp(from start: Int) {
        var index = start
        let entry = entries[index]
        while index > 0 {
            let parent = (index - 1) / 4
            guard entry.isBefore(entries[parent]) else { break }
            place(entries[parent], at: index)
            index = parent
        }
        place(entry, at: index)
    }

    private mutating func siftDown(from start: Int) {
        var index = start
        let entry = entries[index]
        while true {
            var least = 4 * index + 1
            guard least < entries.count else { break }
            for child in least..<Swift.min(least + 4, entries.count) where entries[child].isBefore(entries[least]) {
                least = child
            }
            guard entries[least].isBefore(entry) else { break }
            place(entries[least], at: index)
            index = least
        }
        place(entry, at: index)
    }
}

extension TimerHeap {
    /// Traps unless every entry is after its parent and every handle knows its place. O(n); for tests.
    func checkInvariants() {
        for (index, entry) in entries.enumerated() {
            precondition(
                entry.handle.heapIndex == index, "the handle at \(index) thinks it is at \(entry.handle.heapIndex)")
            precondition(
                index == 0 || !entry.isBefore(entries[(index - 1) / 4]), "the entry at \(index) is before its parent")
        }
    }
}
