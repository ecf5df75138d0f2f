// SPDX-License-Identifier: Apache-2.0
// LeastTimers: closures that are called after a time, in a 4-ary heap of fixed size.
// Idea:   what Tandem promises of a timer: never early, in the order of the deadlines, those of one deadline in the order of arming; a handle that
//         is out of date cancels nothing; a closure may throw, arm and cancel. A cancelled one's entry stays in the heap until it comes to its top.
// Owner:  the main thread.

import CBench

final class LeastTimers {
    struct Handle {
        fileprivate let slot: UInt32
        fileprivate let generation: UInt32
    }

    private struct Entry {
        let deadline: Int64
        let order: UInt32
        let slot: UInt32

        @inline(__always) static func < (left: Entry, right: Entry) -> Bool {
            left.deadline != right.deadline
                ? left.deadline < right.deadline : Int32(bitPattern: left.order &- right.order) < 0
        }
    }

    /// A struct, since a buffer of mere functions allocates a box for each.
    private struct Call { let body: () throws -> Void }

    private struct Slot {
        /// It is armed, and its closure stands in `calls`.
        var isArmed: Bool
        var generation: UInt32
        /// The next slot that is free.
        var next: UInt32
    }

    private static let capacity = 4096
    // Safe, all: main thread; the memory is never freed, and `arm` looks whether there is room.
    private let entries = UnsafeMutablePointer<Entry>.allocate(capacity: capacity)
    private let slots = UnsafeMutablePointer<Slot>.allocate(capacity: capacity)
    private let calls = UnsafeMutablePointer<Call>.allocate(capacity: capacity)
    @exclusivity(unchecked) private var count = 0
    @exclusivity(unchecked) private var free: UInt32 = 0
    @exclusivity(unchecked) private var order: UInt32 = 0

    init() {
        for slot in 0..<Self.capacity {
            (slots + slot).initialize(to: Slot(isArmed: false, generation: 0, next: UInt32(slot + 1)))
        }
    }

    /// When the next one is due; a cancelled one may be in front of it.
    var nextDeadline: Int64 { count > 0 ? entries[0].deadline : .max }

    func arm(_ delay: Int64, _ body: @escaping () throws -> Void) -> Handle {
        precondition(count < Self.capacity, "too many timers")
        let slot = free
        free = slots[Int(slot)].next
        slots[Int(slot)].isArmed = true
        (calls + Int(slot)).initialize(to: Call(body: body))
        order &+= 1
        rise(Entry(deadline: now() + delay, order: order, slot: slot))
        return Handle(slot: slot, generation: slots[Int(slot)].generation)
    }

    func cancel(_ handle: Handle) {
        let slot = Int(handle.slot)
        guard slots[slot].generation == handle.generation, slots[slot].isArmed else { return }
        slots[slot].isArmed = false
        (calls + slot).deinitialize(count: 1)
    }

    /// Drops all of them, and keeps the memory. Handles that were given before may cancel others.
    func removeAll() {
        for place in 0..<count {
            let slot = Int(entries[place].slot)
            if slots[slot].isArmed { (calls + slot).deinitialize(count: 1) }
            slots[slot].isArmed = false
            slots[slot].next = free
            free = UInt32(slot)
        }
        count = 0
    }

    /// Calls what is due at this moment.
    func fire(_ failed: (any Error) -> Void) {
        guard count > 0 else { return }
        let present = now()
        while count > 0, entries[0].deadline <= present {
            let slot = Int(entries[0].slot)
            removeFirst()
            slots[slot].generation &+= 1
            let isArmed = slots[slot].isArmed
            slots[slot].isArmed = false
            if isArmed {
                do { try (calls + slot).move().body() } catch { failed(error) }
            }
            slots[slot].next = free
            free = UInt32(slot)
        }
    }

    @inline(__always) private func rise(_ entry: Entry) {
        var place = UInt(count)
        count &+= 1
        while place > 0 {
            let parent = (place &- 1) >> 2
            guard entry < self[parent] else { break }
            self[place] = self[parent]
            place = parent
        }
        self[place] = entry
    }

    @inline(__always) private func removeFirst() {
        count &-= 1
        let (last, end) = (self[UInt(count)], UInt(count))
        var place: UInt = 0
        while true {
            let child = place << 2 &+ 1
            guard child < end else { break }
            var least = child
            if child &+ 3 < end {
                let (first, second) = (
                    self[child &+ 1] < self[child] ? child &+ 1 : child,
                    self[child &+ 3] < self[child &+ 2] ? child &+ 3 : child &+ 2
                )
                least = self[second] < self[first] ? second : first
            } else {
                if child &+ 1 < end, self[child &+ 1] < self[least] { least = child &+ 1 }
                if child &+ 2 < end, self[child &+ 2] < self[least] { least = child &+ 2 }
            }
            guard self[least] < last else { break }
            self[place] = self[least]
            place = least
        }
        self[place] = last
    }

    // Safe: places are less than the number of entries.
    private subscript(place: UInt) -> Entry {
        @inline(__always) get { entries[Int(bitPattern: place)] }
        @inline(__always) set { entries[Int(bitPattern: place)] = newValue }
    }
}
