// SPDX-License-Identifier: Apache-2.0
// TimerHeap: timers, ordered by deadline.
// Idea:   a timer takes 16 bytes: its deadline and the number of its record. Of timers with equal deadlines, the record
//         says which was armed first. Timers up to a certain deadline, the horizon, form a 4-ary heap; the later ones
//         are behind it in the same array, in no order. When the heap is empty, the nearest eighth of the others moves
//         into it. So arming a timer beyond the horizon is an append, and a timer that is cancelled long before its
//         deadline never costs more than that. A cancelled timer's entry stays in the array until it comes to the top,
//         or until half of all entries are cancelled. So nobody has to know where an entry is, and moving one touches
//         the array only. The entry at the top is never a cancelled one.
// Owner:  the UI thread. The backend reads only the nearest deadline, which is published as one number.
// Breaks: a record must not be freed while its number is in the heap, so only this type frees the records of its
//         timers.
//
// Each entry has four children instead of two, which halves the number of levels, and the four are in one cache line
// (LaMarca and Ladner, "The Influence of Caches on the Performance of Heaps", 1996).

final class TimerHeap {
    private struct Entry {
        let deadline: Nanoseconds
        let slot: UInt32
    }

    private static let leastCapacity = 60
    /// With fewer cancelled entries than this the heap is not cleaned.
    private static let leastCancelled = 64
    /// With at most this many timers the whole array is a heap, which fits into the nearest cache, and there is no
    /// horizon.
    private static let smallHeap = 512
    /// How many deadlines are sampled to choose a new horizon, so that all timers need not be sorted.
    private static let sampleSize = 32

    private let table: CallbackTable
    // Safe: allocated in `grow`, filled up to `stored`, freed in deinit. The fourth entry of the block is the heap's
    // first, so that the children of each entry share a cache line.
    @exclusivity(unchecked) private var entries: UnsafeMutablePointer<Entry>
    @exclusivity(unchecked) private var capacity = 0
    @exclusivity(unchecked) private var stored = 0
    /// How many entries, from the first on, form the heap. 0 only if nothing is stored.
    @exclusivity(unchecked) private var near = 0
    /// No deadline in the heap is later than this; all others are.
    @exclusivity(unchecked) private var horizon = Nanoseconds.min
    @exclusivity(unchecked) private var cancelled = 0

    init(table: CallbackTable) {
        self.table = table
        entries = Self.allocate(Self.leastCapacity)
        capacity = Self.leastCapacity
    }

    deinit { Self.deallocate(entries) }

    /// Timers that are armed.
    var count: Int { stored - cancelled }

    /// The nearest deadline; `never` without timers.
    var firstDeadline: Nanoseconds { stored > 0 ? entries.pointee.deadline : .never }

    /// Adds a record of the table's. O(log n), O(1) in the mean.
    func insert(_ slot: UInt32, deadline: Nanoseconds) {
        if stored == capacity { grow() }
        let entry = Entry(deadline: deadline, slot: slot)
        if stored == 0 { horizon = deadline }
        if deadline > horizon {
            entries[stored] = entry
        } else {
            // The first of the later entries moves to the end to make room.
            if near < stored { entries[stored] = entries[near] }
            near += 1
            siftUp(entry, from: near - 1)
        }
        stored += 1
    }

    /// Removes the first timer if its deadline has come; the caller owns its record from then on. O(log n) on average.
    func popDue(at now: Nanoseconds) -> (slot: UInt32, deadline: Nanoseconds)? {
        // No clock reaches `never`.
        guard stored > 0, entries.pointee.deadline <= now, entries.pointee.deadline != .never else { return nil }
        let first = removeFirst()
        removeCancelledAtTop()
        return (first.slot, first.deadline)
    }

    /// The action of a timer in the heap was taken. O(1) in the mean.
    func wasCancelled(_ slot: UInt32) {
        cancelled += 1
        if entries.pointee.slot == slot {
            removeCancelledAtTop()
        } else if cancelled > stored / 2, cancelled >= Self.leastCancelled {
            tidy()
        }
    }

    /// Empties the heap and returns the actions of its timers.
    func removeAll() -> [CallbackTable.Action] {
        let actions = sorted.map { table.take($0.slot) }
        for index in 0..<stored { table.free(entries[index].slot) }
        stored = 0
        near = 0
        cancelled = 0
        return actions
    }

    /// The timers, in the order of their deadlines. O(n log n); for reports.
    var inOrder: [(slot: UInt32, deadline: Nanoseconds)] { sorted.map { ($0.slot, $0.deadline) } }

    /// The tasks that sleep, in the order in which they are due. O(n log n).
    var waiters: [Waiter] {
        sorted.compactMap {
            if case .resume(let waiter) = table.record($0.slot).pointee.action { waiter } else { nil }
        }
    }

    private var sorted: [Entry] {
        (0..<stored).map { entries[$0] }.filter { !isCancelled($0) }.sorted { isBefore($0, $1) }
    }

    @inline(__always) private func isBefore(_ a: Entry, _ b: Entry) -> Bool {
        a.deadline != b.deadline ? a.deadline < b.deadline : wasArmedBefore(a, b)
    }

    private func wasArmedBefore(_ a: Entry, _ b: Entry) -> Bool {
        table.record(a.slot).pointee.sequence < table.record(b.slot).pointee.sequence
    }

    private func isCancelled(_ entry: Entry) -> Bool {
        if case .none = table.record(entry.slot).pointee.action { true } else { false }
    }
}

// MARK: - The heap's order

