// SPDX-License-Identifier: Apache-2.0
// TimerHeap: which timer is next.
// Idea:   16 bytes for each timer: its deadline and the number of its record. For equal deadlines the record says which was armed
//         first. The timers up to a horizon are a 4-ary heap; behind them in the same array are the later ones, in no order.
//         When the heap has run empty, the nearest eighth of the others moves into it. Arming a timer beyond the horizon is
//         appending, and one that is cancelled before its time comes near never costs more.
//         A timer that is cancelled leaves a cancelled entry, which goes when it comes to the top or when half of all are such: nothing has to
//         know an entry's place, so that moving one touches the array only. The top is never a cancelled entry.
// Owner:  the UI thread. The backend sees only the first deadline, as one published number.
// Breaks: a record freed while its number stands here; only this type frees the records of its timers.
//
// Four children instead of two: half the levels, and the four stand in one cache line (LaMarca and Ladner, "The Influence of
// Caches on the Performance of Heaps", 1996).

final class TimerHeap {
    private struct Entry {
        let deadline: Nanoseconds
        let slot: UInt32
    }

    private static let leastCapacity = 60
    /// With fewer cancelled entries than this no heap is worth tidying.
    private static let leastCancelled = 64
    /// So many timers are a heap that stays in the nearest cache, and need no horizon.
    private static let smallHeap = 512
    /// How many deadlines are looked at to find a new horizon: an odd look at many timers, never a sort of them.
    private static let sampleSize = 32

    private let table: CallbackTable
    // Safe: allocated in `grow`, filled up to `stored`, freed in deinit. The fourth entry of the block is the heap's first, so
    // that the children of each entry share a cache line.
    @exclusivity(unchecked) private var entries: UnsafeMutablePointer<Entry>
    @exclusivity(unchecked) private var capacity = 0
    @exclusivity(unchecked) private var stored = 0
    /// The first so many entries are the heap: none only if nothing is stored.
    @exclusivity(unchecked) private var near = 0
    /// The heap's deadlines are not later, all others are.
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
            // The first of the later ones makes room.
            if near < stored { entries[stored] = entries[near] }
            near += 1
            siftUp(entry, from: near - 1)
        }
        stored += 1
    }

    /// Removes the first timer if its deadline has come; the caller holds its record from then on. O(log n) in the mean.
    func popDue(at now: Nanoseconds) -> (slot: UInt32, deadline: Nanoseconds)? {
        // `never` is not a time that comes.
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

    /// Empties the heap and returns what its timers would have done.
    func removeAll() -> [CallbackTable.Action] {
        let actions = sorted.map { table.take($0.slot) }
        for index in 0..<stored { table.free(entries[index].slot) }
        stored = 0
        near = 0
        cancelled = 0
        return actions
    }

    /// What is in the heap, in the order in which it is due. O(n log n); for reports.
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

    /// Fills the empty heap with about an eighth of what is stored. O(n), once in n/8 timers.
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
            // The sample was not like the rest. Few must not be paid for with a look at all, again and again.
            near = stored
        }
        if near == stored { horizon = (0..<stored).reduce(.min) { max($0, entries[$1].deadline) } }
        makeHeap()
    }

    /// A deadline that about an eighth of what is stored does not exceed.
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

    /// Throws the cancelled entries out and orders what is left. O(n), once in n/2 cancellations.
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
        // The top is a timer, so that something is left of the heap.
        makeHeap()
    }

    private func makeHeap() {
        guard near > 1 else { return }
        for index in stride(from: (near - 2) / 4, through: 0, by: -1) { siftDown(entries[index], from: index) }
    }

    private func siftUp(_ entry: Entry, from start: Int) {
        let entries = entries
        var index = start
        while index > 0 {
            let parent = (index - 1) / 4
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
            let firstChild = 4 * index + 1
            guard firstChild < near else { break }
            var least = firstChild
            var child = firstChild + 1
            let end = min(firstChild + 4, near)
            while child < end {
                if isBefore(entries[child], entries[least]) { least = child }
                child += 1
            }
            guard isBefore(entries[least], entry) else { break }
            entries[index] = entries[least]
            index = least
        }
        entries[index] = entry
    }

    private func grow() {
        // By half: of two timers' memory one would be idle in the mean.
        let larger = Self.allocate(capacity + capacity / 2)
        larger.update(from: entries, count: stored)
        Self.deallocate(entries)
        entries = larger
        capacity += capacity / 2
        // The horizon of a few timers is not that of many.
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
    /// Traps unless every entry of the heap is after its parent, the others are later, the top is a timer and the cancelled entries are counted. O(n); for tests.
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