extension TimerHeap {
    private func removeFirst() -> Entry {
        let first = entries.pointee
        near -= 1
        if near > 0 { siftDown(entries[near], from: 0) }
        stored -= 1
        if near < stored { entries[near] = entries[stored] }
        if near == 0 { moveHorizon() }
        return first
    }

    /// Moves about an eighth of what is stored into the empty heap. O(n), once in n/8 timers.
    private func moveHorizon() {
        guard stored > 0 else { return }
        horizon = stored > Self.smallHeap ? sampledEighth() : .max
        for index in 0..<stored where entries[index].deadline <= horizon {
            let entry = entries[index]
            entries[index] = entries[near]
            entries[near] = entry
            near += 1
        }
        if near < stored / 64 {
            // The sample was not typical, and too few timers would move. Then the horizon is chosen larger, so that
            // this search over all timers is not repeated for a few.
            near = stored
        }
        if near == stored { horizon = (0..<stored).reduce(.min) { max($0, entries[$1].deadline) } }
        makeHeap()
    }

    /// A deadline such that about an eighth of the stored ones are not later.
    private func sampledEighth() -> Nanoseconds {
        withUnsafeTemporaryAllocation(of: Nanoseconds.self, capacity: Self.sampleSize) { memory in
            var sample = memory
            for index in 0..<Self.sampleSize {
                sample.initializeElement(at: index, to: entries[index * stored / Self.sampleSize].deadline)
            }
            sample.sort()
            return sample[Self.sampleSize / 8]
        }
    }

    private func removeCancelledAtTop() {
        while cancelled > 0, stored > 0, isCancelled(entries.pointee) {
            table.free(removeFirst().slot)
            cancelled -= 1
        }
    }

    /// Removes the cancelled entries and orders the rest. O(n), once in n/2 cancellations.
    private func tidy() {
        var (kept, keptNear) = (0, 0)
        for index in 0..<stored {
            let entry = entries[index]
            if isCancelled(entry) {
                table.free(entry.slot)
            } else {
                entries[kept] = entry
                kept += 1
                if index < near { keptNear += 1 }
            }
        }
        stored = kept
        near = keptNear
        cancelled = 0
        // The entry at the top is not cancelled, so that the heap is not empty afterwards.
        makeHeap()
    }

    private func makeHeap() {
        guard near > 1 else { return }
        for index in stride(from: (near - 2) / 4, through: 0, by: -1) { siftDown(entries[index], from: index) }
    }

    // The arithmetic of places is unchecked: they are less than `stored`, and four times that is no overflow.
    private func siftUp(_ entry: Entry, from start: Int) {
        let entries = entries
        var index = start
        while index > 0 {
            let parent = (index &- 1) >> 2
            guard isBefore(entry, entries[parent]) else { break }
            entries[index] = entries[parent]
            index = parent
        }
        entries[index] = entry
    }

    private func siftDown(_ entry: Entry, from start: Int) {
        let (entries, near) = (entries, near)
        var index = start
        while true {
            let child = index << 2 &+ 1
            guard child < near else { break }
            let least = leastChild(child, entries, near)
            guard isBefore(entries[least], entry) else { break }
            entries[index] = entries[least]
            index = least
        }
        entries[index] = entry
    }

    /// The earliest of the up to four children from `first` on. Of four, two pairs are compared, then their winners.
    @inline(__always) private func leastChild(_ first: Int, _ entries: UnsafeMutablePointer<Entry>, _ near: Int) -> Int
    {
        let last = first &+ 3
        if last < near {
            let left = isBefore(entries[first &+ 1], entries[first]) ? first &+ 1 : first
            let right = isBefore(entries[last], entries[last &- 1]) ? last : last &- 1
            return isBefore(entries[right], entries[left]) ? right : left
        }
        var least = first
        for child in first &+ 1..<near where isBefore(entries[child], entries[least]) { least = child }
        return least
    }

    private func grow() {
        // Grows by half instead of doubling, which leaves less memory unused.
        let larger = Self.allocate(capacity + capacity / 2)
        larger.update(from: entries, count: stored)
        Self.deallocate(entries)
        entries = larger
        capacity += capacity / 2
        // A horizon that was right for a few timers is not right for many.
        if near > stored / 4 {
            near = 0
            moveHorizon()
        }
    }

    private static func allocate(_ capacity: Int) -> UnsafeMutablePointer<Entry> {
        let bytes = (capacity + 3) * MemoryLayout<Entry>.stride
        let block = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
        return block.bindMemory(to: Entry.self, capacity: capacity + 3) + 3
    }

    private static func deallocate(_ entries: UnsafeMutablePointer<Entry>) {
        UnsafeMutableRawPointer(entries - 3).deallocate()
    }
}

extension TimerHeap {
    /// Traps unless every entry of the heap is not earlier than its parent, the entries behind it are later than the
    /// horizon, the top is not cancelled, and the number of cancelled entries is right. O(n); for tests.
    func checkInvariants() {
        var found = 0
        precondition(near > 0 || stored == 0, "\(stored) timers, and an empty heap")
        for index in 0..<stored {
            precondition(
                (entries[index].deadline <= horizon) == (index < near), "the entry at \(index) of \(near) near ones")
            precondition(
                index == 0 || index >= near || !isBefore(entries[index], entries[(index - 1) / 4]),
                "the entry at \(index) is before its parent")
            if isCancelled(entries[index]) { found += 1 }
        }
        precondition(found == cancelled, "\(found) cancelled, \(cancelled) counted")
        precondition(stored == 0 || !isCancelled(entries.pointee), "a cancelled entry at the top")
    }
}
